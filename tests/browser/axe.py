"""Accessibility violations that axe-core finds in a page."""

from pathlib import Path

from playwright.sync_api import Page

SCRIPT = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
# WCAG 2.2 A and AA, and axe's best practices, which so small a page can follow too.
RUN = """async ([within, rules]) => {
    const only = rules ? { runOnly: { type: "rule", values: rules } } : {};
    const found = await axe.run(within ?? document, { resultTypes: ["violations"], ...only });
    const describe = (node) => `    ${node.html.slice(0, 200)}\\n    ${node.failureSummary}`;
    return found.violations.map(({ id, help, nodes }) => [`${id}: ${help}`, ...nodes.map(describe)].join("\\n"));
}"""


def violations(page: Page, within: str | None = None, rules: list[str] | None = None) -> list[str]:
    """Return axe's violations in the page or in what `within` selects."""
    # Evaluated by the debugger, to which the page's Content-Security-Policy does not apply.
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(SCRIPT.read_text() + "; undefined")
    found: list[str] = page.evaluate(RUN, [within, rules])
    return found


def check(page: Page, within: str | None = None) -> None:
    """Fail with a readable list if axe finds a violation."""
    found = violations(page, within)
    assert not found, "axe found:\n" + "\n".join(found)
