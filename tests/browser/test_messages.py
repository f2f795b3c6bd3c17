"""Actions on messages in real windows.

Two or three users act by mouse, touch and keyboard.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser import axe
from tests.browser.conftest import OpenWindow
from tests.browser.cuttable_proxy import CuttableProxy
from tests.browser.messages import World, focused, go_to, menu, message, offered
from tests.support.server import PASSWORD, Server
from tests.support.waiting import eventually_blocking

LONG_PRESS = """(article) => {
    const { left, top } = article.getBoundingClientRect();
    const at = { bubbles: true, pointerType: "touch", clientX: left + 90, clientY: top + 12 };
    article.dispatchEvent(new PointerEvent("pointerdown", at));
}"""


@pytest.fixture(scope="module")
def world(server: Server) -> World:
    return World(server, server.sign_up("ann"), server.sign_up("ben"))


@pytest.fixture
def proxy(server: Server) -> Iterator[CuttableProxy]:
    with CuttableProxy(server) as proxy:
        yield proxy


def test_a_reply_shows_its_quote_and_links_to_it(world: World, open_window: OpenWindow) -> None:
    room = world.room("Kitchen")
    world.say(world.ben, room, "where is the ||secret|| **good** knife\nI ask")
    ann, ben = (open_window().log_in(who.name).open_room("Kitchen") for who in (world.ann, world.ben))
    keys = ann.page.keyboard
    go_to(ann, "good")
    keys.press("r")
    expect(ann.composer).to_be_focused()
    keys.type("in the drawer")
    keys.press("Enter")
    for person in (ann, ben):
        person.sees("in the drawer")
        quote = message(person, "in the drawer").get_by_role("link", name="In reply to")
        expect(quote).to_contain_text(world.ben.name)
        expect(quote).to_contain_text("where is the ▒▒▒ good knife")
        expect(quote).not_to_contain_text("I ask")

    # Ben follows the quote by mouse, Ann by keyboard.
    message(ben, "in the drawer").get_by_role("link", name="In reply to").click()
    expect(focused(ben)).to_contain_text("I ask")
    go_to(ann, "in the drawer")
    keys.press("Tab")
    expect(ann.page.get_by_role("link", name="In reply to")).to_be_focused()
    keys.press("Enter")
    expect(focused(ann)).to_contain_text("I ask")
    axe.check(ann.page, "main")


def test_a_deleted_message_leaves_a_placeholder(world: World, open_window: OpenWindow) -> None:
    room = world.room("Pantry")
    first = world.say(world.ben, room, "a ||secret|| of mine")
    world.say(world.ben, room, "in the drawer", reply_to=first)
    ann, ben = (open_window().log_in(who.name).open_room("Pantry") for who in (world.ann, world.ben))
    keys = ann.page.keyboard
    go_to(ann, "of mine")
    keys.press("Delete")
    question = ann.page.get_by_role("alertdialog")
    expect(question).to_contain_text("You can't undo this")
    expect(question).to_contain_text("▒▒▒")
    expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    axe.check(ann.page, "dialog")
    keys.press("Escape")
    expect(focused(ann)).to_contain_text("of mine")
    keys.press("Backspace")
    keys.press("Tab")
    keys.press("Enter")
    for person in (ann, ben):
        expect(person.log.get_by_text("Message deleted")).to_have_count(1)
        expect(message(person, "in the drawer").get_by_role("link")).to_contain_text("Deleted message")
    expect(focused(ann)).to_contain_text("Message deleted")
    ben.page.reload()
    expect(message(ben.is_in(), "in the drawer").get_by_role("link")).to_contain_text("Deleted message")


def test_quotes_load_old_messages_but_none_from_before_the_reader_joined(world: World, open_window: OpenWindow) -> None:
    room = world.post(world.ann, "/api/rooms", kind="public", name="Attic", history="joined")["room"]["id"]
    early = world.say(world.ann, room, "before Ben")
    world.ben.join(room)
    first = world.say(world.ann, room, "long ago")
    for number in range(60):
        world.say(world.ann, room, f"line {number}")
    ben = open_window().log_in(world.ben.name).open_room("Attic")
    expect(ben.log.get_by_text("line 59", exact=True)).to_be_attached()
    world.say(world.ann, room, "an answer from afar", reply_to=first)
    answer = world.say(world.ann, room, "an answer to an early message", reply_to=early)
    expect(message(ben, "from afar").get_by_role("link")).to_contain_text("long ago")
    expect(message(ben, "early message")).to_contain_text("a message from before you joined")

    # In rooms with `history: joined` an edit event has no text: the client loads it.
    world.ann.request("PATCH", f"/api/rooms/{room}/messages/{answer}", json={"body": "an answer, edited"})
    expect(message(ben, "answer, edited")).to_contain_text("(edited)")
    expect(message(ben, "answer, edited").get_by_role("button", name="(edited)")).to_have_count(0)


def test_edits_show_to_everyone_and_their_history_to_permitted_users(world: World, open_window: OpenWindow) -> None:
    room = world.room("Study")
    world.say(world.ben, room, "I am rihgt")
    world.say(world.ann, room, "you are")
    ann, ben = (open_window().log_in(who.name).open_room("Study") for who in (world.ann, world.ben))
    common = ["Reply", "React", "Forward", "Copy text", "Copy link", "Mark as unread"]
    assert offered(ben, "you are") == common
    assert set(offered(ben, "I am rihgt")) == {*common, "Edit", "Delete"}
    assert set(offered(ann, "I am rihgt")) == {*common, "Pin", "Delete"}

    # By keyboard, with a reload in between that loses nothing.
    keys = ben.page.keyboard
    go_to(ben, "I am rihgt")
    keys.press("e")
    expect(ben.composer).to_have_value("I am rihgt")
    ben.composer.fill("I am right")
    ben.page.reload()
    expect(ben.is_in().composer).to_have_value("I am right")
    ben.composer.press("Enter")
    for person in (ann, ben):
        expect(message(person, "I am right")).to_contain_text("(edited)")
    expect(ben.composer).to_have_value("")
    message(ann, "I am right").get_by_role("button", name="(edited)").click()
    history = ann.page.get_by_role("dialog", name="Edit history")
    expect(history.locator("li .body")).to_have_text(["I am rihgt", "I am right"])
    axe.check(ann.page, "dialog")
    ann.page.keyboard.press("Escape")
    go_to(ben, "I am right")
    keys.press("Enter")
    expect(menu(ben)).to_be_visible()
    axe.check(ben.page, "[role=menu]")
    keys.press("ArrowUp")
    expect(menu(ben).get_by_role("menuitem").first).not_to_be_focused()
    keys.press("h")
    expect(ben.page.get_by_role("dialog", name="Edit history").locator("li .body")).to_have_count(2)
    keys.press("Escape")
    expect(focused(ben)).to_contain_text("I am right")


def test_pins_are_marked_listed_jumped_to_and_removed(world: World, open_window: OpenWindow) -> None:
    room = world.room("Workshop")
    world.say(world.ann, room, "the rules of this house")
    for number in range(30):
        world.say(world.ben, room, f"chatter {number}")
    ann, ben = (open_window().log_in(who.name).open_room("Workshop") for who in (world.ann, world.ben))
    ben.page.get_by_role("button", name="Room menu").click()
    ben.page.get_by_role("menuitem", name="Pinned messages").click()
    pinned = ben.page.get_by_role("dialog", name="Pinned messages")
    expect(pinned).to_contain_text("No pinned messages yet")
    keys = ann.page.keyboard
    go_to(ann, "chatter 29").press("p")
    expect(message(ann, "chatter 29").get_by_text("Pinned")).to_be_visible()
    keys.press("Home")
    keys.press("p")
    expect(message(ann, "the rules").get_by_text("Pinned")).to_be_visible()
    # Ben's list updates while it is open.
    expect(pinned.locator(".words")).to_have_text(["the rules of this house", "chatter 29"])
    expect(pinned.get_by_role("button", name="Unpin")).to_have_count(0)
    axe.check(ben.page, "dialog")
    pinned.get_by_role("link", name="Jump to message").first.click()
    expect(focused(ben)).to_contain_text("the rules of this house")
    expect(ben.page.get_by_role("dialog")).to_have_count(0)
    expect(ben.log.get_by_text(f"{world.ann.name} pinned a message")).to_have_count(2)

    ann.page.get_by_role("button", name="Room menu").click()
    expect(ann.page.get_by_role("menuitem").first).to_be_focused()
    keys.press("p")
    expect(ann.page.get_by_role("menuitem", name="Pinned messages")).to_be_focused()
    keys.press("Enter")
    ann.page.get_by_role("dialog").get_by_role("button", name="Unpin").last.click()
    expect(ann.page.get_by_role("dialog").locator(".words")).to_have_text(["the rules of this house"])
    keys.press("Escape")
    expect(message(ben, "chatter 29").get_by_text("Pinned")).to_have_count(0)
    assert "Unpin" in offered(ann, "the rules")


def test_a_reply_to_a_message_deleted_meanwhile_asks_before_sending(world: World, open_window: OpenWindow) -> None:
    room = world.room("Veranda")
    asked = [world.say(world.ben, room, f"question {at}") for at in (1, 2)]
    ann = open_window().log_in(world.ann.name).open_room("Veranda")
    keys, send = ann.page.keyboard, ann.page.get_by_role("button", name="Send")
    go_to(ann, "question 1")
    keys.press("r")
    keys.type("my answer")
    expect(send).to_be_enabled()
    world.delete(world.ben, room, asked[0])
    expect(ann.page.get_by_text("The message you are replying to was deleted.")).to_be_visible()
    expect(send).to_be_disabled()
    axe.check(ann.page, "main")
    keys.press("Enter")
    expect(ann.composer).to_have_value("my answer")
    ann.page.get_by_role("button", name="Remove reply").click()
    expect(ann.composer).to_be_focused()
    keys.press("Enter")
    ann.sees("my answer")
    expect(message(ann, "my answer").get_by_text("In reply to")).to_have_count(0)

    # The message is far above what is loaded after a reload.
    go_to(ann, "question 2")
    keys.press("r")
    keys.type("too late")
    for at in range(120):
        world.say(world.ben, room, f"chatter {at}")
    world.delete(world.ben, room, asked[1])
    ann.page.reload()
    expect(ann.page.get_by_text("The message you are replying to was deleted.")).to_be_visible()
    expect(ann.composer).to_have_value("too late")


def test_messages_are_forwarded_to_other_rooms_and_copied(world: World, open_window: OpenWindow) -> None:
    room, other = world.room("Garden"), world.room("Cellar")
    seq = world.say(world.ben, room, "tomatoes are **ripe**")
    ann = open_window().log_in(world.ann.name).open_room("Garden")
    ann.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    keys = ann.page.keyboard
    go_to(ann, "tomatoes")
    keys.press("f")
    chooser = ann.page.get_by_role("dialog", name="Forward")
    expect(chooser).to_contain_text("A copy is sent under your name")
    # The current room is also a target; it comes last.
    expect(chooser.get_by_role("option").last).to_have_text("Gardenthis room")
    keys.type("cell")
    expect(chooser.get_by_role("option")).to_have_text(["Cellar"])
    axe.check(ann.page, "dialog")
    keys.press("Enter")
    expect(message(ann, "tomatoes")).to_contain_text("Forwarded to Cellar.")
    keys.press("c")
    expect(message(ann, "tomatoes")).to_contain_text("Text copied.")
    assert ann.page.evaluate("navigator.clipboard.readText()") == "tomatoes are **ripe**"
    keys.press("l")
    expect(message(ann, "tomatoes")).to_contain_text("Link copied.")
    assert ann.page.evaluate("navigator.clipboard.readText()") == f"{world.server.url}/#room/{room}/{seq}"

    ann.open_room("Cellar")
    mark = message(ann, "tomatoes").get_by_role("link", name=f"Forwarded from {world.ben.name}")
    assert "Edit" not in offered(ann, "tomatoes")
    mark.click()
    expect(focused(ann)).to_contain_text("tomatoes")
    expect(ann.page.get_by_role("heading", level=2, name="Garden")).to_be_visible()

    # In an archived room members may forward and copy, and delete their own messages, but nothing
    # else.
    world.post(world.ann, f"/api/rooms/{other}/archive")
    ann.open(f"/#room/{other}")
    expect(ann.page.get_by_text("This room is archived")).to_be_visible()
    assert offered(ann, "tomatoes") == ["Forward", "Copy text", "Copy link", "Mark as unread", "Delete"]


def test_an_action_that_fails_shows_its_error_at_the_message(
    world: World, open_window: OpenWindow, proxy: CuttableProxy
) -> None:
    room = world.room("Cabin")
    world.say(world.ben, room, f"come down, @{world.ann.name}")
    ann = open_window()
    ann.may_be_offline = True
    ann.address = proxy.url
    ann.log_in(world.ann.name).open_room("Cabin")
    mine = message(ann, "come down")
    assert "called" in (mine.get_attribute("class") or "")
    mine.hover()
    mine.get_by_role("button", name="React with 👍").click()
    eventually_blocking(lambda: "👍" in str(world.ben.history(room)), 10, "the reaction arrives")
    proxy.cut()
    expect(ann.page.get_by_text(re.compile("Connecting…|Reconnecting")).first).to_be_visible(timeout=20_000)
    go_to(ann, "come down")
    ann.page.keyboard.press("p")
    expect(mine.get_by_role("alert")).to_contain_text("Can't reach the server")
    expect(mine.get_by_text("Pinned")).to_have_count(0)
    mine.get_by_role("button", name="👍 1, you").click()
    expect(mine.get_by_role("alert")).to_contain_text("Can't reach the server")
    expect(mine.get_by_role("button", name="👍 1, you", exact=True)).to_be_visible()
    mine.get_by_role("button", name="Got it").click()
    ann.page.keyboard.press("Delete")
    proxy.mend()


def test_the_message_menu_opens_by_touch_and_by_mouse(world: World, open_window: OpenWindow) -> None:
    room = world.room("Porch")
    world.say(world.ben, room, "see https://example.org/ there")
    ann = open_window(width=360, height=640)
    ann.page.request.post(f"{world.server.url}/api/login", data={"username": world.ann.name, "password": PASSWORD})
    ann.open(f"/#room/{room}").is_in()
    shown = message(ann, "example.org")
    shown.evaluate(LONG_PRESS)
    expect(menu(ann)).to_be_visible()
    assert ann.page.evaluate("document.documentElement.scrollWidth") <= 360
    axe.check(ann.page, "[role=menu]")
    ann.page.mouse.click(180, 80)
    expect(menu(ann)).to_have_count(0)
    # The browser's own menu stays where it offers more.
    shown.get_by_role("link").click(button="right")
    expect(menu(ann)).to_have_count(0)
    shown.hover()
    shown.get_by_role("button", name="More actions").click()
    menu(ann).get_by_role("menuitem", name="Reply").click()
    expect(ann.composer).to_be_focused()
    expect(ann.page.get_by_text(re.compile("Replying to"))).to_be_visible()
