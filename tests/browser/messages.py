"""Two users who talk in rooms over REST, and how to reach their messages and menus."""

from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser.person import Person
from tests.support.server import Account, Server


class World:
    """A server with Ann, who owns the rooms, and Ben, who joins them."""

    def __init__(self, server: Server, ann: Account, ben: Account) -> None:
        self.server = server
        self.ann = ann
        self.ben = ben
        self._keys = 0

    def room(self, name: str, **more: Any) -> int:
        room: int = self.post(self.ann, "/api/rooms", kind="public", name=name, **more)["room"]["id"]
        self.ben.join(room)
        return room

    def say(self, who: Account, room: int, body: str, **more: Any) -> int:
        self._keys += 1
        seq: int = self.post(who, f"/api/rooms/{room}/messages", key=f"key {self._keys}", body=body, **more)["seq"]
        return seq

    def delete(self, who: Account, room: int, seq: int) -> None:
        answer = who.request("DELETE", f"/api/rooms/{room}/messages/{seq}")
        assert answer.is_success, answer.text

    def post(self, who: Account, path: str, **body: Any) -> Any:
        answer = who.request("POST", path, json=body)
        assert answer.is_success, answer.text
        return answer.json()


def message(person: Person, text: str) -> Locator:
    return person.log.locator("article", has=person.page.locator(".body", has_text=text)).last


def focused(person: Person) -> Locator:
    return person.page.locator(".timeline-row > article:focus")


def go_to(person: Person, text: str) -> Locator:
    """Move the focus by keyboard from the composer up to this message."""
    keys = person.page.keyboard
    expect(person.log.locator("article[tabindex='0']")).to_have_count(1)
    for _ in range(4):
        if focused(person).count():
            break
        keys.press("Shift+Tab")
    keys.press("End")
    for _ in range(12):
        if text in "".join(focused(person).locator(".body").all_text_contents()):
            return focused(person)
        keys.press("ArrowUp")
    raise AssertionError(f"no message has the text {text!r}")


def menu(person: Person) -> Locator:
    return person.page.get_by_role("menu", name="Message menu")


def offered(person: Person, text: str) -> list[str]:
    """Open a message's menu by right click, close it, and return its items."""
    message(person, text).click(button="right")
    expect(menu(person)).to_be_visible()
    items = [item.split("\n")[0] for item in menu(person).locator(".item").all_inner_texts()]
    person.page.keyboard.press("Escape")
    expect(menu(person)).to_have_count(0)
    return items
