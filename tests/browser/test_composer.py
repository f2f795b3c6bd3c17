"""The composer in real Chromium.

Users write by mouse, by keyboard, with an input method, and in two windows. No text is lost.
"""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import axe
from tests.browser.conftest import OpenWindow
from tests.browser.messages import message
from tests.browser.person import Person
from tests.support.server import Account, Server

COMPOSER = "form:has(#composer)"


@pytest.fixture(scope="module")
def ben(server: Server) -> Account:
    return server.sign_up("benedikt")


@pytest.fixture
def ann(server: Server, ben: Account, open_window: OpenWindow) -> Person:
    """Ann in a room of her own, with Ben."""
    account = server.sign_up("ann")
    ben.join(account.create_room(f"Study of {account.name}"))
    return open_window().log_in(account.name).open_room(f"Study of {account.name}")


def suggestions(person: Person) -> Locator:
    return person.page.get_by_role("listbox", name="Suggestions")


def picker(person: Person) -> Locator:
    return person.page.get_by_role("dialog", name="Emoji")


def another_window(person: Person) -> Person:
    """Open another tab of the same browser in the same room."""
    second = Person(person.server, person.page.context.new_page())
    return second.open(person.page.url).is_in()


def test_names_and_emoji_are_completed_by_keyboard(ann: Person, ben: Account) -> None:
    keys = ann.page.keyboard
    keys.type("hello @bene")
    expect(suggestions(ann).get_by_role("option")).to_have_text([re.compile(ben.name)])
    axe.check(ann.page, COMPOSER)
    keys.press("Enter")
    expect(ann.composer).to_have_value(f"hello @{ben.name} ")
    keys.type("and @")
    expect(suggestions(ann).get_by_role("option")).to_have_count(3)
    chosen = suggestions(ann).get_by_role("option", selected=True)
    expect(chosen).to_contain_text(ben.name)
    keys.press("ArrowDown")
    expect(chosen).to_contain_text("@room")
    active = ann.composer.get_attribute("aria-activedescendant")
    assert active == chosen.get_attribute("id")
    keys.press("ArrowUp")
    keys.press("ArrowUp")
    keys.press("Tab")
    expect(ann.composer).to_have_value(f"hello @{ben.name} and @here ")
    keys.type(":tad")
    expect(suggestions(ann).get_by_role("option", name=":tada:")).to_be_visible()
    keys.press("Escape")
    expect(suggestions(ann)).to_have_count(0)
    keys.type("a")
    expect(suggestions(ann)).to_have_count(0)
    keys.type(": :rocke")
    expect(suggestions(ann).get_by_role("option", name=":rocket:")).to_be_visible()
    keys.press("Tab")
    keys.press("Enter")
    ann.sees(f"hello @{ben.name} and @here 🎉 🚀")
    expect(ann.composer).to_have_value("")
    expect(ann.composer).to_be_focused()


def test_the_last_message_can_be_edited_and_a_failed_edit_keeps_its_text(ann: Person) -> None:
    ann.say("frist")
    ann.sees("frist")
    keys = ann.page.keyboard
    keys.press("ArrowUp")
    expect(ann.composer).to_have_value("frist")
    expect(ann.page.get_by_role("button", name="Cancel editing")).to_be_visible()
    keys.press("Escape")
    expect(ann.composer).to_have_value("")
    keys.press("ArrowUp")
    ann.composer.fill("first")
    ann.may_be_offline = True
    ann.page.route("**/messages/*", lambda route: route.abort())
    keys.press("Enter")
    expect(ann.page.get_by_text("Can't reach the server")).to_be_visible()
    expect(ann.composer).to_have_value("first")
    # The edit even survives a reload of the page.
    ann.page.reload()
    ann.is_in()
    expect(ann.composer).to_have_value("first")
    axe.check(ann.page, COMPOSER)
    ann.page.unroute("**/messages/*")
    ann.page.get_by_role("button", name="Save").click()
    expect(ann.composer).to_have_value("")
    ann.sees("first")
    # A refused message returns to the composer.
    ann.say("\u0085")
    ann.log.locator("article.failed").get_by_role("button", name="Edit").click()
    expect(ann.composer).to_have_value("\u0085")
    expect(ann.log.locator("article.failed")).to_have_count(0)


def test_an_unsaved_edit_survives_a_reply_and_the_deletion_of_its_message(
    ann: Person, ben: Account, server: Server
) -> None:
    for text in ("first", "second"):
        ann.say(text)
        ann.sees(text)
    keys = ann.page.keyboard
    keys.press("ArrowUp")
    ann.composer.fill("second, but better")
    message(ann, "first").hover()
    ann.page.get_by_role("button", name="Reply").click()
    expect(ann.composer).to_have_value("")
    kept = ann.page.get_by_text("Unsaved edit: second, but better")
    expect(kept).to_be_visible()
    axe.check(ann.page, COMPOSER)
    ann.page.get_by_role("button", name="Continue").click()
    expect(ann.composer).to_have_value("second, but better")
    expect(kept).to_have_count(0)
    # The message is deleted during the edit: the text can become a new message.
    account = server.log_in(ann.name)
    room = int(ann.page.url.rsplit("/", 1)[1])
    theirs = {said["body"]: said["seq"] for said in account.history(room)}
    assert account.request("DELETE", f"/api/rooms/{room}/messages/{theirs['second']}").is_success
    expect(ann.page.get_by_text("The message you are editing was deleted.")).to_be_visible()
    ann.page.get_by_role("button", name="Keep as new message").click()
    keys.press("Enter")
    ann.sees("second, but better")
    # An empty edit asks whether to delete the message.
    keys.press("ArrowUp")
    ann.composer.fill("")
    keys.press("Enter")
    dialog = ann.page.get_by_role("alertdialog")
    dialog.get_by_role("button", name="Delete").click()
    expect(ann.page.get_by_text("Message deleted")).to_have_count(2)
    expect(ann.page.get_by_role("button", name="Cancel editing")).to_have_count(0)
    expect(ann.composer).to_have_value("")


def test_a_refused_message_in_an_archived_room_can_be_copied(ann: Person, server: Server) -> None:
    account, room = server.log_in(ann.name), int(ann.page.url.rsplit("/", 1)[1])
    ann.say("\u0085")
    refused = ann.log.locator("article.failed")
    expect(refused.get_by_role("button", name="Edit")).to_be_visible()
    assert account.request("POST", f"/api/rooms/{room}/archive").is_success
    expect(refused.get_by_role("button", name="Copy")).to_be_visible()
    expect(refused.get_by_role("button", name="Edit")).to_have_count(0)


def test_an_input_method_keeps_its_keys(ann: Person) -> None:
    page = ann.page
    page.evaluate("addEventListener('keydown', (event) => (window.composing = event.isComposing), true)")
    debugger = page.context.new_cdp_session(page)
    ann.composer.focus()
    debugger.send("Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3})
    expect(ann.composer).to_have_value("にほん")
    for key, code in (("ArrowUp", 38), ("Enter", 13)):
        pressed = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        debugger.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **pressed})
        debugger.send("Input.dispatchKeyEvent", {"type": "keyUp", **pressed})
    assert page.evaluate("window.composing") is True
    expect(ann.composer).to_have_value("にほん")
    expect(ann.log.locator("article")).to_have_count(0)
    debugger.send("Input.insertText", {"text": "日本"})
    expect(ann.composer).to_have_value("日本")
    page.keyboard.press("Enter")
    ann.sees("日本")


def test_two_windows_share_a_draft_and_neither_overwrites_the_other(ann: Person) -> None:
    second = another_window(ann)
    ann.composer.press_sequentially("begun here")
    expect(second.composer).to_have_value("begun here")
    second.composer.press_sequentially(", ended there")
    expect(ann.composer).to_have_value("begun here, ended there")
    # A window that receives no storage events, as a sleeping one, and edits anyway.
    silent = "addEventListener('storage', (event) => event.stopImmediatePropagation(), true)"
    third = Person(ann.server, ann.page.context.new_page())
    third.page.add_init_script(silent)
    third.open(ann.page.url).is_in()
    ann.composer.fill("something new")
    expect(second.composer).to_have_value("something new")
    third.composer.press_sequentially("!")
    expect(third.composer).to_have_value("begun here, ended there!")
    expect(third.page.get_by_text("Draft from another window: something new")).to_be_visible()
    third.page.get_by_role("button", name="Use this").click()
    expect(third.composer).to_have_value("something new")
    expect(third.page.get_by_text("Draft from another window: begun here, ended there!")).to_be_visible()
    third.composer.press("Enter")
    third.sees("something new")
    third.page.reload()
    third.is_in()
    expect(third.page.get_by_text("Draft from another window: begun here, ended there!")).to_be_visible()
    assert second.complaints() == third.complaints() == []


def test_emoji_are_picked_by_mouse(ann: Person) -> None:
    button = ann.page.get_by_role("button", name="Emoji")
    ann.composer.fill("ab")
    ann.composer.press("ArrowLeft")
    button.click()
    picker(ann).get_by_role("button", name="Animals and nature").click()
    expect(picker(ann).get_by_role("option", name="monkey face")).to_be_visible()
    axe.check(ann.page, COMPOSER)
    picker(ann).get_by_role("option", name="monkey face").click()
    expect(ann.composer).to_have_value("a🐵b")
    expect(picker(ann)).to_have_count(0)
    expect(ann.composer).to_be_focused()
    button.click()
    expect(picker(ann).get_by_role("option").first).to_have_accessible_name("monkey face")
    button.click()
    expect(picker(ann)).to_have_count(0)
    button.click()
    picker(ann).get_by_role("combobox").fill("no such thing")
    expect(picker(ann).get_by_text("No matching emoji")).to_be_visible()
    ann.page.get_by_role("heading", level=2, name="Study").click()
    expect(picker(ann)).to_have_count(0)


def test_emoji_are_found_by_keyboard(ann: Person) -> None:
    button = ann.page.get_by_role("button", name="Emoji")
    keys = ann.page.keyboard
    keys.press("Tab")
    expect(button).to_be_focused()
    keys.press("Enter")
    search = picker(ann).get_by_role("combobox", name="Search emoji")
    expect(search).to_be_focused()
    keys.type("party")
    first = picker(ann).get_by_role("option", selected=True)
    name = first.get_attribute("aria-label")
    keys.press("ArrowDown")
    expect(first).not_to_have_attribute("aria-label", name or "")
    keys.press("ArrowUp")
    expect(first).to_have_attribute("aria-label", name or "")
    assert search.get_attribute("aria-activedescendant") == first.get_attribute("id")
    keys.press("Shift+Tab")
    expect(picker(ann).get_by_role("button", name="Flags")).to_be_focused()
    keys.press("Tab")
    expect(search).to_be_focused()
    keys.press("Escape")
    expect(picker(ann)).to_have_count(0)
    expect(ann.composer).to_be_focused()
    keys.press("Tab")
    keys.press("Enter")
    expect(search).to_be_focused()
    keys.type("rocket")
    expect(first).to_have_accessible_name("rocket")
    keys.press("Enter")
    expect(ann.composer).to_have_value("🚀")


def test_the_composer_grows_to_a_limit_and_shows_how_much_text_is_too_long(ann: Person) -> None:
    assert height(ann.page) < 60
    ann.composer.fill("\n".join("line" for _ in range(4)))
    assert 100 < height(ann.page) < 160
    ann.composer.fill("\n".join("line" for _ in range(200)))
    assert height(ann.page) <= 760 * 0.38 + 1
    ann.composer.fill("")
    ann.page.keyboard.insert_text("x" * 20_000)
    expect(ann.page.get_by_text("Too long by 12,000 characters. Messages can have up to 8,000.")).to_be_visible()
    ann.page.keyboard.press("Enter")
    expect(ann.composer).to_have_value("x" * 20_000)
    axe.check(ann.page, COMPOSER)


def height(page: Page) -> float:
    box = page.locator("#composer").bounding_box()
    assert box is not None
    return box["height"]


def test_a_message_that_would_notify_many_people_is_asked_about(
    server: Server, ben: Account, open_window: OpenWindow
) -> None:
    """Only from twenty members on, only what really is a mention, and only once for an edit."""
    owner = server.sign_up("hall-owner")
    name = f"Hall of {owner.name}"
    room = owner.create_room(name)
    ben.join(room)
    for _ in range(17):
        server.sign_up("hall").join(room)
    ann = open_window().log_in(owner.name).open_room(name)
    asked = ann.page.get_by_role("alertdialog")
    ann.say("@room of 19")
    expect(ann.log).to_contain_text("@room of 19")
    server.sign_up("hall").join(room)
    ann.say("`@room` is no mention")
    expect(ann.log).to_contain_text("@room is no mention")
    ann.say("@room of 20")
    expect(asked).to_contain_text("Notify 19 people?")
    axe.check(ann.page, "[role=alertdialog]")
    ann.page.keyboard.press("Escape")
    expect(ann.composer).to_have_value("@room of 20")
    expect(ann.composer).to_be_focused()
    ann.page.keyboard.press("Enter")
    asked.get_by_role("button", name="Send").click()
    expect(ann.log).to_contain_text("@room of 20")
    expect(ann.composer).to_have_value("")
    expect(ann.composer).to_be_focused()
    ann.page.keyboard.press("ArrowUp")
    ann.composer.fill("@room of 20, corrected")
    ann.page.keyboard.press("Enter")
    expect(ann.log).to_contain_text("@room of 20, corrected")
    expect(asked).to_have_count(0)
