"""Unread messages and mentions in real windows.

They are counted, equal in all windows, and can be marked as read and unread.
"""

import re
import uuid

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import axe
from tests.browser.conftest import OpenWindow
from tests.browser.person import Person
from tests.support.server import Account, Server

CALLED = re.compile("icon-called")
UNREAD = re.compile("icon-unread")
NOTHING_NEW = re.compile(r"icon-(?!called|unread)")


@pytest.fixture(scope="module")
def bob(server: Server) -> Account:
    return server.sign_up("bob")


def say(account: Account, room: int, *bodies: str) -> None:
    for body in bodies:
        answer = account.request("POST", f"/api/rooms/{room}/messages", json={"body": body, "key": uuid.uuid4().hex})
        assert answer.status_code < 300, answer.text


def rooms_of(owner: Account, guest: Account, *names: str) -> list[int]:
    """Create public rooms of the owner that both users are in."""
    made = [owner.create_room(f"{name} of {owner.name}") for name in names]
    for room in made:
        guest.join(room)
    return made


def sign(person: Person) -> Locator:
    return person.page.locator("link[rel=icon]")


def another_tab(person: Person) -> Person:
    tab = Person(person.server, person.page.context.new_page())
    tab.name = person.name
    return tab.open().is_in()


def test_unread_counts_appear_in_all_windows_and_a_muted_room_only_shows_mentions(
    server: Server, open_window: OpenWindow, bob: Account
) -> None:
    account = server.sign_up("ann")
    attic, barn = rooms_of(account, bob, "Attic", "Barn")
    assert account.request("PATCH", f"/api/rooms/{barn}/preferences", json={"muted": True}).status_code == 200
    here = open_window().log_in(account.name)
    there = another_tab(here)
    tabs = (here, there)
    expect(sign(here)).to_have_attribute("href", NOTHING_NEW)

    say(bob, barn, "a", "b", "c")
    say(bob, attic, "one", "two")
    for tab in tabs:
        expect(tab.room("Attic")).to_contain_text("2 unread")
        expect(tab.room("Barn")).to_contain_text("3 unread")
        expect(tab.page).to_have_title(re.compile(r"^\(2\) "))
        expect(sign(tab)).to_have_attribute("href", UNREAD)
    say(bob, barn, f"hello @{account.name}")
    for tab in tabs:
        expect(tab.room("Barn")).to_contain_text("1 mention")
        expect(tab.page).to_have_title(re.compile(r"^\(3\) "))
        expect(sign(tab)).to_have_attribute("href", CALLED)
    axe.check(here.page)

    # By keyboard: to the next unread room, around the list.
    here.page.keyboard.press("Alt+Shift+ArrowUp")
    expect(here.page.get_by_role("heading", level=2, name="Barn")).to_be_visible()
    here.sees("c")
    expect(there.room("Barn")).not_to_contain_text("unread")
    here.page.keyboard.press("Alt+Shift+ArrowDown")
    expect(here.page.get_by_role("heading", level=2, name="Attic")).to_be_visible()
    for tab in tabs:
        expect(tab.page).to_have_title(re.compile(r"^(?!\()"))
        expect(sign(tab)).to_have_attribute("href", NOTHING_NEW)
    # Nothing is unread: the keys do nothing.
    here.page.keyboard.press("Alt+Shift+ArrowDown")
    expect(here.page.get_by_role("heading", level=2, name="Attic")).to_be_visible()
    there.page.reload()
    expect(there.is_in().room("Barn")).not_to_contain_text("unread")


def test_a_message_marked_as_unread_stays_unread_until_the_user_leaves_the_room(
    server: Server, open_window: OpenWindow, bob: Account
) -> None:
    account = server.sign_up("ann")
    (cave,) = rooms_of(account, bob, "Cave")
    say(bob, cave, "first", "second", "third")
    here = open_window().log_in(account.name).open_room("Cave")
    there = another_tab(here)
    expect(there.room("Cave")).not_to_contain_text("unread")

    # By keyboard: up from the newest to the second message, then the key for "unread".
    here.log.get_by_text("third", exact=True).locator("xpath=ancestor::article").focus()
    here.page.keyboard.press("ArrowUp")
    here.page.keyboard.press("u")
    for tab in (here, there):
        expect(tab.room("Cave")).to_contain_text("2 unread")
    expect(here.log.get_by_role("separator").filter(has_text="New since")).to_be_visible()
    # It stays unread while the user looks at new messages: those are not read either.
    say(bob, cave, "fourth")
    here.sees("fourth")
    here.page.mouse.wheel(0, 400)
    expect(there.room("Cave")).to_contain_text("3 unread")
    expect(here.room("Cave")).to_contain_text("3 unread")
    rooms = account.get("/api/rooms", limit=100)["rooms"]
    assert next(room for room in rooms if room["id"] == cave)["unread_count"] == 3

    here.open_room("Lobby")
    expect(here.room("Cave")).to_contain_text("3 unread")
    here.open_room("Cave")
    expect(there.room("Cave")).not_to_contain_text("unread")

    # The same by mouse; Escape undoes it.
    message = here.log.locator("article", has_text="third")
    message.click(button="right")
    here.page.get_by_role("menuitem", name="Mark as unread").click()
    expect(there.room("Cave")).to_contain_text("2 unread")
    here.composer.press("Escape")
    for tab in (here, there):
        expect(tab.room("Cave")).not_to_contain_text("unread")


def test_marking_everything_as_read_can_be_undone(server: Server, open_window: OpenWindow, bob: Account) -> None:
    account = server.sign_up("ann")
    dale, edge = rooms_of(account, bob, "Dale", "Edge")
    say(bob, dale, "one", f"two @{account.name}")
    say(bob, edge, "three")
    here = open_window().log_in(account.name)
    there = another_tab(here)

    def waits(is_so: bool) -> None:
        for tab in (here, there):
            if is_so:
                expect(tab.room("Dale")).to_contain_text("1 mention")
                expect(tab.room("Dale")).to_contain_text("2 unread")
                expect(tab.room("Edge")).to_contain_text("1 unread")
            else:
                expect(tab.room("Dale")).not_to_contain_text("unread")
                expect(tab.room("Edge")).not_to_contain_text("unread")

    waits(True)
    here.composer.press("Shift+Escape")
    waits(False)
    undo = here.page.get_by_role("button", name="Undo")
    expect(undo).to_be_visible()
    axe.check(here.page)
    expect(here.composer).to_be_focused()
    here.page.keyboard.press("Shift+Escape")
    waits(True)
    expect(undo).to_have_count(0)

    # By its button: the focus moves to Undo, and in the end to the composer.
    here.page.get_by_role("button", name="Mark everything as read").focus()
    here.page.keyboard.press("Enter")
    expect(undo).to_be_focused()
    waits(False)
    here.page.keyboard.press("Enter")
    waits(True)
    expect(undo).to_have_count(0)
    expect(here.composer).to_be_focused()
