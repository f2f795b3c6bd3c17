"""No text is lost without a question: drafts, pending messages, refused messages."""

import re

import pytest
from playwright.sync_api import Locator, WebSocketRoute, expect

from tests.browser import axe
from tests.browser.browser_storage import stored_text
from tests.browser.conftest import OpenWindow
from tests.browser.person import Person
from tests.browser.rooms import listed, make, menu
from tests.support.server import PASSWORD, Account, Server

REFUSE_STORAGE = """() => {
    Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };
}"""


@pytest.fixture
def account(server: Server) -> Account:
    return server.sign_up("ann")


@pytest.fixture
def ann(account: Account, open_window: OpenWindow) -> Person:
    """Ann in the lobby; she also has an Attic and a Barn."""
    for name in ("Attic", "Barn"):
        make(account, f"{name} of {account.name}", kind="private")
    window = open_window()
    window.may_be_offline = True
    return window.log_in(account.name)


def draft(person: Person, room: str, text: str) -> None:
    person.open_room(room)
    person.composer.fill(text)


def without_sends(browser: WebSocketRoute) -> None:
    """Drop messages before they reach the server."""
    server = browser.connect_to_server()

    def pass_on(frame: str | bytes) -> None:
        if '"message.send"' not in str(frame):
            server.send(frame)

    browser.on_message(pass_on)


def log_out(person: Person) -> Locator:
    person.open_account().get_by_role("button", name="Log out").click()
    return person.page.get_by_role("alertdialog")


def id_of(account: Account, room: str) -> int:
    rooms = account.get("/api/rooms", limit=100)["rooms"]
    found: int = next(room_["id"] for room_ in rooms if room_["name"].startswith(room))
    return found


def refuse(person: Person, account: Account, room: str, text: str) -> None:
    """Store a refused message, as the browser does until its author decides."""
    failed = {
        "key": f"key of {text}",
        "room": id_of(account, room),
        "body": text,
        "at": 1,
        "status": "failed",
        "error": {"code": "forbidden", "message": "This message is refused."},
    }
    place = f"hubbub:/:outbox.{account.id}.{failed['key']}"
    person.page.evaluate("([place, failed]) => localStorage.setItem(place, JSON.stringify(failed))", [place, failed])
    person.page.reload()
    person.open_room(room)


def order(person: Person, group: str) -> list[str]:
    return [text.split(",")[0].strip() for text in listed(person, group).get_by_role("button").all_inner_texts()]


def test_logging_out_with_drafts_and_unsent_messages_asks_with_their_count(ann: Person, account: Account) -> None:
    draft(ann, "Attic", "the first half of a thought")
    draft(ann, "Barn", "a second one")
    ann.open_room("Lobby")
    ann.page.route_web_socket(re.compile("/ws"), without_sends)
    ann.page.reload()
    ann.page.get_by_label("Message to Lobby").fill("on its way")
    ann.composer.press("Enter")
    expect(ann.pending()).to_have_count(1)

    asked = log_out(ann)
    expect(asked).to_contain_text("You have 2 drafts and 1 unsent message. Logging out deletes them.")
    expect(asked).to_contain_text("the first half of a thought")
    expect(asked.get_by_role("button", name="Stay logged in")).to_be_focused()
    axe.check(ann.page)
    asked.get_by_role("button", name="Stay logged in").click()
    expect(asked).to_have_count(0)
    assert "a second one" in stored_text(ann)

    ann.page.keyboard.press("Escape")
    log_out(ann).get_by_role("button", name="Log out and delete").click()
    ann.is_out()
    for text in ("thought", "second", "on its way"):
        assert text not in stored_text(ann)


def test_logging_out_with_nothing_unsent_does_not_ask(ann: Person) -> None:
    draft(ann, "Attic", "sent in the end")
    ann.composer.press("Enter")
    ann.sees("sent in the end")
    ann.open_account().get_by_role("button", name="Log out").click()
    ann.is_out()


def test_logging_out_counts_what_another_tab_holds_and_an_edit(ann: Person) -> None:
    ann.open_room("Attic").say("to be changed")
    ann.sees("to be changed")
    tab = Person(ann.server, ann.page.context.new_page())
    tab.open().is_in()
    draft(tab, "Barn", "in the other tab")
    ann.composer.press("ArrowUp")
    ann.composer.fill("changed, not saved")
    asked = log_out(ann)
    expect(asked).to_contain_text("You have 2 drafts. Logging out deletes them.")
    assert not tab.complaints()


def test_a_failed_message_counts_and_one_text_is_named_in_the_singular(ann: Person, account: Account) -> None:
    refuse(ann, account, "Attic", "refused for good")
    asked = log_out(ann)
    expect(asked).to_contain_text("You have 1 failed message. Logging out deletes it.")


def test_deleting_the_account_names_what_goes_with_it(ann: Person) -> None:
    draft(ann, "Attic", "not to be forgotten")
    dialog = ann.open_account()
    dialog.locator("summary", has_text="Delete account").click()
    expect(dialog).to_contain_text("You have 1 draft. Deleting the account deletes it.")


def test_rooms_with_drafts_and_failed_messages_are_marked_and_come_first(ann: Person, account: Account) -> None:
    barn = ann.room("Barn")
    expect(ann.room("Attic")).to_be_visible()
    assert [name.split()[0] for name in order(ann, "Rooms")] == ["Lobby", "Attic", "Barn"]
    draft(ann, "Barn", "begun")
    # The row does not move and has no mark while she writes in its room: she sees the text.
    expect(barn).not_to_contain_text("draft")
    assert [name.split()[0] for name in order(ann, "Rooms")] == ["Lobby", "Attic", "Barn"]
    ann.open_room("Lobby")
    expect(barn).to_contain_text("draft")
    expect(listed(ann, "Rooms").get_by_role("button").first).to_contain_text("Barn")
    ann.page.reload()
    expect(ann.is_in().room("Barn")).to_contain_text("draft")

    ann.open_room("Barn")
    ann.composer.fill("")
    ann.open_room("Lobby")
    expect(barn).not_to_contain_text("draft")
    assert [name.split()[0] for name in order(ann, "Rooms")] == ["Lobby", "Attic", "Barn"]

    refuse(ann, account, "Barn", "refused")
    ann.open_room("Lobby")
    expect(ann.room("Barn")).to_contain_text("1 failed message")
    expect(listed(ann, "Rooms").get_by_role("button").first).to_contain_text("Barn")
    axe.check(ann.page)


def test_an_archived_room_with_a_draft_is_not_folded_away_and_shows_the_text(ann: Person, account: Account) -> None:
    draft(ann, "Barn", "too late for this room")
    ann.open_room("Lobby")
    assert account.request("POST", f"/api/rooms/{id_of(account, 'Barn')}/archive").is_success
    expect(ann.room("Barn")).to_contain_text("archived")
    expect(ann.room("Barn")).to_be_visible()
    expect(ann.room("Barn")).to_contain_text("draft")
    ann.open_room("Barn")
    expect(ann.page.get_by_role("region", name="Not sent")).to_contain_text("too late for this room")
    ann.page.get_by_role("button", name="Discard").click()
    ann.open_room("Lobby")
    expect(ann.page.get_by_text("Archived · 1")).to_be_visible()
    expect(ann.room("Barn")).not_to_be_visible()


def test_an_archived_room_with_a_failed_message_is_not_folded_away(ann: Person, account: Account) -> None:
    refuse(ann, account, "Barn", "refused")
    ann.open_room("Lobby")
    assert account.request("POST", f"/api/rooms/{id_of(account, 'Barn')}/archive").is_success
    expect(ann.room("Barn")).to_contain_text("archived")
    expect(ann.room("Barn")).to_contain_text("1 failed message")
    expect(ann.room("Barn")).to_be_visible()


def test_a_draft_in_a_room_that_the_user_leaves_stays_in_the_list(
    ann: Person, account: Account, server: Server
) -> None:
    owner = server.sign_up("owner")
    name = f"Cave of {owner.name}"
    make(owner, name, kind="private", members=[account.id])
    draft(ann, name, "to take along")
    menu(ann, "Leave this room")
    dialog = ann.page.get_by_role("alertdialog")
    expect(dialog).to_contain_text("Your draft stays in this browser")
    dialog.get_by_role("button", name="Leave").click()
    left = listed(ann, "Drafts in rooms you left").get_by_role("button")
    expect(left).to_contain_text(name)
    expect(ann.page.get_by_role("heading", level=2, name=name)).to_have_count(0)  # The page has gone to another room.
    expect(ann.composer).to_be_visible()
    ann.page.reload()
    ann.is_in()
    expect(left).to_have_count(1)
    left.click()
    expect(ann.page.get_by_role("region", name="Not sent")).to_contain_text("to take along")
    ann.page.get_by_role("button", name="Discard").click()
    expect(left).to_have_count(0)


def test_a_draft_in_a_room_that_the_user_was_removed_from_is_offered(
    ann: Person, account: Account, server: Server
) -> None:
    owner = server.sign_up("owner")
    name = f"Cave of {owner.name}"
    cave = make(owner, name, kind="private", members=[account.id])
    draft(ann, name, "thrown out with me")
    ann.open_room("Lobby")
    assert owner.request("DELETE", f"/api/rooms/{cave}/members/{account.id}").is_success
    expect(ann.page.get_by_text("You were removed from")).to_be_visible()
    ann.page.get_by_role("button", name="View draft").click()
    expect(ann.page.get_by_role("region", name="Not sent")).to_contain_text("thrown out with me")


def test_text_that_the_browser_cannot_store_is_kept_in_the_page_which_asks_before_closing(ann: Person) -> None:
    ann.page.evaluate(REFUSE_STORAGE)
    draft(ann, "Attic", "only in memory")
    ann.open_room("Lobby")
    expect(ann.room("Attic")).to_contain_text("draft")
    ann.open_room("Attic")
    expect(ann.composer).to_have_value("only in memory")
    asked: list[str] = []
    ann.page.on("dialog", lambda dialog: asked.append(dialog.type))
    # Browsers ask only after the user has interacted with the page.
    ann.composer.press("End")
    ann.page.reload()
    assert asked == ["beforeunload"]


def test_text_that_the_browser_stores_closes_without_a_question(ann: Person) -> None:
    draft(ann, "Attic", "stored")
    asked: list[str] = []
    ann.page.on("dialog", lambda dialog: asked.append(dialog.type))
    ann.composer.press("End")
    ann.page.reload()
    ann.is_in()
    assert asked == []
    expect(ann.composer).to_have_value("stored")


def test_text_that_the_browser_cannot_store_survives_a_log_out_in_another_tab(ann: Person) -> None:
    ann.page.evaluate(REFUSE_STORAGE)
    draft(ann, "Attic", "only in memory")
    tab = Person(ann.server, ann.page.context.new_page())
    tab.open().is_in()
    tab.open_account().get_by_role("button", name="Log out").click()
    ann.is_out()
    ann.sign_in(ann.name)
    ann.is_in()
    ann.open_room("Attic")
    expect(ann.composer).to_have_value("only in memory")


def test_text_of_another_account_stays_until_a_user_deletes_it(ann: Person, server: Server) -> None:
    draft(ann, "Attic", "of the first account")
    name = ann.name
    ann.page.context.clear_cookies()
    ann.open().is_out()
    second = server.sign_up("ben").name
    ann.sign_in(second)
    ann.is_in()
    notice = ann.page.get_by_role("status").filter(has_text="Another account left unsent text in this browser")
    expect(notice).to_be_visible()
    assert "of the first account" not in ann.page.locator("body").inner_text()
    notice.get_by_role("button", name="Keep").click()
    expect(notice).to_have_count(0)
    # The second account has no text: it logs out without a question and leaves the other's text
    # alone.
    ann.open_account().get_by_role("button", name="Log out").click()
    ann.is_out()
    ann.sign_in(name)
    ann.is_in().open_room("Attic")
    expect(ann.composer).to_have_value("of the first account")

    ann.page.context.clear_cookies()
    ann.open().is_out()
    ann.sign_in(second)
    ann.is_in()
    notice.get_by_role("button", name="Delete").click()
    expect(notice).to_have_count(0)
    assert "of the first account" not in stored_text(ann)


def test_a_session_ended_from_elsewhere_keeps_unsent_text(ann: Person, open_window: OpenWindow) -> None:
    draft(ann, "Attic", "still here afterwards")
    elsewhere = open_window().log_in(ann.name)
    dialog = elsewhere.open_account()
    dialog.locator("summary", has_text="Change password").click()
    dialog.get_by_label("Current password").fill(PASSWORD)
    dialog.get_by_label("New password").fill(PASSWORD + " 2")
    dialog.get_by_role("button", name="Change password").click()
    ann.is_out()
    expect(ann.page.get_by_text("Your unsent messages are still in this browser")).to_be_visible()
    ann.sign_in(ann.name, PASSWORD + " 2")
    ann.is_in()
    ann.open_room("Attic")
    expect(ann.composer).to_have_value("still here afterwards")
