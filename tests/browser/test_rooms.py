"""Rooms in real windows: created, found, changed, archived.

Members see it live, and by keyboard.
"""

import re

from playwright.sync_api import Page, expect

from tests.browser import axe
from tests.browser.conftest import OpenWindow
from tests.browser.cuttable_proxy import CuttableProxy
from tests.browser.person import Person
from tests.browser.rooms import listed, make, menu, pick
from tests.support.server import Server


def plan(page: Page, name: str, guest: str) -> None:
    """Fill in the form of a new room, whose name is taken at first."""
    page.get_by_role("button", name="New room").click()
    page.get_by_label("Name").fill(name)
    expect(page.get_by_text("A room with this name already exists.")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
    axe.check(page)
    # Private rooms may share names with others.
    page.get_by_role("radio", name="Private").check()
    expect(page.get_by_label("Name")).not_to_have_attribute("aria-invalid", "true")
    page.get_by_label("Topic").fill("What is said in a den")
    pick(page, "Members", guest)
    page.get_by_role("button", name="Create room").click()
    expect(page.get_by_role("heading", level=2, name=name)).to_be_visible()


def change(page: Page, name: str) -> None:
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_label("Topic").fill("")
    dialog.get_by_label("Description").fill("Bring your own\ncushion.")
    dialog.get_by_role("radio", name="From when they join").check()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("status")).to_have_text("Saved.")
    axe.check(page)


def test_a_room_is_created_with_members_and_changes_show_live(server: Server, open_window: OpenWindow) -> None:
    first, second = server.sign_up("ann"), server.sign_up("bob")
    ann, bob = open_window().log_in(first.name), open_window().log_in(second.name)
    name, page = f"Den of {ann.name}", ann.page
    make(server.sign_up("cleo"), name.upper())
    plan(page, name, bob.name)
    ann.is_in().say("welcome")
    expect(listed(bob, "Rooms")).to_contain_text(name)
    bob.open_room(name).sees("welcome")
    expect(bob.page.get_by_text("What is said in a den").first).to_be_visible()

    # A member who is not the owner sees the settings and cannot change them.
    menu(bob, "About this room")
    expect(bob.page.get_by_role("dialog")).to_contain_text("Private")
    expect(bob.page.get_by_role("dialog").get_by_role("textbox")).to_have_count(0)
    expect(bob.page.get_by_role("dialog").get_by_role("button", name="Archive")).to_have_count(0)
    change(menu(ann, "About this room"), f"Lair of {ann.name}")
    expect(bob.page.get_by_role("dialog")).to_contain_text("Bring your own\ncushion.")
    expect(bob.page.get_by_role("dialog")).to_contain_text("only messages sent after they join")
    bob.page.keyboard.press("Escape")
    expect(bob.composer).to_be_focused()  # The menu was opened by mouse, so the user can type.
    bob.page.reload()
    expect(bob.page.get_by_role("heading", level=2, name=f"Lair of {ann.name}")).to_be_visible()
    expect(bob.log.get_by_text(f"renamed this room to “Lair of {ann.name}”")).to_be_visible()


def test_a_name_that_looks_like_a_taken_one_shows_an_error_at_the_field(
    server: Server, open_window: OpenWindow
) -> None:
    ann = server.sign_up("ann")
    make(ann, f"Look of {ann.name}")
    window = open_window().log_in(ann.name)
    window.page.get_by_role("button", name="New room").click()
    # The first letter is a Cyrillic one.
    window.page.get_by_label("Name").fill(f"Lооk of {ann.name}")
    window.page.get_by_role("button", name="Create room").click()
    expect(window.page.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
    expect(window.page.get_by_role("dialog")).to_contain_text("or one that looks like it")
    window.page.get_by_label("Name").press("End")
    window.page.keyboard.type(" again")
    expect(window.page.get_by_label("Name")).not_to_have_attribute("aria-invalid", "true")


def write_by_keyboard(person: Person, whom: str, words: str) -> None:
    page = person.page
    page.get_by_role("button", name="New message").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="To")).to_be_focused()
    page.keyboard.type(whom)
    page.keyboard.press("Enter")
    expect(page.get_by_role("list", name="Selected people")).to_contain_text(whom)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2, name=whom)).to_be_visible()
    expect(person.composer).to_be_focused()
    page.keyboard.type(words)
    page.keyboard.press("Enter")


def test_direct_rooms_are_opened_by_keyboard_and_found_again(server: Server, open_window: OpenWindow) -> None:
    first, second, third = (server.sign_up(name) for name in ("ann", "bob", "cleo"))
    ann, bob = open_window().log_in(first.name), open_window().log_in(second.name)
    other = Person(server, bob.page.context.new_page()).log_in(second.name)
    page = ann.page
    write_by_keyboard(ann, bob.name, "a word with you")
    address = page.url
    # Both windows of the recipient list the room under the sender's name.
    for window in (bob, other):
        expect(listed(window, "Direct messages").get_by_role("button", name=ann.name)).to_contain_text("1 unread")
    # The recipient opens the same room from the list of people.
    bob.page.get_by_role("complementary", name="People").get_by_role("button", name=ann.name).click()
    bob.page.get_by_role("menuitem", name="Send a message").click()
    bob.is_in().sees("a word with you")
    expect(bob.page).to_have_title(re.compile(f"^{ann.name}"))
    bob.say("listening")
    ann.sees("listening")
    expect(other.room(ann.name)).not_to_contain_text("unread")

    # The same users again get the same room, more users another, and no other users are the notes
    # to the user.
    page.get_by_role("button", name="New message").click()
    pick(page, "To", bob.name, third.name)
    page.keyboard.press("Backspace")
    axe.check(page)
    page.get_by_role("button", name="Open conversation").click()
    ann.is_in().sees("listening")
    assert page.url == address
    make(first, kind="direct", members=[second.id, third.id])
    expect(listed(ann, "Direct messages")).to_contain_text(f"{bob.name}, {third.name}")
    page.get_by_role("button", name="New message").click()
    page.get_by_role("button", name="Notes to yourself").click()
    expect(page.get_by_role("heading", level=2, name="Notes to yourself")).to_be_visible()
    page.get_by_role("button", name="Room menu").click()
    expect(page.get_by_role("menuitem", name="Leave")).to_have_count(0)


def test_favourites_and_mutes_show_in_every_window(server: Server, open_window: OpenWindow) -> None:
    account = server.sign_up("ann")
    name = f"Attic of {account.name}"
    make(account, name)
    here = open_window().log_in(account.name).open_room(name)
    there = Person(server, here.page.context.new_page()).log_in(account.name)
    menu(here, "Add to favourites")
    for window in (here, there):
        expect(listed(window, "Favourites")).to_contain_text(name)
        expect(listed(window, "Rooms")).not_to_contain_text(name)
    # By keyboard: into the list, down to the room, and there into the menu.
    page = there.page
    page.get_by_role("navigation").locator("[data-rove][tabindex='0']").focus()
    page.keyboard.press("Home")
    expect(there.room(name)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2, name=name)).to_be_visible()
    page.get_by_role("button", name="Room menu").press("ArrowDown")
    expect(page.get_by_role("menuitem").first).to_be_focused()
    page.keyboard.press("m")
    page.keyboard.press("Enter")
    for window in (here, there):
        expect(window.room(name)).to_contain_text("muted")
    expect(page.get_by_role("button", name="Room menu")).to_be_focused()


def test_an_archived_room_is_read_only_until_it_is_restored(server: Server, open_window: OpenWindow) -> None:
    first, second = server.sign_up("ann"), server.sign_up("bob")
    name = f"Hall of {first.name}"
    room = make(first, name, members=[second.id])
    ann, bob = open_window(), open_window()
    ann.log_in(first.name).open_room(name)
    bob.may_be_offline = True
    with CuttableProxy(server) as proxy:
        bob.address = proxy.url
        bob.log_in(second.name).open_room(name)
        proxy.cut()
        expect(bob.page.get_by_text("Reconnecting")).to_be_visible()
        menu(ann, "Archive this room")
        question = ann.page.get_by_role("alertdialog", name=f"Archive {name}?")
        expect(question.get_by_role("button", name="Cancel")).to_be_focused()
        axe.check(ann.page)
        ann.page.keyboard.press("Escape")
        expect(question).to_have_count(0)
        menu(ann, "Archive this room")
        ann.page.keyboard.press("Tab")
        ann.page.keyboard.press("Enter")
        expect(ann.page.get_by_text("This room is archived.")).to_be_visible()
        expect(ann.composer).to_have_count(0)
        proxy.mend()
        expect(bob.page.get_by_text("This room is archived.")).to_be_visible(timeout=30_000)
        expect(bob.composer).to_have_count(0)
        expect(bob.page.get_by_role("button", name="Restore")).to_have_count(0)
        expect(bob.page.get_by_role("navigation").get_by_role("list", name="Archived")).to_contain_text(name)
        axe.check(bob.page)
        ann.page.get_by_role("button", name="Restore").click()
        expect(bob.composer).to_be_visible()
        expect(listed(bob, "Rooms")).to_contain_text(name)
    assert first.get(f"/api/rooms/{room}")["room"].get("archived", False) is False


def test_rooms_are_browsed_joined_and_opened_by_address(server: Server, open_window: OpenWindow) -> None:
    ann, bob = server.sign_up("ann"), server.sign_up("bob")
    tag = ann.name
    garden, secret = make(ann, f"Garden {tag}", topic=f"Beans and {tag}"), make(ann, f"Safe {tag}", kind="private")
    old = make(ann, f"Old {tag}")
    assert ann.request("POST", f"/api/rooms/{old}/archive").status_code == 200
    window = open_window().log_in(bob.name)
    page = window.page
    page.get_by_role("button", name="Browse rooms").click()
    page.keyboard.type(f"beans and {tag}")
    rooms = page.get_by_role("dialog").get_by_role("list", name="Rooms")
    expect(rooms.get_by_role("listitem")).to_have_count(1)
    expect(rooms).to_contain_text("1 member")
    page.get_by_label("Find a room").fill(tag)
    expect(page.get_by_role("dialog")).not_to_contain_text(f"Safe {tag}")
    page.get_by_role("dialog").locator("summary", has_text="Archived").click()
    expect(page.get_by_role("list", name="Archived rooms")).to_contain_text(f"Old {tag}")
    expect(page.get_by_role("button", name=f"Join Old {tag}")).to_have_count(0)
    page.get_by_label("Which rooms").select_option("joined")
    expect(rooms.get_by_role("listitem")).to_have_count(0)
    axe.check(page)
    page.keyboard.press("Escape")

    # The address of a public room offers to join it and shows its changes.
    window.open(f"/#room/{garden}")
    expect(page.get_by_role("heading", level=2, name=f"Garden {tag}")).to_be_visible()
    axe.check(page)
    page.get_by_role("button", name=f"Join Garden {tag}").click()
    window.is_in().say("here I am")
    # A private room looks like one that does not exist.
    for address in (secret, 4711):
        window.open(f"/?{address}#room/{address}")
        expect(page.get_by_text("This room doesn't exist, or you don't have access to it.")).to_be_visible()
        expect(page.get_by_role("button", name="Join")).to_have_count(0)
    window.open(f"/?old#room/{old}")
    expect(page.get_by_text("This room is archived, so no one can join it.")).to_be_visible()
    page.get_by_role("button", name="Go to Lobby").click()
    window.is_in()
    expect(page).to_have_title(re.compile("^Lobby"))


def test_the_switcher_opens_rooms_and_direct_messages(server: Server, open_window: OpenWindow) -> None:
    ann, bob = server.sign_up("ann"), server.sign_up("bob")
    make(ann, f"Reading circle {ann.name}")
    make(bob, f"Rowing club {ann.name}")
    window = open_window().log_in(ann.name)
    page, field = window.page, window.page.get_by_role("combobox", name="Room or person")
    expect(window.composer).to_be_focused()
    page.keyboard.press("Control+k")
    expect(field).to_be_focused()
    page.keyboard.press("Escape")
    expect(window.composer).to_be_focused()
    page.keyboard.press("Control+k")
    page.keyboard.type(f"rcirc{ann.name}")
    expect(page.get_by_role("option").first).to_contain_text("Reading circle")
    axe.check(page)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2, name="Reading circle")).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type(f"rowing club {ann.name}")
    expect(page.get_by_role("option").first).to_contain_text("Not joined")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Join Rowing club")).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type(bob.name)
    expect(page.get_by_role("option").first).to_contain_text("Send a message")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2, name=bob.name)).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type("no such thing as this")
    expect(page.get_by_text("No matching rooms or people.")).to_be_visible()


def test_every_dialog_fits_a_phone(server: Server, open_window: OpenWindow) -> None:
    ann = server.sign_up("ann")
    name = f"{ann.name} {'W' * 64}"[:64]
    room = make(ann, name, topic="T" * 250, description="D" * 1000)
    window = open_window().log_in(ann.name)
    window.page.set_viewport_size({"width": 360, "height": 640})
    page = window.open(f"/?narrow#room/{room}").is_in().page

    def fits() -> None:
        wide = "[document.documentElement, ...document.querySelectorAll('dialog[open]')]"
        widths = page.evaluate(f"{wide}.map((box) => [box.scrollWidth, box.clientWidth])")
        assert all(inner <= outer for inner, outer in widths), widths

    fits()
    for item in ("About", "Add people", "Links", "Banned people", "Webhooks", "Archive", "Leave"):
        menu(window, item)
        expect(page.locator("dialog[open]")).to_be_visible()
        fits()
        page.keyboard.press("Escape")
    page.get_by_role("button", name="All rooms").click()
    for button in ("New room", "New message", "Browse rooms", "Jump to a room"):
        page.get_by_role("button", name=button).click()
        expect(page.locator("dialog[open]")).to_be_visible()
        fits()
        page.keyboard.press("Escape")
