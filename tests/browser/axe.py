"""What axe-core finds wrong with a page for people who see, hear or move differently."""

from pathlib import Path

from playwright.sync_api import Page

SCRIPT = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
# WCAG 2.2 A and AA, and what axe calls best practices, which a page as small as ours can follow too.
RUN = """async ([within, rules]) => {
    const only = rules ? { runOnly: { type: "rule", values: rules } } : {};
    const found = await axe.run(within ?? document, { resultTypes: ["violations"], ...only });
    const told = (node) => `    ${node.html.slice(0, 200)}\\n    ${node.failureSummary}`;
    return found.violations.map(({ id, help, nodes }) => [`${id}: ${help}`, ...nodes.map(told)].join("\\n"));
}"""


def violations(page: Page, within: str | None = None, rules: list[str] | None = None) -> list[str]:
    """What axe has to say of the page, or of what the selector `within` finds; by all of its rules or some."""
    # Evaluated by the debugger, to which the page's Content-Security-Policy does not apply.
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(SCRIPT.read_text() + "; undefined")
    found: list[str] = page.evaluate(RUN, [within, rules])
    return found


def check(page: Page, within: str | None = None) -> None:
    """Fails with a readable list if axe finds anything."""
    found = violations(page, within)
    assert not found, "axe found:\n" + "\n".join(found)
