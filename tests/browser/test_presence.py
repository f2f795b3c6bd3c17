"""Presence, typing and statuses in real windows."""

import re
from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser import axe
from tests.browser.conftest import OpenWindow
from tests.browser.cuttable_proxy import CuttableProxy
from tests.browser.person import Person
from tests.support.server import Account, Server

# A user counts as offline only five seconds after the last connection ended.
GONE = 20_000


def direct(one: Account, other: Account) -> None:
    answer = one.request("POST", "/api/rooms", json={"kind": "direct", "members": [other.id]})
    assert answer.status_code == 201, answer.text


def status_of(account: Account) -> dict[str, Any]:
    found: dict[str, Any] = account.get("/api/presence", user=account.id)["presences"][0]
    return found


def own(person: Person) -> Locator:
    """The user's own entry at the end of the list, which shows their presence."""
    return person.page.get_by_role("navigation").locator("button[aria-haspopup=menu]", has_text=person.name)


def row(person: Person, name: str) -> Locator:
    return person.page.get_by_role("complementary", name="People").get_by_role("listitem").filter(has_text=name)


def another_tab(person: Person) -> Person:
    tab = Person(person.server, person.page.context.new_page())
    tab.name = person.name
    return tab.open().is_in()


def choose(person: Person, letter: str, item: str) -> None:
    """Choose an item of the user's own menu by its keys."""
    keys, items = person.page.keyboard, person.page.locator("[role^=menuitem]:visible")
    own(person).focus()
    keys.press("Enter")
    expect(items.first).to_be_focused()
    keys.press(letter)
    expect(items.filter(has_text=item)).to_be_focused()
    keys.press("Enter")
    expect(items).to_have_count(0)


def changes_at_the_message(who: Person, reader: Person, text: str) -> None:
    """Check that the author's presence shows at their message and updates."""
    author = reader.log.locator("article", has_text=text).locator("header")
    expect(author).to_contain_text(f"{who.name}, online")
    choose(who, "d", "Do not disturb")
    expect(author).to_contain_text(f"{who.name}, do not disturb")
    choose(who, "o", "Online")
    expect(author).to_contain_text(f"{who.name}, online")


def test_typing_shows_until_the_message_is_sent(server: Server, open_window: OpenWindow) -> None:
    accounts = [server.sign_up(name) for name in ("ann", "bob", "cleo")]
    room = accounts[0].create_room(f"Study of {accounts[0].name}")
    for account in accounts[1:]:
        account.join(room)
    ann, bob, cleo = (open_window().log_in(account.name).open_room("Study of") for account in accounts)
    line = bob.page.locator(".writing > p").first
    box = bob.composer.bounding_box()
    ann.composer.press_sequentially("he")
    expect(line).to_have_text(f"{ann.name} is typing…")
    expect(bob.page.get_by_role("status").filter(has_text="typing")).to_have_text(f"{ann.name} is typing…")
    cleo.composer.press_sequentially("me")
    expect(line).to_have_text(re.compile(f"({ann.name} and )?{cleo.name} (is|are) typing…"))
    assert bob.composer.bounding_box() == box
    expect(cleo.page.locator(".writing > p").first).not_to_contain_text(cleo.name)
    ann.say("here I am")
    bob.sees("here I am")
    expect(line).not_to_contain_text(ann.name)
    changes_at_the_message(ann, bob, "here I am")
    # A user who stops typing no longer shows as typing.
    expect(line).to_be_empty(timeout=GONE)

    # Neither clearing a draft nor editing an old message sends typing.
    sent: list[str] = []
    ann.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    ann.page.reload()
    ann.is_in().sees("here I am")
    ann.composer.press("ArrowUp")
    expect(ann.composer).to_have_value("here I am")
    ann.say("here I am, again")
    bob.sees("here I am, again")
    expect(ann.composer).to_have_value("")
    assert sent
    assert not [frame for frame in sent if '"typing"' in frame]
    ann.composer.press_sequentially("x")
    expect(line).to_have_text(f"{ann.name} is typing…")
    assert len([frame for frame in sent if '"typing"' in frame]) == 1


def say_something(person: Person) -> None:
    """Set a status text with an emoji for one hour."""
    page = person.page
    choose(person, "s", "Set a status…")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Status")).to_be_focused()
    page.keyboard.type("Lunch <b>")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Search emoji")).to_be_focused()
    page.keyboard.type("spaghetti")
    expect(page.get_by_role("listbox").get_by_role("option").first).to_contain_text("🍝")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("button", name="Emoji: 🍝")).to_be_focused()
    dialog.get_by_label("Clear after").select_option("1 hour")
    expect(dialog).to_contain_text("then online again")
    axe.check(page)
    dialog.get_by_role("button", name="Save").press("Enter")
    expect(dialog).to_have_count(0)


def test_presence_and_status_can_be_set_by_keyboard(server: Server, open_window: OpenWindow) -> None:
    ann_account, bob_account = server.sign_up("ann"), server.sign_up("bob")
    direct(ann_account, bob_account)
    ann, bob = (open_window().log_in(account.name) for account in (ann_account, bob_account))
    second, page = another_tab(ann), ann.page
    expect(bob.room(ann.name)).to_contain_text(", online")
    expect(row(bob, ann.name)).to_contain_text(", online")

    own(ann).press("ArrowDown")
    axe.check(page, "nav")
    page.keyboard.press("Escape")
    choose(ann, "d", "Do not disturb")
    for who in (bob.room(ann.name), row(bob, ann.name), own(ann), own(second)):
        expect(who).to_contain_text("do not disturb")
    expect(own(ann)).to_be_focused()
    bob.open_room(ann.name)
    expect(bob.page.locator("main > header")).to_contain_text("do not disturb")

    say_something(ann)
    for who in (bob.room(ann.name), own(ann), own(second)):
        expect(who).to_contain_text("🍝 Lunch <b>")
    expect(bob.page.locator("main > header")).to_contain_text("🍝 Lunch <b>, until")
    expect(own(second)).to_contain_text("until")
    assert status_of(ann_account)["status"] == "dnd"
    page.reload()
    expect(own(ann.is_in())).to_contain_text("🍝 Lunch <b>")
    expect(own(ann)).to_contain_text("do not disturb")

    # An invisible user appears offline to all others.
    choose(ann, "i", "Invisible")
    expect(own(second)).to_contain_text("invisible")
    expect(bob.room(ann.name)).to_contain_text(", offline")
    expect(bob.room(ann.name)).not_to_contain_text("🍝")
    own(ann).press("Enter")
    page.get_by_role("menuitem", name="Clear status").press("Enter")
    expect(own(second)).to_contain_text("Invisible to others")
    expect(own(second)).not_to_contain_text("Lunch")
    choose(ann, "o", "Online")
    expect(bob.room(ann.name)).to_contain_text(", online")


def test_an_inactive_user_is_away_until_the_next_key(server: Server, open_window: OpenWindow) -> None:
    ann_account, bob_account = server.sign_up("ann"), server.sign_up("bob")
    direct(ann_account, bob_account)
    bob, window = open_window().log_in(bob_account.name), open_window()
    window.page.clock.install()
    ann = window.log_in(ann_account.name)
    expect(bob.room(ann.name)).to_contain_text(", online")
    ann.page.clock.fast_forward("05:01")
    expect(bob.room(ann.name)).to_contain_text(", away")
    ann.page.keyboard.press("Shift")
    expect(bob.room(ann.name)).to_contain_text(", online")


def test_a_disconnected_user_shows_as_offline_and_sees_current_presence_after_reconnecting(
    server: Server, open_window: OpenWindow
) -> None:
    ann_account, bob_account = server.sign_up("ann"), server.sign_up("bob")
    direct(ann_account, bob_account)
    with CuttableProxy(server) as proxy:
        bob, ann = open_window().log_in(bob_account.name), open_window()
        ann.address, ann.may_be_offline = proxy.url, True
        ann.log_in(ann_account.name)
        expect(ann.room(bob.name)).to_contain_text(", online")
        expect(bob.room(ann.name)).to_contain_text(", online")
        proxy.cut()
        # While offline the window shows no presence of others, and typing is not sent.
        expect(ann.room(bob.name)).not_to_contain_text("online")
        ann.composer.press_sequentially("anyone there")
        expect(bob.room(ann.name)).to_contain_text(", offline", timeout=GONE)
        assert bob_account.request("PUT", "/api/users/me/status", json={"status": "away"}).status_code == 200
        proxy.mend()
        ann.page.evaluate("dispatchEvent(new Event('online'))")
        expect(ann.room(bob.name)).to_contain_text(", away", timeout=GONE)
        expect(bob.room(ann.name)).to_contain_text(", online")
        assert bob_account.request("PUT", "/api/users/me/status", json={"status": "dnd"}).status_code == 200
        expect(ann.room(bob.name)).to_contain_text(", do not disturb")
