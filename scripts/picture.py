"""Take the screenshot of the README: `python -m scripts.picture [FOLDER]`, by default into docs/images.

It shows a room with five users, in the fonts of `scripts/fonts`, which have emoji. With a folder, it
takes four: wide and on a phone, light and dark.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.browser import fonts
from tests.browser.conftest import FLAGS, chromium
from tests.support.server import PASSWORD, Account, Server

from hubbub.cli.operator import ask_server
from hubbub.control import CreateUser

README = Path("docs/images/hubbub.png")
NAMES = ("anna", "bert", "cleo", "dora", "emil")
SOLVED = """It is the lock: two workers wait for the same row.
```python
async with rooms.lock(room, timeout=2):
    await journal.append(event)  # in one transaction
```
With the timeout the test is green again, 40 times in a row."""
Colours = Literal["light", "dark"]
COLOURS: tuple[Colours, ...] = ("light", "dark")
SIZES = {"wide": (1280, 800), "phone": (390, 844)}


class World:
    """A server with accounts, rooms and messages."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.accounts = {name: create(server, name) for name in NAMES}
        self.anna = self.accounts["anna"]
        self._keys = 0
        self.release = self.room("release", topic="1.4 goes out on Friday")
        self._talk()

    def room(self, name: str, kind: str = "public", **more: str) -> int:
        room: int = self.post(self.anna, "/api/rooms", kind=kind, name=name, **more)["room"]["id"]
        if kind == "public":
            for account in list(self.accounts.values())[1:]:
                account.join(room)
        return room

    def post(self, by: Account, path: str, method: str = "POST", **body: Any) -> Any:
        answer = by.request(method, path, json=body)
        assert answer.is_success, f"{path}: {answer.text}"
        return answer.json()

    def send(self, name: str, room: int, body: str, **more: Any) -> int:
        self._keys += 1
        path = f"/api/rooms/{room}/messages"
        seq: int = self.post(self.accounts[name], path, key=f"key {self._keys}", body=body, **more)["seq"]
        return seq

    def _talk(self) -> None:
        design, kitchen = self.room("design"), self.room("kitchen")
        self.room("board", "private")
        room = self.release
        self.send("dora", room, "Everything for 1.4 is merged except the archive test. It fails about one time in ten.")
        why = self.send("bert", room, "Do you know why?")
        solved = self.send("cleo", room, SOLVED, reply_to=why)
        for name, emoji in (("bert", "🎉"), ("dora", "🎉"), ("anna", "🎉"), ("emil", "👀")):
            path = f"/api/rooms/{room}/messages/{solved}/reactions/{quote(emoji)}"
            self.post(self.accounts[name], path, "PUT")
        self.post(self.anna, f"/api/rooms/{room}/pins/{solved}", "PUT")
        self.send("bert", room, "That was quick, thank you!")
        self.send("emil", room, "@anna shall I tag it now, or do we wait for the **release notes**?")
        self.send("anna", room, "Tag it, the notes are ready.")
        self.post(self.anna, f"/api/rooms/{room}/preferences", "PATCH", favourite=True)
        for name in ("bert", "cleo"):
            direct = self.post(self.anna, "/api/rooms", kind="direct", members=[self.accounts[name].id])["room"]["id"]
            if name == "bert":
                self.send(name, direct, "Coffee?")
        for text in ("New icons are in the folder.", "Have a look when you can."):
            self.send("dora", design, text)
        self.send("emil", kitchen, "@anna your cake is here")
        status = "/api/users/me/status"
        self.post(self.accounts["dora"], status, "PUT", status="dnd", text="Writing the notes", emoji="📝")
        self.post(self.accounts["cleo"], status, "PUT", status="away")


def create(server: Server, name: str) -> Account:
    ask_server(server.data, CreateUser(name=name, role="owner" if name == "anna" else "member", password=PASSWORD))
    return server.log_in(name)


def window(browser: Browser, world: World, name: str, width: int, height: int, colours: Colours) -> Page:
    """Open a browser window of a user, with the room of the screenshot."""
    context = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB", color_scheme=colours)
    page = context.new_page()
    data = {"username": name, "password": PASSWORD}
    assert page.request.post(f"{world.server.url}/api/login", data=data).ok
    page.goto(f"{world.server.url}/#room/{world.release}")
    expect(page.get_by_role("log")).to_have_attribute("aria-busy", "false", timeout=20_000)
    expect(page.get_by_role("log")).to_contain_text("Tag it, the notes are ready.")
    expect(page.locator("pre .keyword").first).to_be_visible(timeout=20_000)
    page.evaluate("document.fonts.ready.then(() => undefined)")
    return page


def take(page: Page, bert: Page, path: Path) -> None:
    """Take a screenshot while another user is typing."""
    bert.get_by_label("Message to", exact=False).press_sequentially("Great")
    typing = page.locator(".writing > p").first
    expect(typing).to_contain_text("bert is typing", timeout=20_000)
    page.screenshot(path=path)
    bert.get_by_label("Message to", exact=False).fill("")
    expect(typing).to_be_empty(timeout=20_000)


def main(folder: Path | None) -> None:
    found = chromium()
    assert found, "Chromium is not on the PATH. Install it and try again."
    assert fonts.missing("many") is None, fonts.missing("many")
    with tempfile.TemporaryDirectory() as data, Server(Path(data) / "data") as server, sync_playwright() as playwright:
        world = World(server)
        env = fonts.environment("many", Path(data) / "fonts")
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS, env=env)
        bert, _, _ = (window(browser, world, name, 1180, 760, "light") for name in ("bert", "cleo", "dora"))
        if folder is None:
            take(window(browser, world, "anna", 1180, 760, "light"), bert, README)
            return
        for size, (width, height) in SIZES.items():
            for colours in COLOURS:
                take(window(browser, world, "anna", width, height, colours), bert, folder / f"{size}-{colours}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
