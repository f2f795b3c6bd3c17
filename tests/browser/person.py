"""A user at a browser window, with the actions and expectations of tests."""

import re
from typing import Self

from playwright.sync_api import ConsoleMessage, Dialog, Error, Locator, Page, expect

from tests.support.server import PASSWORD, Server

# Chromium's reports of HTTP statuses that the page expects and handles: log-in checks and refusals.
EXPECTED = re.compile(
    r"Failed to load resource: the server responded with a status of "
    r"((400|401|403|409) |404 .*/api/rooms/\d+(/\w+)?(\?[^)]*)?\))"
)
OFFLINE = re.compile(r"net::ERR_|WebSocket connection to .* failed")

# The middle of the first line of an element's text, once it is visible and does not move.
FIRST_LINE = """async (element) => {
    element.scrollIntoView({ block: "nearest" });
    const line = () => {
        const range = document.createRange();
        range.selectNodeContents(element);
        const drawn = [...range.getClientRects()].filter(({ width, height }) => width > 2 && height > 2);
        const { left, right, top, bottom } = drawn[0] ?? element.getBoundingClientRect();
        return [(left + right) / 2, (top + bottom) / 2];
    };
    for (let before = line(); ; ) {
        await new Promise(requestAnimationFrame);
        const now = line();
        if (now.join() === before.join()) return now;
        before = now;
    }
}"""


class Person:
    def __init__(self, server: Server, page: Page) -> None:
        self.server = server
        self.page = page
        self.address = server.url
        self.name = ""
        self.may_be_offline = False
        self._heard: list[str] = []
        page.set_default_timeout(30_000)
        page.on("console", self._console)
        page.on("pageerror", self._uncaught)
        page.on("dialog", self._accept)

    def stop_listening(self) -> None:
        """Ignore what the console reports from now on."""
        self.page.remove_listener("console", self._console)
        self.page.remove_listener("pageerror", self._uncaught)

    def leave(self) -> None:
        """Leave the window to another user. Until now, dialogs are accepted."""
        self.page.remove_listener("dialog", self._accept)

    def _accept(self, dialog: Dialog) -> None:
        dialog.accept()

    def _uncaught(self, error: Error) -> None:
        self._heard.append(f"uncaught: {error}")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._heard.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")

    def complaints(self) -> list[str]:
        """Return console messages no test may cause.

        Errors, warnings, violations of the policy.
        """
        allowed = [EXPECTED, OFFLINE] if self.may_be_offline else [EXPECTED]
        return [line for line in self._heard if not any(pattern.search(line) for pattern in allowed)]

    def forgive(self) -> None:
        self._heard.clear()

    # -- log-in and log-out

    def open(self, path: str = "/") -> Self:
        self.page.goto(path if path.startswith("http") else self.address + path)
        return self

    def sign_up(self, name: str, button: str) -> Self:
        """Fill in the form of an invite, or of open sign-up."""
        self.name = name
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name=button).click()
        return self

    def log_in(self, name: str) -> Self:
        """Log in with a session cookie; the form has tests of its own."""
        self.name = name
        answer = self.page.request.post(f"{self.address}/api/login", data={"username": name, "password": PASSWORD})
        assert answer.ok, answer.text()
        return self.open().is_in()

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        self.name = name
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()

    def is_in(self) -> Self:
        """Wait until the chat is shown and loaded."""
        expect(self.log).to_have_attribute("aria-busy", "false")
        return self

    def is_out(self) -> Self:
        expect(self.page.get_by_role("button", name="Log in")).to_be_visible()
        return self

    def click_text(self, found: Locator) -> None:
        """Click the first line of a text, whatever else its element contains."""
        x, y = self.page.evaluate(FIRST_LINE, found.element_handle())
        self.page.mouse.click(x, y)

    # -- the room

    @property
    def log(self) -> Locator:
        return self.page.get_by_role("log")

    @property
    def composer(self) -> Locator:
        return self.page.get_by_label("Message to", exact=False)

    def say(self, text: str) -> None:
        self.composer.fill(text)
        self.composer.press("Enter")

    def sees(self, text: str, times: int = 1) -> None:
        """Expect exactly `times` sent messages with exactly this text."""
        found = self.log.locator("article:not(.pending):not(.failed) .body").get_by_text(text, exact=True)
        expect(found).to_have_count(times, timeout=30_000)

    def pending(self) -> Locator:
        return self.log.locator("article.pending")

    def texts(self) -> list[str]:
        return self.log.locator("article .body").all_text_contents()

    def room(self, name: str) -> Locator:
        return self.page.get_by_role("navigation").get_by_role("button", name=name)

    def open_room(self, name: str) -> Self:
        self.room(name).click()
        expect(self.page.get_by_role("heading", level=2, name=name)).to_be_visible()
        return self.is_in()

    def create_room(self, name: str) -> Self:
        self.page.get_by_role("button", name="New room").click()
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_role("button", name="Create room").click()
        expect(self.page.get_by_role("heading", level=2, name=name)).to_be_visible()
        return self.is_in()

    def join_room(self, name: str) -> Self:
        self.page.get_by_role("button", name="Browse rooms").click()
        self.page.get_by_role("button", name=f"Join {name}").click()
        expect(self.page.get_by_role("heading", level=2, name=name)).to_be_visible()
        return self.is_in()

    def open_account(self) -> Locator:
        self.page.get_by_role("button", name="Your account").click()
        return self.page.get_by_role("dialog")
