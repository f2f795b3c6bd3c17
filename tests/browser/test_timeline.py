"""The timeline in real windows.

The tests cover where it opens, that it never jumps, and how to move in it.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import axe
from tests.browser.archive import MESSAGES, ROWS, Archive, Held, Reading, seen
from tests.browser.conftest import OpenWindow
from tests.browser.person import Person
from tests.support.server import PASSWORD, Server
from tests.support.waiting import eventually_blocking

# In the very frame that shows it, so that no sample falls in between.
STYLE = """([seq, height]) => new Promise((done) => requestAnimationFrame(() => {
    document.querySelector(`[data-seq='${seq}']`).style.paddingTop = height;
    done();
}))"""
# Set the page's visibility, as the browser reports it.
LOOK = """(state) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture(scope="module")
def archive(server: Server, browser: Browser) -> Iterator[Archive]:
    """An archive that tests add to.

    A test that counts its messages takes its own: `archive.another()`.
    """
    context = browser.new_context()
    yield Archive(server, server.sign_up("writer"), Person(server, context.new_page()).open())
    context.close()


def test_visible_messages_stay_in_place_when_pages_load_and_unload(archive: Archive, open_window: OpenWindow) -> None:
    archive = archive.another()
    reader = open_window().log_in(archive.writer.name)
    reading = Reading(reader, archive)
    older, newer = Held(reading, "before"), Held(reading, "after")
    reader.open_room(archive.name)
    seen(reading.line(MESSAGES))
    counts = []
    while reader.log.get_by_text("This is the beginning of the room.").count() == 0:
        older.scroll(-400)
        with reading.stays():
            older.let_through()
        counts.append(reading.rows())
    assert len(counts) == 7
    assert max(counts) <= ROWS
    assert any(after < before for before, after in pairwise(counts)), "distant rows are unloaded"
    # Back down again: unloaded rows return, and the top is unloaded.
    for _ in range(2):
        newer.scroll(400)
        with reading.stays():
            newer.let_through()
        assert reading.rows() <= ROWS
    # Sending a message jumps to the present, which is loaded by now.
    reader.say("and here I am")
    reader.sees("and here I am")
    seen(reader.log.get_by_text("and here I am", exact=True))


def test_visible_messages_stay_in_place_when_heights_change(archive: Archive, open_window: OpenWindow) -> None:
    reader = open_window().log_in(archive.writer.name).open_room(archive.name)
    reading = Reading(reader, archive)
    reading.jump(200)
    seen(reading.line(200))
    expect(reading.page.locator(".timeline-row")).to_have_count(150)
    reading.scroll(310)
    reading.watch()
    reading.moved()
    here = reading.top()
    # A message above grows, then a partly visible one, then the first one shrinks.
    for seq, height in ((here - 20, "200px"), (here - 1, "120px"), (here - 20, "0")):
        with reading.stays():
            reading.page.evaluate(STYLE, [seq, height])
    with reading.stays():
        reader.composer.fill("\n" * 8)
        reading.page.set_viewport_size({"width": 900, "height": 700})
    # Control: the watch detects a jump.
    reading.watch()
    reading.scroll(5)
    assert reading.moved() > 1


def test_a_room_opens_at_the_first_unread_message_and_is_read_at_its_end(
    archive: Archive, open_window: OpenWindow
) -> None:
    guest = archive.server.sign_up("guest")
    guest.join(archive.room)
    first = archive.written + 1
    archive.write(120)
    reader = open_window().log_in(guest.name).open_room(archive.name)
    reading, page = Reading(reader, archive), reader.page
    seen(reading.line(first))
    seen(reader.log.get_by_text("New since"))
    expect(page.get_by_role("button", name="120 new messages")).to_be_visible()

    # New messages are counted, and not shown before the reader gets there.
    archive.write(1)
    expect(page.get_by_role("button", name="121 new messages")).to_be_visible()
    seen(reading.line(first))
    assert archive.unread(guest) == 121

    # To the end by keyboard: from the composer back into the list, then End.
    expect(reader.composer).to_be_focused()
    for _ in range(2):
        page.keyboard.press("Shift+Tab")
    expect(page.locator(".timeline-row > article:focus")).to_have_count(1)
    page.keyboard.press("End")
    seen(reading.line(archive.written))
    expect(reader.room(archive.name)).not_to_contain_text("unread")
    expect(page.get_by_role("button", name=re.compile("new messages|Jump to present"))).to_have_count(0)
    eventually_blocking(lambda: archive.unread(guest) == 0, 10, "the room is read")
    assert reading.rows() <= ROWS


def test_new_messages_are_followed_and_only_read_while_the_window_is_visible(
    archive: Archive, open_window: OpenWindow
) -> None:
    guest = archive.server.sign_up("guest")
    guest.join(archive.room)
    reader = open_window().log_in(guest.name).open_room(archive.name)
    reading, page = Reading(reader, archive), reader.page
    seen(reading.line(archive.written))
    archive.write(1)
    seen(reading.line(archive.written))
    # New messages are announced to screen readers, loaded ones are not.
    expect(page.get_by_role("status").filter(has_text=f"line {archive.written}")).to_have_count(1)
    expect(reader.log).to_have_attribute("aria-live", "off")
    axe.check(page, "main")

    page.evaluate(LOOK, "hidden")
    archive.write(2)
    expect(reader.room(archive.name)).to_contain_text("2 unread")
    expect(reader.log.get_by_text("New since")).to_be_visible()
    page.evaluate(LOOK, "visible")
    expect(reader.room(archive.name)).not_to_contain_text("unread")
    seen(reader.log.get_by_text("New since"))
    eventually_blocking(lambda: archive.unread(guest) == 0, 10, "the room is read")


def test_the_timeline_jumps_to_any_message(archive: Archive, open_window: OpenWindow) -> None:
    reader = open_window().log_in(archive.writer.name)
    reading, page = Reading(reader, archive), reader.page
    # A permalink opened in a fresh page, then one that is followed in the page.
    reader.open(f"/#room/{archive.room}/{archive.first + 39}")
    page.reload()
    for number in (40, 200):
        seen(reading.line(number))
        expect(page.locator(".timeline-row.marked > article:focus")).to_contain_text(f"line {number}")
        reading.jump(200)
    # A missing message shows an error, and the timeline stays.
    reading.jump(100_000)
    expect(page.get_by_role("alert")).to_contain_text("doesn't exist, or you don't have access to it")
    seen(reading.line(200))
    page.get_by_role("button", name="Got it").click()
    page.get_by_role("button", name="Jump to present").click()
    seen(reading.line(archive.written))
    expect(page).to_have_url(re.compile(rf"#room/{archive.room}$"))
    expect(page.locator(".marked")).to_have_count(0)


def test_keys_move_from_message_to_message(archive: Archive, open_window: OpenWindow) -> None:
    reader = open_window().log_in(archive.writer.name).open_room(archive.name)
    reading, page = Reading(reader, archive), reader.page
    reading.jump(200)
    focus = page.locator(".timeline-row > article:focus")
    expect(focus).to_contain_text("line 200")
    for key, number in (("ArrowUp", 199), ("k", 198), ("ArrowDown", 199), ("j", 200)):
        page.keyboard.press(key)
        expect(focus).to_contain_text(f"line {number}")
    page.keyboard.press("PageUp")
    expect(focus).not_to_contain_text("line 200")
    seen(focus)
    page.keyboard.press("Escape")
    expect(reader.composer).to_be_focused()


def test_a_failed_load_shows_an_error_and_can_be_retried(archive: Archive, open_window: OpenWindow) -> None:
    reader = open_window(width=360, height=640)
    reader.may_be_offline = True
    page = reader.page
    history = re.compile(r"/messages\?")
    page.route(history, lambda route: route.abort())
    page.request.post(f"{archive.server.url}/api/login", data={"username": archive.writer.name, "password": PASSWORD})
    reader.open(f"/#room/{archive.room}")
    expect(page.get_by_role("alert")).to_contain_text("Couldn't load messages")
    page.unroute(history)
    page.get_by_role("button", name="Try again").click()
    reader.is_in()
    # The same at the upper end.
    page.route(history, lambda route: route.abort())
    reader.log.hover()
    for _ in range(300):
        page.mouse.wheel(0, -600)
        if page.get_by_text("Couldn't load messages.").count():
            break
        page.wait_for_timeout(30)
    before = Reading(reader, archive).rows()
    page.unroute(history)
    page.get_by_role("button", name="Try again").click()
    page.wait_for_function("(before) => document.querySelectorAll('.timeline-row').length > before", arg=before)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_an_empty_room_says_so_and_its_events_are_lines(server: Server, open_window: OpenWindow) -> None:
    owner = server.sign_up("owner")
    name = f"Hall of {owner.name}"
    room = owner.create_room(name)
    reader = open_window().log_in(owner.name).open_room(name)
    expect(reader.log.get_by_text("No messages yet.")).to_be_visible()
    expect(reader.log.get_by_text("You joined")).to_be_visible()
    others = [server.sign_up("other") for _ in range(2)]
    for other in others:
        other.join(room)
    line = reader.log.get_by_text(f"{others[0].name} and {others[1].name} joined")
    expect(line).to_be_visible()
    reader.say("hello")
    reader.sees("hello")
    reader.page.reload()
    reader.is_in()
    expect(line).to_be_visible()
    axe.check(reader.page, "main")
