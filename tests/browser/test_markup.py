"""Messages with Markdown in real Chromium.

The tests cover rendering and accessibility, and that no script runs.
"""

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import axe, xss
from tests.browser.conftest import OpenWindow
from tests.browser.keyboard import Keyboard
from tests.browser.person import Person
from tests.support.server import Account, Server

SHOWN = """A **bold** and *slanted* `code` ~~gone~~ line for @{name}, not @nobody,
and the next with https://example.org/a_b_c.

> a quote
1. one
2. [two](https://example.org/x)

```python
def f():
    return "x"  # why
```
And ||the *butler* did it|| in the end"""
ALLOWED = {"DIV", "P", "STRONG", "EM", "S", "CODE", "PRE", "SPAN", "BLOCKQUOTE", "UL", "OL", "LI", "A", "BDI"}
NOT_FOUND = re.compile(r"status of 404 .*none\.png")


def room_with(author: Account, name: str, *texts: str, member: Account | None = None) -> str:
    """Create a room of the author's with these messages."""
    room = author.create_room(f"{name} of {author.name}")
    if member is not None:
        member.join(room)
    for number, text in enumerate(texts):
        said = {"key": f"{name}{number}", "body": text}
        answer = author.request("POST", f"/api/rooms/{room}/messages", json=said)
        assert answer.status_code == 201, answer.text
    return f"{name} of {author.name}"


@pytest.fixture
def reader(server: Server, open_window: OpenWindow) -> Person:
    member = server.sign_up("ben")
    room = room_with(server.sign_up("ann"), "Prose", SHOWN.format(name=member.name), member=member)
    return open_window().log_in(member.name).open_room(room)


def body(reader: Person) -> Locator:
    return reader.log.locator("article .body")


def test_markdown_is_rendered(reader: Person) -> None:
    shown = body(reader)
    expect(shown.locator("strong")).to_have_text("bold")
    expect(shown.locator("em").first).to_have_text("slanted")
    expect(shown.locator("p code")).to_have_text("code")
    expect(shown.locator("s")).to_have_text("gone")
    expect(shown.locator("blockquote")).to_have_text("a quote")
    expect(shown.locator("ol > li")).to_have_text(["one", "two (example.org)"])
    expect(shown.locator(".mention")).to_have_text(f"@{reader.name}")
    expect(shown.locator(".mention")).to_have_class(re.compile(r"\bme\b"))
    first = shown.locator("p").first
    assert first.evaluate("p => p.textContent.includes(',\\nand') && getComputedStyle(p).whiteSpace") == "pre-wrap"
    for link in shown.get_by_role("link").all():
        expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
        expect(link).to_have_attribute("target", "_blank")
    # The highlighting loads separately and changes only colours.
    expect(shown.locator("pre .keyword").first).to_have_text("def")
    expect(shown.locator("pre")).to_have_text('def f():\n    return "x"  # why')
    axe.check(reader.page, "[role=log]")


def test_a_spoiler_opens_by_mouse_and_by_keyboard_and_not_before(reader: Person) -> None:
    spoiler = body(reader).get_by_role("button", name="Show spoiler")
    assert spoiler.evaluate("one => getComputedStyle(one).color") == "rgba(0, 0, 0, 0)"
    assert "butler" not in body(reader).aria_snapshot()
    keys = Keyboard(reader)
    keys.reach("article", "", key="Shift+Tab")
    keys.reach("region", "Code")
    keys.reach("button", "Show spoiler", most=1)
    reader.page.keyboard.press("Enter")
    expect(body(reader).locator(".spoiler")).to_have_text("the butler did it")
    expect(body(reader).locator(".spoiler em")).to_have_text("butler")
    assert "butler" in body(reader).aria_snapshot()
    expect(body(reader).locator(".spoiler")).to_be_focused()
    reader.page.reload()
    reader.is_in()
    reader.click_text(spoiler)
    expect(body(reader).locator(".spoiler em")).to_be_visible()
    expect(spoiler).to_have_count(0)


def test_message_text_runs_no_script_and_violates_no_policy(server: Server, open_window: OpenWindow) -> None:
    author = server.sign_up("mallory")
    room = room_with(author, "Attic", *xss.CORPUS)
    window = open_window()
    xss.arm(window.page)
    window.log_in(author.name).open_room(room)
    window.log.hover()
    while window.log.get_by_text("This is the beginning of the room.").count() == 0:
        window.page.mouse.wheel(0, -2_000)
    expect(body(window)).to_have_count(len(xss.CORPUS))
    while (spoilers := body(window).get_by_role("button")).count():
        before = spoilers.count()
        window.click_text(spoilers.first)
        expect(spoilers).to_have_count(before - 1)
    assert xss.hits(window.page) == []
    tags = body(window).evaluate_all("all => all.flatMap(one => [...one.querySelectorAll('*')].map(e => e.tagName))")
    assert set(tags) <= ALLOWED
    schemes = body(window).get_by_role("link").evaluate_all("all => all.map(a => a.protocol)")
    assert set(schemes) == {"https:"}
    # The same for an own message that is still pending.
    window.composer.fill(xss.CORPUS[1])
    window.composer.press("Enter")
    expect(body(window)).to_have_count(len(xss.CORPUS) + 1)
    assert xss.hits(window.page) == []
    window._heard[:] = [line for line in window._heard if not NOT_FOUND.search(line)]


HTML = """text => {
    try {
        document.body.insertAdjacentHTML("beforeend", text);
        return "taken";
    } catch {
        return "refused";
    }
}"""
POLICY = HTML.replace('document.body.insertAdjacentHTML("beforeend", text)', "trustedTypes.createPolicy(text, {})")


def test_control_text_that_became_html_is_detected(server: Server, open_window: OpenWindow) -> None:
    window = open_window()
    xss.arm(window.page)
    window.log_in(server.sign_up("ann").name)
    assert window.page.evaluate(HTML, xss.CORPUS[1]) == "refused"
    assert window.page.evaluate(POLICY, "ours") == "refused"
    found = [str(hit) for hit in xss.hits(window.page)]
    assert [hit.split(":")[0] for hit in found] == ["require-trusted-types-for", "trusted-types"]
    window.page.evaluate("hit(7)")
    assert xss.hits(window.page)[-1] == 7
    window.forgive()
