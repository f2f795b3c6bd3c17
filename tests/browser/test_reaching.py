"""Getting where one wants to be in a room, whatever it showed before and whether or not the line is whole."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.archive import Archive, Reading, seen
from tests.browser.conftest import OpenWindow
from tests.browser.line import Line
from tests.browser.person import Person
from tests.support.server import Account, Server
from tests.support.waiting import eventually_blocking


@pytest.fixture(scope="module")
def archive(server: Server, browser: Browser) -> Iterator[Archive]:
    context = browser.new_context()
    yield Archive(server, server.sign_up("writer"), Person(server, context.new_page()).open())
    context.close()


def stays(reading: Reading, number: int) -> None:
    """One is at that line once nothing is on its way any more."""
    seen(reading.line(number))
    expect(reading.person.log).to_have_attribute("aria-busy", "false")
    seen(reading.line(number))


def test_a_permalink_leads_there_whatever_the_room_showed_when_one_left_it(
    archive: Archive, open_window: OpenWindow
) -> None:
    reader = open_window().log_in(archive.writer.name).open_room(archive.name)
    reading = Reading(reader, archive)
    for number in (40, 42):  # the second one is in what is kept of the room
        reading.jump(number)
        stays(reading, number)
        reader.open_room("Lobby")


def test_what_could_not_be_reached_is_gone_to_once_it_can(archive: Archive, open_window: OpenWindow) -> None:
    archive = archive.another()
    reader = open_window()
    reader.may_be_offline = True
    reading, page = Reading(reader, archive), reader.page
    with Line(archive.server) as line:
        reader.address = line.url
        reader.log_in(archive.writer.name).open_room(archive.name)
        reading.jump(40)
        stays(reading, 40)

        # One's own words are seen at once, far from where they will be, and nothing asks one to write them again.
        line.cut()
        expect(page.get_by_text("Reconnecting")).to_be_visible()
        reader.say("said in the tunnel")
        seen(reader.pending().get_by_text("said in the tunnel"))
        expect(page.get_by_role("alert").filter(has_text="reached")).to_have_count(0)
        line.mend()
        reader.sees("said in the tunnel")
        seen(reading.line(archive.written))

        # A message that one wanted to see, and one that is in a room one has not opened.
        for other, number in ((None, 60), ("Lobby", 250)):
            line.cut()
            expect(page.get_by_text("Reconnecting")).to_be_visible()
            if other is not None:
                reader.room(other).click()
            reading.jump(number)
            expect(page.get_by_role("alert")).to_contain_text("reached")
            line.mend()
            stays(reading, number)


def test_what_one_has_read_in_the_tunnel_is_read(server: Server, open_window: OpenWindow) -> None:
    ann, ben = server.sign_up("ann"), server.sign_up("ben")
    names = {ben.create_room(name): name for name in (f"Attic of {ben.name}", f"Cellar of {ben.name}")}
    reader = open_window()
    reader.may_be_offline = True
    with Line(server) as line:
        reader.address = line.url
        for room in names:
            ann.join(room)
        reader.log_in(ann.name)
        for name in (*names.values(), "Lobby"):
            reader.open_room(name)
        for room, name in names.items():
            ben.request("POST", f"/api/rooms/{room}/messages", json={"key": "a", "body": "new"}).raise_for_status()
            expect(reader.room(name)).to_contain_text("unread")
        line.cut()
        expect(reader.page.get_by_text("Reconnecting")).to_be_visible()
        for name in names.values():
            reader.room(name).click()
            seen(reader.log.get_by_text("new", exact=True))
            expect(reader.room(name)).not_to_contain_text("unread")
        reader.room("Lobby").click()
        line.mend()
        eventually_blocking(lambda: [unread(ann, room) for room in names] == [0, 0], 20, "the server knows")
        for name in names.values():
            expect(reader.room(name)).not_to_contain_text("unread")


def unread(account: Account, room: int) -> int:
    found: int = account.get(f"/api/rooms/{room}")["room"]["unread"]
    return found
