"""Shared steps of tests about rooms and their members."""

from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.person import Person
from tests.support.server import Account


def make(account: Account, name: str = "", **more: Any) -> int:
    """Create a room over REST; return its id."""
    answer = account.request("POST", "/api/rooms", json={**({"name": name} if name else {}), **more})
    assert answer.status_code == 201, answer.text
    room: int = answer.json()["room"]["id"]
    return room


def listed(person: Person, group: str) -> Locator:
    return person.page.get_by_role("navigation").get_by_role("list", name=group)


def menu(person: Person, item: str) -> Page:
    person.page.get_by_role("button", name="Room menu").click()
    person.page.get_by_role("menuitem", name=item).click()
    return person.page


def pick(page: Page, label: str, *names: str) -> None:
    """Choose people by typing their names."""
    for name in names:
        page.get_by_label(label, exact=True).fill(name)
        page.keyboard.press("Enter")
        expect(page.get_by_role("list", name="Selected people")).to_contain_text(name)
