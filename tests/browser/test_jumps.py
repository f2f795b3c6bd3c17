"""Jumps to messages, whatever the room showed before and with or without a network."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.archive import Archive, Reading, seen
from tests.browser.conftest import OpenWindow
from tests.browser.cuttable_proxy import CuttableProxy
from tests.browser.person import Person
from tests.support.server import Account, Server
from tests.support.waiting import eventually_blocking


@pytest.fixture(scope="module")
def archive(server: Server, browser: Browser) -> Iterator[Archive]:
    context = browser.new_context()
    yield Archive(server, server.sign_up("writer"), Person(server, context.new_page()).open())
    context.close()


def stays(reading: Reading, number: int) -> None:
    """Expect this line to stay visible after loading has finished."""
    seen(reading.line(number))
    expect(reading.person.log).to_have_attribute("aria-busy", "false")
    seen(reading.line(number))


def test_a_permalink_shows_its_message_whatever_the_room_showed_before(
    archive: Archive, open_window: OpenWindow
) -> None:
    reader = open_window().log_in(archive.writer.name).open_room(archive.name)
    reading = Reading(reader, archive)
    for number in (40, 42):  # the second one is in the cached part of the room
        reading.jump(number)
        stays(reading, number)
        reader.open_room("Lobby")


def test_a_jump_that_failed_offline_completes_after_reconnecting(archive: Archive, open_window: OpenWindow) -> None:
    archive = archive.another()
    reader = open_window()
    reader.may_be_offline = True
    reading, page = Reading(reader, archive), reader.page
    with CuttableProxy(archive.server) as proxy:
        reader.address = proxy.url
        reader.log_in(archive.writer.name).open_room(archive.name)
        reading.jump(40)
        stays(reading, 40)

        # An own message shows at once, far from its final position, and nothing asks to write it
        # again.
        proxy.cut()
        expect(page.get_by_text("Reconnecting")).to_be_visible()
        reader.say("said in the tunnel")
        seen(reader.pending().get_by_text("said in the tunnel"))
        expect(page.get_by_role("alert").filter(has_text="reached")).to_have_count(0)
        proxy.mend()
        reader.sees("said in the tunnel")
        seen(reading.line(archive.written))

        # A message the user wanted to see, and one in a room they have not opened.
        for other, number in ((None, 60), ("Lobby", 250)):
            proxy.cut()
            expect(page.get_by_text("Reconnecting")).to_be_visible()
            if other is not None:
                reader.room(other).click()
            reading.jump(number)
            expect(page.get_by_role("alert")).to_contain_text("reach the server")
            proxy.mend()
            stays(reading, number)


def test_messages_read_while_offline_are_read_after_reconnecting(server: Server, open_window: OpenWindow) -> None:
    ann, ben = server.sign_up("ann"), server.sign_up("ben")
    names = {ben.create_room(name): name for name in (f"Attic of {ben.name}", f"Cellar of {ben.name}")}
    reader = open_window()
    reader.may_be_offline = True
    with CuttableProxy(server) as proxy:
        reader.address = proxy.url
        for room in names:
            ann.join(room)
        reader.log_in(ann.name)
        for name in (*names.values(), "Lobby"):
            reader.open_room(name)
        for room, name in names.items():
            ben.request("POST", f"/api/rooms/{room}/messages", json={"key": "a", "body": "new"}).raise_for_status()
            expect(reader.room(name)).to_contain_text("unread")
        proxy.cut()
        expect(reader.page.get_by_text("Reconnecting")).to_be_visible()
        for name in names.values():
            reader.room(name).click()
            seen(reader.log.get_by_text("new", exact=True))
            expect(reader.room(name)).not_to_contain_text("unread")
        reader.room("Lobby").click()
        proxy.mend()
        eventually_blocking(
            lambda: [unread(ann, room) for room in names] == [0, 0], 20, "the server counts them as read"
        )
        for name in names.values():
            expect(reader.room(name)).not_to_contain_text("unread")


def unread(account: Account, room: int) -> int:
    found: int = account.get(f"/api/rooms/{room}")["room"]["unread_count"]
    return found
