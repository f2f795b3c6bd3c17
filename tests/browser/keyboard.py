"""Somebody at a window who has nothing but a keyboard: no mouse, no focus but what keys give, and each stop is seen."""

from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser.person import Person

MOST = 40
# What has the focus, in words, and whether one sees that: a ring around it or around the field it stands in, of which
# no more than one side is cut off by the window or by what scrolls.
LOOK = """() => {
    const one = document.activeElement;
    if (!one || one === document.body) return { told: null };
    const name = one.ariaLabel ?? one.labels?.[0]?.textContent ?? one.placeholder ?? one.textContent ?? "";
    const told = `${one.role ?? one.tagName.toLowerCase()} “${name.trim().replace(/\\s+/g, " ").slice(0, 60)}”`;
    const chain = [];
    for (let at = one; at && chain.length < 4; at = at.parentElement) chain.push(at);
    const ring = (of) => getComputedStyle(of);
    const bearer = chain.find((at) => ring(at).outlineStyle !== "none" && parseFloat(ring(at).outlineWidth) >= 1);
    if (!bearer) return { told, hidden: "it has no ring" };
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
    return { told, hidden: seen.length < 3 ? `${seen.length} of 4 sides of its ring are in sight` : null };
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

    # -- where one is

    def at(self, role: Any, name: str, within: str = "body") -> None:
        """The focus is, or comes to be, at what has this role and this name; and one sees it."""
        wanted = self.page.locator(within).get_by_role(role, name=name)
        expect(self.page.locator(":focus").and_(wanted)).to_have_count(1)
        self._seen()

    def somewhere(self, within: str = "body") -> None:
        """The focus is, or comes to be, at something in `within`: it was not lost with what had it."""
        expect(self.page.locator(within).locator(":focus")).to_have_count(1)
        self._seen()

    def on(self, text: str) -> None:
        """The focus is, or comes to be, at the message with this text."""
        expect(self._on(text)).to_have_count(1)
        self._seen()

    def _on(self, text: str) -> Locator:
        words = self.page.locator(".body, .gone", has_text=text)
        return self.page.locator(".timeline-row > article:focus").filter(has=words)

    def up_to(self, text: str) -> None:
        """From message to message, up to the one with this text."""
        wanted = self._on(text)
        for _ in range(MOST):
            if wanted.count():
                break
            self.press("ArrowUp")
        self.on(text)

    def reach(self, role: Any, name: str, *, key: str = "Tab", most: int = MOST) -> None:
        """Press `key` until what has this role and this name has the focus. One sees each stop on the way."""
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
        assert not found.get("hidden"), f"the focus is at {found['told']}, and one does not see it: {found['hidden']}"
        told: str | None = found["told"]
        return told

    # -- what one does

    def use(self, role: Any, name: str, *, key: str = "Tab") -> None:
        """Go there, and press Enter."""
        self.reach(role, name, key=key)
        self.press("Enter")

    def choose(self, item: str) -> None:
        """Of the menu that has just been opened, with the arrows and Enter."""
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
