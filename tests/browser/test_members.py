"""Members of rooms in real windows: added, promoted, removed, invited by links.

Both sides see it.
"""

import re

from playwright.sync_api import Locator, expect

from tests.browser import axe
from tests.browser.conftest import OpenWindow
from tests.browser.cuttable_proxy import CuttableProxy
from tests.browser.person import Person
from tests.browser.rooms import make, menu, pick
from tests.support.server import PASSWORD, Account, Server


def people(person: Person) -> Locator:
    return person.page.get_by_role("complementary", name="People")


def row(person: Person, name: str) -> Locator:
    return people(person).get_by_role("button", name=name)


def offered(person: Person, name: str) -> list[str]:
    """Return what the menu of a user's row offers. The menu is opened and closed by keyboard."""
    row(person, name).press("Enter")
    expect(person.page.get_by_role("menuitem").first).to_be_focused()
    found = [text.strip() for text in person.page.get_by_role("menuitem").all_text_contents()]
    person.page.keyboard.press("Escape")
    expect(row(person, name)).to_be_focused()
    return found


def choose(person: Person, name: str, item: str) -> None:
    row(person, name).click()
    person.page.get_by_role("menuitem", name=item).click()


def at(person: Person, account: Account, room: int) -> Person:
    person.name = account.name
    return person.log_in(account.name).open(f"/?{room}#room/{room}").is_in()


def test_role_changes_by_keyboard_show_at_once_for_both_sides(server: Server, open_window: OpenWindow) -> None:
    first, second, third = (server.sign_up(name) for name in ("ann", "bob", "cleo"))
    room = make(first, f"Council {first.name}", members=[second.id, third.id])
    ann, bob = at(open_window(), first, room), at(open_window(), second, room)
    assert offered(bob, third.name) == ["Send a message"]
    assert offered(ann, second.name) == ["Send a message", "Make moderator", "Make owner…", "Remove…", "Ban…"]
    axe.check(ann.page)

    # The list is one tab stop with arrow keys inside; Enter opens the menu.
    row(ann, first.name).focus()
    ann.page.keyboard.press("End")
    ann.page.keyboard.press("ArrowUp")
    ann.page.keyboard.press("Home")
    expect(row(ann, first.name)).to_be_focused()
    row(ann, second.name).focus()
    ann.page.keyboard.press("Enter")
    expect(ann.page.get_by_role("menuitem").first).to_be_focused()
    ann.page.keyboard.press("ArrowDown")
    ann.page.keyboard.press("Enter")
    expect(row(bob, second.name)).to_contain_text("Moderator")
    expect(row(ann, second.name)).to_contain_text("Moderator")
    expect(bob.log.get_by_text("You are now a moderator")).to_be_visible()
    assert offered(bob, third.name) == ["Send a message", "Remove…", "Ban…"]
    assert offered(bob, first.name) == ["Send a message"]

    # Handing over the room asks first and explains the consequence.
    choose(ann, second.name, "Make owner")
    question = ann.page.get_by_role("alertdialog")
    expect(question).to_contain_text("You'll become a moderator")
    question.get_by_role("button", name="Cancel").click()
    expect(row(ann, second.name)).to_be_focused()
    choose(ann, second.name, "Make owner")
    question.get_by_role("button", name=f"Make {second.name} the owner").click()
    expect(row(bob, second.name)).to_contain_text("Owner")
    expect(row(ann, first.name)).to_contain_text("Moderator")
    assert offered(ann, second.name) == ["Send a message"]
    bob.page.reload()
    expect(row(bob.is_in(), first.name)).to_contain_text("Moderator")


def test_an_owner_hands_the_room_over_before_leaving(server: Server, open_window: OpenWindow) -> None:
    first, second = server.sign_up("ann"), server.sign_up("bob")
    room = make(first, f"House {first.name}", members=[second.id])
    ann, bob = at(open_window(), first, room), at(open_window(), second, room)
    menu(ann, "Leave this room")
    question = ann.page.get_by_role("alertdialog")
    expect(question).to_contain_text("Choose a new owner before you leave")
    axe.check(ann.page)
    question.get_by_label("New owner").select_option(label=second.name)
    # The list of bob's window is loaded again before bob leaves as well.
    with bob.page.expect_response(lambda response: "online-members" in response.url):
        question.get_by_role("button", name="Transfer and leave").click()
    expect(ann.room(f"House {first.name}")).to_have_count(0)
    ann.is_in()
    expect(row(bob, second.name)).to_contain_text("Owner")
    expect(row(bob, first.name)).to_have_count(0)
    # An owner without other members just leaves.
    menu(bob, "Leave this room")
    expect(bob.page.get_by_role("alertdialog")).to_contain_text("You're the last member")
    bob.page.keyboard.press("Tab")
    bob.page.keyboard.press("Enter")
    expect(bob.room(f"House {first.name}")).to_have_count(0)


def test_messages_do_not_make_the_list_of_people_ask_who_is_online(server: Server, open_window: OpenWindow) -> None:
    first, second = server.sign_up("ann"), server.sign_up("bob")
    room = make(first, f"House {first.name}", members=[second.id])
    ann = at(open_window(), first, room)
    expect(row(ann, second.name)).to_be_visible()
    asked: list[str] = []
    ann.page.on("request", lambda request: asked.append(request.url) if "online-members" in request.url else None)
    for number in range(10):
        body = f"number {number}"
        second.request("POST", f"/api/rooms/{room}/messages", json={"key": body, "body": body})
        expect(ann.page.get_by_text(body, exact=True)).to_be_visible()
    assert len(asked) <= 3, "one poll every fifteen seconds, and one for a user who seemed offline"


def lift(owner: Person, name: str, reason: str) -> None:
    """Try to add a banned user, then lift the ban."""
    page = menu(owner, "Add people")
    pick(page, "People to add", name)
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text(f"{name}: This user is banned")
    page.keyboard.press("Escape")
    menu(owner, "Banned people")
    banned = page.get_by_role("list", name="Banned")
    expect(banned).to_contain_text(reason)
    axe.check(page)
    banned.get_by_role("button", name=f"Unban {name}").click()
    expect(banned).to_contain_text("No one is banned.")


def test_a_ban_shows_its_reason_and_ends_when_it_is_lifted(server: Server, open_window: OpenWindow) -> None:
    first, second = server.sign_up("ann"), server.sign_up("bob")
    name = f"Salon {first.name}"
    room = make(first, name, members=[second.id])
    ann, bob = at(open_window(), first, room), at(open_window(), second, room)
    other = Person(server, bob.page.context.new_page()).log_in(second.name)
    choose(ann, second.name, "Ban")
    ann.page.get_by_role("alertdialog").get_by_label("Reason").fill("Shouting, <b>twice</b>")
    axe.check(ann.page)
    ann.page.keyboard.press("Enter")
    expect(row(ann, second.name)).to_have_count(0)
    # A window on the room shows the ban there; other windows show it above their room.
    expect(bob.page.get_by_role("alert")).to_contain_text(f"You were banned from {name}.")
    expect(bob.page.get_by_role("alert")).to_contain_text("Shouting, <b>twice</b>")
    axe.check(bob.page)
    expect(other.page.get_by_role("alert")).to_contain_text(f"You were banned from {name}: Shouting, <b>twice</b>")
    expect(bob.page.get_by_role("button", name="Join")).to_have_count(0)
    bob.page.get_by_role("button", name="Go to Lobby").click()
    bob.is_in()
    expect(bob.page.get_by_role("alert")).to_have_count(0)
    bob.page.go_back()
    bob.page.get_by_role("button", name=f"Join {name}").click()
    expect(bob.page.get_by_role("alert")).to_have_text("You are banned from this room.")

    lift(ann, second.name, "Shouting, <b>twice</b>")
    bob.page.get_by_role("button", name=f"Join {name}").click()
    bob.is_in().say("back again")
    expect(bob.page.get_by_role("heading", level=2, name=name)).to_be_visible()
    ann.page.keyboard.press("Escape")
    ann.sees("back again")


def test_a_member_removed_while_offline_is_notified_after_reconnecting(server: Server, open_window: OpenWindow) -> None:
    first, second = server.sign_up("ann"), server.sign_up("bob")
    name = f"Yard {first.name}"
    room = make(first, name, members=[second.id])
    ann, bob = at(open_window(), first, room), open_window()
    bob.may_be_offline = True
    with CuttableProxy(server) as proxy:
        bob.address = proxy.url
        at(bob, second, room)
        proxy.cut()
        expect(bob.page.get_by_text("Reconnecting")).to_be_visible()
        for text in ("on my way", "and on"):
            bob.say(text)
        bob.composer.fill("half a thought")
        choose(ann, second.name, "Remove")
        ann.page.get_by_role("alertdialog").get_by_role("button", name="Remove").click()
        expect(row(ann, second.name)).to_have_count(0)
        proxy.mend()
        expect(bob.page.get_by_role("alert")).to_contain_text(f"You were removed from {name}.", timeout=30_000)
        # The room left the list of rooms. It stays where unsent text of former rooms is listed.
        rooms = bob.page.get_by_role("navigation")
        expect(rooms.get_by_role("list", name="Rooms", exact=True)).not_to_contain_text(name)
        expect(rooms.get_by_role("list", name="Drafts in rooms you left")).to_contain_text(name)
        # Bob's text is not lost: neither on the page of the room, nor after a reload, nor after
        # joining again.
        words = "on my way\n\nand on\n\nhalf a thought"
        unsent = bob.page.get_by_role("region", name="Not sent")
        expect(unsent.locator("blockquote")).to_have_text(words, use_inner_text=True)
        axe.check(bob.page, "main")
        bob.page.reload()
        expect(unsent.locator("blockquote")).to_have_text(words, use_inner_text=True)
        # The room is public, so a removed member may join again.
        bob.page.get_by_role("button", name=re.compile("^Join")).click()
        expect(row(ann, second.name)).to_be_visible()
        expect(bob.is_in().composer).to_have_value(words)
        bob.say("here I am again")
        ann.sees("here I am again")


def test_an_invite_link_lets_users_join_a_room(server: Server, open_window: OpenWindow) -> None:
    owner, first, second = server.create_owner("olga"), server.sign_up("ann"), server.sign_up("bob")
    name = f"Vault {first.name}"
    room = make(first, name, kind="private", members=[owner.id])
    ann, bob = at(open_window(), first, room), open_window().log_in(second.name)
    menu(ann, "Invite links")
    ann.page.get_by_role("combobox", name="For").select_option(label="10 people")
    ann.page.get_by_role("button", name="Create and copy link").click()
    field = ann.page.get_by_label("Invite link (shown only once)")
    expect(ann.page.get_by_text("Works for 10 people, until")).to_be_visible()
    axe.check(ann.page)
    link = field.input_value()
    # The link asks a user with an account: Bob closes the dialog first, then joins by keyboard.
    bob.open(link)
    expect(bob.page.get_by_role("dialog", name=f"Join {name}?")).to_be_visible()
    bob.page.keyboard.press("Escape")
    assert bob.page.url == f"{server.url}/"
    bob.open(link)
    expect(bob.page.get_by_role("dialog", name=f"Join {name}?").get_by_role("button", name="Join")).to_be_focused()
    axe.check(bob.page)
    bob.page.keyboard.press("Enter")
    expect(bob.page.get_by_role("heading", level=2, name=name)).to_be_visible()
    expect(row(ann, second.name)).to_be_visible()
    # Without an account the link says that it needs one; an invite of the site's staff allows
    # sign-up.
    stranger = open_window().open(link)
    expect(stranger.page.get_by_text("This link is for people who already have an account here.")).to_be_visible()
    expect(stranger.page.get_by_role("button", name="Join")).to_have_count(0)
    made = owner.request("POST", "/api/invites", json={"room": room}).json()
    stranger.open("/").open(made["link"]).sign_up(f"new{first.name}", "Join")
    expect(stranger.page.get_by_role("heading", level=2, name=name)).to_be_visible()
    stranger.is_in().say("new here")
    ann.page.keyboard.press("Escape")
    ann.sees("new here")
    # A revoked link is invalid.
    menu(ann, "Invite links")
    expect(ann.page.get_by_text("used 1 of 10")).to_be_visible()
    ann.page.get_by_role("button", name="Revoke").click()
    expect(ann.page.get_by_role("heading", name="Active links")).to_have_count(0)
    stranger.open("/").open(link)
    expect(stranger.page.get_by_role("dialog", name="This link is no longer valid")).to_be_visible()


def test_people_can_be_added_and_long_member_lists_are_paged(server: Server, open_window: OpenWindow) -> None:
    first, second = server.sign_up("ann"), server.sign_up("bob")
    for number in range(20):
        account = {"username": f"crowd{number}", "password": PASSWORD}
        assert first.request("POST", "/api/users", json=account).status_code == 201
    crowd = [person["id"] for person in first.get("/api/users", q="crowd")["users"]]
    room = make(first, f"Arena {first.name}", kind="private", members=crowd)
    ann, bob = at(open_window(), first, room), open_window().log_in(second.name)
    people(ann).get_by_label("Find someone").fill("crowd17")
    expect(people(ann).get_by_role("listitem")).to_have_count(1)
    people(ann).get_by_label("Find someone").fill("")
    people(ann).get_by_role("button", name="Add people").click()
    expect(ann.page.get_by_role("dialog").get_by_role("combobox")).to_be_focused()
    ann.page.keyboard.type("no such name")
    expect(ann.page.get_by_text("No one else's name contains")).to_be_visible()
    ann.page.keyboard.press("Escape")
    pick(ann.page, "People to add", second.name)
    axe.check(ann.page)
    ann.page.keyboard.press("Enter")
    expect(ann.page.get_by_role("dialog")).to_have_count(0)
    expect(people(ann).get_by_role("button", name="Add people")).to_be_focused()
    bob.open_room(f"Arena {first.name}")
    expect(bob.page.get_by_role("button", name="People, 22")).to_be_visible()
    expect(ann.page.get_by_role("button", name="People, 22")).to_be_visible()
