"""A whole session without a mouse.

Rooms, members and the account work by keyboard alone.
"""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.browser.keyboard import Keyboard
from tests.browser.person import Person
from tests.support.server import PASSWORD, Server


def test_control_unreachable_and_invisible_focus_stops_are_reported(server: Server, open_window: OpenWindow) -> None:
    ann = open_window().log_in(server.sign_up("ann").name)
    keys, button = Keyboard(ann), ann.page.get_by_role("button", name="New room")
    keys.reach("button", "New room")
    keys.press("Shift+Tab")
    button.evaluate("(button) => void (button.tabIndex = -1)")
    with pytest.raises(
        AssertionError, match=r"“New room” cannot be reached with Tab, which passes\n(.*\n)+button “New message”"
    ):
        keys.reach("button", "New room", most=15)
    button.evaluate("(button) => void (button.tabIndex = 0)")
    button.evaluate("(button) => button.style.setProperty('outline', 'none', 'important')")
    with pytest.raises(AssertionError, match="New room” and not visible: it has no focus ring"):
        keys.reach("button", "New room")


def log_in(person: Person, name: str) -> Keyboard:
    person.name = name
    person.open()
    keys = Keyboard(person)
    keys.reach("textbox", "Name")
    keys.write(name)
    keys.press("Tab")
    keys.write(PASSWORD)
    keys.press("Enter")
    person.is_in()
    keys.at("textbox", "Message to")
    return keys


def create_room(keys: Keyboard, name: str, guest: str) -> None:
    keys.use("button", "New room")
    keys.at("textbox", "Name")
    keys.write(name)
    keys.reach("radio", "Public")
    keys.press("ArrowDown")
    keys.at("radio", "Private")
    keys.press("ArrowUp")
    keys.reach("combobox", "Members")
    keys.write(guest)
    keys.press("Enter")
    expect(keys.page.get_by_role("list", name="Selected people")).to_contain_text(guest)
    keys.press("Enter")
    expect(keys.page.get_by_role("heading", level=2, name=name)).to_be_visible()
    keys.at("textbox", f"Message to {name}")


def browse_and_join(keys: Keyboard, name: str) -> None:
    keys.use("button", "Browse rooms")
    keys.at("searchbox", "Find a room")
    keys.write(name)
    keys.use("button", f"Join {name}")
    keys.at("textbox", f"Message to {name}")


def change_settings(keys: Keyboard, name: str) -> None:
    """Set the topic, the history, the favourite and the mute of a room."""
    dialog = keys.page.get_by_role("dialog")
    keys.use("button", name, key="Shift+Tab")
    keys.at("textbox", "Name")
    keys.reach("textbox", "Topic")
    keys.write("Keys and locks")
    keys.reach("radio", "Full history")
    keys.press("ArrowDown")
    keys.use("button", "Save")
    expect(dialog.get_by_role("status")).to_have_text("Saved.")
    keys.at("button", "Save")
    keys.reach("switch", "Favourite")
    keys.press("Space")
    expect(keys.page.get_by_role("list", name="Favourites")).to_contain_text(name)
    keys.press("Escape")
    keys.at("button", name, "main")
    keys.use("button", "Room menu")
    keys.choose("Mute")
    expect(keys.person.room(name)).to_contain_text("muted")
    keys.at("button", "Room menu")


def archive_and_restore(keys: Keyboard, name: str) -> None:
    keys.use("button", "Room menu")
    keys.choose("Archive this room")
    keys.at("button", "Cancel")
    keys.press("Escape")
    keys.at("button", "Room menu")
    keys.press("Enter")
    keys.choose("Archive this room")
    keys.use("button", "Archive")
    expect(keys.page.get_by_text("This room is archived.")).to_be_visible()
    keys.at("button", "Room menu")
    keys.use("button", "Restore")
    keys.at("textbox", f"Message to {name}")


def create_invite_link(keys: Keyboard, name: str) -> str:
    keys.reach("button", "Room menu", key="Shift+Tab")
    keys.press("ArrowDown")
    keys.choose("Invite links")
    keys.at("combobox", "For")
    keys.press("ArrowDown")
    keys.use("button", "Create and copy link")
    link = keys.page.get_by_label("Invite link (shown only once)")
    expect(link).to_be_visible()
    keys.somewhere("dialog")
    address = link.input_value()
    keys.use("button", "Revoke")
    expect(keys.page.get_by_role("button", name="Revoke")).to_have_count(0)
    keys.somewhere("dialog")
    keys.press("Escape")
    keys.at("button", "Room menu")
    return address


def person_menu(keys: Keyboard, name: str, item: str) -> None:
    keys.reach("button", "Hide people")
    keys.press("Tab", "Home")
    keys.reach("button", name, key="ArrowDown", most=4)
    keys.press("Enter")
    keys.choose(item)


def test_rooms_members_and_the_account_work_by_keyboard(server: Server, open_window: OpenWindow) -> None:
    first, second, third = (server.sign_up(name) for name in ("ann", "ben", "cleo"))
    ann, ben = open_window(), open_window()
    name = f"Hall of {first.name}"
    hers, his = log_in(ann, first.name), log_in(ben, second.name)
    create_room(hers, name, third.name)
    browse_and_join(his, name)
    change_settings(hers, name)
    archive_and_restore(hers, name)
    his.at("textbox", f"Message to {name}")
    create_invite_link(hers, name)
    ban_and_unban(hers, his, name)
    hand_over_and_leave(hers, his, name)
    set_presence(hers)
    read_account_and_log_out(hers)


def ban_and_unban(hers: Keyboard, his: Keyboard, name: str) -> None:
    guest = his.person.name
    person_menu(hers, guest, "Ban…")
    hers.at("button", "Cancel")
    hers.reach("textbox", "Reason", key="Shift+Tab")
    hers.write("Noise")
    hers.press("Enter")
    expect(hers.page.get_by_role("dialog").or_(hers.page.get_by_role("alertdialog"))).to_have_count(0)
    hers.somewhere("aside")
    expect(his.page.get_by_role("alert")).to_contain_text("Noise")
    his.somewhere("main")
    his.use("button", "Go to Lobby")
    his.at("textbox", "Message to Lobby")
    hers.use("button", "Room menu", key="Shift+Tab")
    hers.choose("Banned people")
    hers.use("button", f"Unban {guest}")
    expect(hers.page.get_by_role("list", name="Banned")).to_contain_text("No one is banned.")
    hers.somewhere("dialog")
    hers.press("Escape")
    hers.at("button", "Room menu")
    his.press("Control+k")
    his.at("combobox", "Room or person")
    his.write(name)
    expect(his.page.get_by_role("option").first).to_contain_text("Not joined")
    his.press("Enter")
    expect(his.page.get_by_role("button", name=f"Join {name}")).to_be_visible()
    his.somewhere("main")
    his.use("button", f"Join {name}")
    his.at("textbox", f"Message to {name}")


def hand_over_and_leave(hers: Keyboard, his: Keyboard, name: str) -> None:
    guest = his.person.name
    person_menu(hers, guest, "Make moderator")
    row = hers.page.get_by_role("complementary", name="People").get_by_role("button", name=guest)
    expect(row).to_contain_text("Moderator")
    hers.at("button", guest)
    hers.press("Enter")
    hers.choose("Make owner…")
    hers.use("button", f"Make {guest} the owner")
    expect(row).to_contain_text("Owner")
    hers.at("button", guest)
    hers.use("button", "Room menu", key="Shift+Tab")
    hers.choose("Leave this room")
    hers.at("button", "Cancel")
    hers.use("button", "Leave")
    expect(hers.person.room(name)).to_have_count(0)
    hers.at("textbox", "Message to Lobby")


def set_presence(keys: Keyboard) -> None:
    """Set presence and a status text with its duration."""
    own = keys.page.get_by_role("navigation").locator("button[aria-haspopup=menu]")
    keys.reach("button", "Your account")
    keys.press("Shift+Tab")
    keys.at("button", keys.person.name, "nav")
    keys.press("Enter")
    keys.choose("Invisible")
    expect(own).to_contain_text("Invisible to others")
    keys.at("button", keys.person.name)
    keys.press("ArrowDown")
    keys.choose("Do not disturb")
    expect(own).to_contain_text("Do not disturb", ignore_case=True)
    keys.press("Enter")
    keys.choose("Set a status")
    keys.at("textbox", "Status")
    keys.write("Lunch")
    keys.use("button", "Choose an emoji", key="Shift+Tab")
    keys.at("combobox", "Search emoji")
    keys.write("spaghetti")
    expect(keys.page.locator("[role=option][aria-selected=true]")).to_have_accessible_name("spaghetti")
    keys.press("Enter")
    keys.at("button", "Emoji: 🍝")
    keys.reach("combobox", "Clear after")
    keys.press("ArrowDown", "ArrowDown")
    expect(keys.page.get_by_role("dialog")).to_contain_text("then online again")
    keys.use("button", "Save")
    expect(own).to_contain_text("🍝 Lunch")
    keys.at("button", keys.person.name)
    keys.press("Enter")
    keys.choose("Clear status")
    expect(own).not_to_contain_text("Lunch")


def read_account_and_log_out(keys: Keyboard) -> None:
    """Read the account page, end another session and log out."""
    keys.use("button", "Your account")
    keys.at("button", "Close")
    ends = keys.page.get_by_role("button", name="End session", exact=True)
    expect(ends.first).to_be_visible()
    others = ends.count()
    keys.use("button", "End")
    expect(ends).to_have_count(others - 1)
    keys.somewhere("dialog")
    keys.use("button", "Log out", key="Shift+Tab")
    keys.person.is_out()
    keys.somewhere("main")
