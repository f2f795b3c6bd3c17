"""A whole session without a mouse: messages and unread rooms, by keyboard alone."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser import axe
from tests.browser.conftest import OpenWindow
from tests.browser.cuttable_proxy import CuttableProxy
from tests.browser.keyboard import Keyboard
from tests.browser.messages import World, message
from tests.support.server import Server


@pytest.fixture(scope="module")
def world(server: Server) -> World:
    return World(server, server.sign_up("ann"), server.sign_up("ben"))


def to_message(keys: Keyboard, text: str) -> None:
    """Move from the composer into the timeline, a single stop, and up to a message."""
    expect(keys.person.log.locator("article[tabindex='0']")).to_have_count(1)
    keys.reach("article", "", key="Shift+Tab", most=6)
    keys.press("End")
    keys.up_to(text)


def test_messages_work_by_keyboard(world: World, open_window: OpenWindow) -> None:
    room = world.room("Kitchen")
    world.room("Cellar")
    world.say(world.ben, room, "where is the knife, here: [good](https://example.org/), is it ||hidden||")
    world.say(world.ben, room, "I ask for `a friend`\n\n```\nof mine\n```")
    ann, ben = (open_window().log_in(who.name).open_room("Kitchen") for who in (world.ann, world.ben))
    ann.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    keys, his = Keyboard(ann), Keyboard(ben)
    write_and_edit(keys, world)
    reply_and_follow(keys)
    pin_forward_and_copy(keys, world, room)
    react(keys, his)
    delete(keys)


def write_and_edit(keys: Keyboard, world: World) -> None:
    keys.at("textbox", "Message to Kitchen")
    keys.write("in the **darwer**, @be")
    expect(keys.page.get_by_role("option", selected=True)).to_contain_text(world.ben.name)
    keys.press("Enter", "Shift+Enter")
    keys.write("or not :tad")
    expect(keys.page.get_by_role("option", selected=True)).to_contain_text("🎉")
    keys.press("Tab", "Enter")
    line = message(keys.person, "in the darwer")
    expect(line).to_contain_text("or not 🎉")
    expect(keys.person.pending()).to_have_count(0)
    keys.press("ArrowUp")
    expect(keys.person.composer).to_have_value(re.compile("darwer"))
    keys.press("Control+a")
    keys.write("in the drawer")
    keys.press("Enter")
    edited = message(keys.person, "in the drawer")
    expect(edited).to_contain_text("(edited)")
    keys.at("textbox", "Message to Kitchen")
    to_message(keys, "in the drawer")
    keys.reach("button", "(edited)", most=2)
    keys.press("Enter")
    history = keys.page.get_by_role("dialog", name="Edit history")
    expect(history.locator("li .body")).to_have_count(2)
    keys.somewhere("dialog")
    keys.press("Escape")
    expect(history).to_have_count(0)
    keys.at("button", "(edited)")
    keys.press("Escape")
    keys.on("in the drawer")


def reply_and_follow(keys: Keyboard) -> None:
    """Visit the contents of the first message, reply, and follow the reply's quote."""
    keys.press("Home")
    keys.on("where is the knife")
    keys.reach("link", "good", most=1)
    keys.reach("button", "Show spoiler", most=1)
    keys.press("Enter")
    expect(message(keys.person, "where is the knife").locator(".spoiler:not(.closed)")).to_be_focused()
    keys.press("Escape", "r")
    keys.at("textbox", "Message to Kitchen")
    expect(keys.page.get_by_text("Replying to")).to_be_visible()
    keys.press("Escape")
    expect(keys.page.get_by_text("Replying to")).to_have_count(0)
    to_message(keys, "where is the knife")
    keys.press("Enter")
    keys.choose("Reply")
    keys.at("textbox", "Message to Kitchen")
    keys.write("on the table")
    keys.press("Enter")
    keys.person.sees("on the table")
    to_message(keys, "on the table")
    keys.reach("link", "In reply to", most=1)
    keys.press("Enter")
    keys.on("where is the knife")


def pin_forward_and_copy(keys: Keyboard, world: World, room: int) -> None:
    keys.press("p")
    expect(message(keys.person, "the knife").get_by_text("Pinned")).to_be_visible()
    keys.press("f")
    keys.at("combobox", "Find a room")
    keys.write("cell")
    expect(keys.page.get_by_role("option", selected=True)).to_have_text("Cellar")
    keys.press("Enter")
    expect(message(keys.person, "the knife")).to_contain_text("Forwarded to Cellar.")
    keys.on("where is the knife")
    keys.press("l")
    expect(message(keys.person, "the knife")).to_contain_text("Link copied.")
    link = keys.page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{world.server.url}/#room/{room}/")
    keys.use("button", "Room menu", key="Shift+Tab")
    keys.choose("Pinned messages")
    keys.use("link", "Jump to message")
    keys.on("where is the knife")
    keys.use("button", "Room menu", key="Shift+Tab")
    keys.choose("Pinned messages")
    keys.use("button", "Unpin")
    expect(keys.page.get_by_role("dialog")).to_contain_text("No pinned messages yet")
    keys.somewhere("dialog")
    keys.press("Escape")
    keys.at("button", "Room menu")
    keys.reach("article", "")
    keys.press("End")
    keys.up_to("where is the knife")
    keys.press("Enter")


def react(keys: Keyboard, his: Keyboard) -> None:
    """React from the menu that Enter opened at a message."""
    keys.choose("React")
    keys.at("combobox", "Search emoji")
    keys.write("rocket")
    expect(keys.page.get_by_role("option", selected=True)).to_have_accessible_name("rocket")
    keys.press("Enter")
    line = message(keys.person, "the knife")
    expect(line.get_by_role("button", name="🚀 1, you", exact=True)).to_be_visible()
    keys.on("where is the knife")
    to_message(his, "the knife")
    his.reach("button", "🚀 1", most=4)
    his.press("Enter")
    expect(line.get_by_role("button", name="🚀 2, you and 1 other")).to_be_visible()
    his.press("Escape", "w")
    reacted = his.page.get_by_role("dialog", name="Who reacted")
    expect(reacted.get_by_role("listitem")).to_have_count(2)
    his.press("Escape")
    his.on("where is the knife")
    his.reach("button", "React with", most=6)
    his.reach("button", "More actions", key="ArrowRight", most=8)
    his.press("Enter")
    his.choose("Copy text")
    expect(message(his.person, "the knife")).to_contain_text("Text copied")
    his.at("button", "More actions")
    his.press("Escape")
    his.on("where is the knife")
    his.press("+")
    his.at("combobox", "Search emoji")
    his.press("Escape")
    his.on("where is the knife")
    keys.use("button", "🚀 2")
    expect(line.get_by_role("button", name="🚀 1", exact=True)).to_be_visible()
    keys.press("Escape")


def delete(keys: Keyboard) -> None:
    keys.press("?")
    keys.at("button", "Close")
    axe.check(keys.page, "dialog")
    keys.press("Escape")
    keys.on("where is the knife")
    keys.press("End")
    keys.up_to("on the table")
    keys.press("Delete")
    keys.at("button", "Cancel")
    keys.press("Escape")
    keys.on("on the table")
    keys.press("Delete")
    keys.use("button", "Delete")
    expect(keys.person.log.get_by_text("Message deleted")).to_have_count(1)
    keys.on("Message deleted")
    keys.press("Escape")
    keys.at("textbox", "Message to Kitchen")
    keys.press("Control+/")
    keys.at("button", "Close")
    keys.press("Escape")
    keys.at("textbox", "Message to Kitchen")


def test_unread_rooms_and_unsent_messages_work_by_keyboard(server: Server, open_window: OpenWindow) -> None:
    world = World(server, server.sign_up("ann"), server.sign_up("ben"))
    attic, barn = world.room("Attic"), world.room("Barn")
    lines = [world.say(world.ben, attic, f"line {number}") for number in range(40)]
    world.post(world.ben, f"/api/rooms/{barn}/forwards", key="carried", from_room=attic, message=lines[-1])
    with CuttableProxy(world.server) as proxy:
        ann = open_window()
        ann.address, ann.may_be_offline = proxy.url, True
        ann.log_in(world.ann.name)
        keys = Keyboard(ann)
        jump_to_messages(keys)
        mark_unread(keys)
        write_offline(keys, proxy)


def jump_to_messages(keys: Keyboard) -> None:
    """Go to the next unread room, a forward's source, and the first unread message."""
    keys.at("textbox", "Message to")
    keys.press("Alt+Shift+ArrowUp")
    keys.at("textbox", "Message to Barn")
    to_message(keys, "line 39")
    keys.reach("link", "Forwarded from", most=1)
    keys.press("Enter")
    expect(keys.page.get_by_role("heading", level=2, name="Attic")).to_be_visible()
    keys.on("line 39")
    keys.reach("button", "Jump to first unread", most=4)
    keys.press("Enter")
    keys.on("line 0")
    keys.press("PageDown")
    keys.reach("button", "Jump to present", most=4)
    keys.press("Enter")
    expect(keys.person.room("Attic")).not_to_contain_text("unread")
    keys.at("textbox", "Message to Attic")


def mark_unread(keys: Keyboard) -> None:
    to_message(keys, "line 37")
    keys.press("u")
    expect(keys.person.room("Attic")).to_contain_text("3 unread")
    keys.on("line 37")
    keys.press("Escape")
    keys.at("textbox", "Message to Attic")
    keys.press("Escape")
    expect(keys.person.room("Attic")).not_to_contain_text("unread")
    to_message(keys, "line 38")
    keys.press("Enter")
    keys.choose("Mark as unread")
    expect(keys.person.room("Attic")).to_contain_text("2 unread")
    keys.use("button", "Mark everything as read", key="Shift+Tab")
    expect(keys.person.room("Attic")).not_to_contain_text("unread")
    keys.at("button", "Undo")
    keys.press("Enter")
    expect(keys.person.room("Attic")).to_contain_text("2 unread")
    keys.at("textbox", "Message to Attic")
    keys.press("Shift+Escape")
    expect(keys.person.room("Attic")).not_to_contain_text("unread")


def write_offline(keys: Keyboard, proxy: CuttableProxy) -> None:
    keys.press("Control+k")
    keys.at("combobox", "Room or person")
    keys.write("Barn")
    keys.press("Enter")
    keys.at("textbox", "Message to Barn")
    proxy.cut()
    expect(keys.page.get_by_text("Reconnecting")).to_be_visible(timeout=20_000)
    keys.write("anyone there")
    keys.press("Enter")
    keys.reach("button", "Discard", key="Shift+Tab", most=8)
    keys.press("Enter")
    expect(keys.person.pending()).to_have_count(0)
    keys.at("textbox", "Message to Barn")
    keys.write("here I am")
    keys.press("Enter")
    proxy.mend()
    keys.person.sees("here I am")
    keys.at("textbox", "Message to Barn")
