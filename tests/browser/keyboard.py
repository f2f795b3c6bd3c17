"""A user with only a keyboard: every stop of the focus must be visible."""

from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser.person import Person

MOST = 40
# Describe the focused element, and whether its focus is visible: a ring around it or its field,
# with at most one side cut off by the window or a scroll container.
LOOK = """() => {
    const one = document.activeElement;
    if (!one || one === document.body) return { description: null };
    const name = one.ariaLabel ?? one.labels?.[0]?.textContent ?? one.placeholder ?? one.textContent ?? "";
    const description = `${one.role ?? one.tagName.toLowerCase()} “${name.trim().replace(/\\s+/g, " ").slice(0, 60)}”`;
    const chain = [];
    for (let at = one; at && chain.length < 4; at = at.parentElement) chain.push(at);
    const ring = (of) => getComputedStyle(of);
    const bearer = chain.find((at) => ring(at).outlineStyle !== "none" && parseFloat(ring(at).outlineWidth) >= 1);
    if (!bearer) return { description, hidden: "it has no focus ring" };
    const out = parseFloat(ring(bearer).outlineOffset) + parseFloat(ring(bearer).outlineWidth) / 2;
    const { left, right, top, bottom } = bearer.getBoundingClientRect();
    const [x, y] = [(left + right) / 2, (top + bottom) / 2];
    const sides = [[left - out, y], [right + out, y], [x, top - out], [x, bottom + out]];
    let seen = sides.filter(([x, y]) => x >= 0 && y >= 0 && x <= innerWidth && y <= innerHeight);
    for (let at = bearer; at.parentElement && !at.matches("dialog, :popover-open"); ) {
        at = at.parentElement;
        if (getComputedStyle(at).overflow === "visible") continue;
        const box = at.getBoundingClientRect();
        seen = seen.filter(([x, y]) => x >= box.left && x <= box.right && y >= box.top && y <= box.bottom);
    }
    return { description, hidden: seen.length < 3 ? `${seen.length} of 4 sides of its ring are in sight` : null };
}"""


class Keyboard:
    def __init__(self, person: Person) -> None:
        self.person = person
        self.page = person.page

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def write(self, text: str) -> None:
        self.page.keyboard.type(text)

    # -- the focus

    def at(self, role: Any, name: str, within: str = "body") -> None:
        """Wait until the element with this role and name has the focus.

        Its ring must be visible.
        """
        wanted = self.page.locator(within).get_by_role(role, name=name)
        expect(self.page.locator(":focus").and_(wanted)).to_have_count(1)
        self._seen()

    def somewhere(self, within: str = "body") -> None:
        """Wait until an element in `within` has the focus.

        It was not lost with a removed element.
        """
        expect(self.page.locator(within).locator(":focus")).to_have_count(1)
        self._seen()

    def on(self, text: str) -> None:
        """Wait until the message with this text has the focus."""
        expect(self._on(text)).to_have_count(1)
        self._seen()

    def _on(self, text: str) -> Locator:
        words = self.page.locator(".body, .gone", has_text=text)
        return self.page.locator(".timeline-row > article:focus").filter(has=words)

    def up_to(self, text: str) -> None:
        """Move up from message to message to the one with this text."""
        wanted = self._on(text)
        for _ in range(MOST):
            if wanted.count():
                break
            self.press("ArrowUp")
        self.on(text)

    def reach(self, role: Any, name: str, *, key: str = "Tab", most: int = MOST) -> None:
        """Press `key` until the element with this role and name has the focus.

        Every stop must be visible.
        """
        wanted = self.page.locator(":focus").and_(self.page.get_by_role(role, name=name))
        passed: list[str] = []
        while not wanted.count():
            assert len(passed) < most, f"{role} “{name}” cannot be reached with {key}, which passes\n" + "\n".join(
                passed
            )
            self.page.keyboard.press(key)
            passed.append(self._seen() or "the end of the page")

    def _seen(self) -> str | None:
        found = self.page.evaluate(LOOK)
        assert not found.get("hidden"), f"the focus is at {found['description']} and not visible: {found['hidden']}"
        description: str | None = found["description"]
        return description

    # -- actions

    def use(self, role: Any, name: str, *, key: str = "Tab") -> None:
        """Move to a control and press Enter."""
        self.reach(role, name, key=key)
        self.press("Enter")

    def choose(self, item: str) -> None:
        """Choose an item of the open menu with the arrow keys and Enter."""
        items = self.page.locator("[role^=menuitem]:visible")
        expect(items.and_(self.page.locator(":focus"))).to_have_count(1)
        wanted = self.page.locator(":focus").filter(has_text=item)
        for _ in range(items.count()):
            if wanted.count():
                break
            self.press("ArrowDown")
        expect(wanted).to_have_count(1)
        self._seen()
        self.press("Enter")
