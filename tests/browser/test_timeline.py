"""The timeline in real windows: where it opens, that it never jumps, how one gets about in it."""

import re
from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from tests.browser import axe
from tests.browser.conftest import OpenWindow
from tests.browser.person import Person
from tests.support.server import PASSWORD, Account, Server
from tests.support.waiting import eventually_blocking

MESSAGES = 370
ROW = "document.querySelector(`[data-seq='${seq}']`)"

WRITE = """async ([token, room, from, to]) => {
    const socket = new WebSocket(new URL("/ws", location.href.replace("http", "ws")), "hubbub.v1");
    const heard = (wanted) => new Promise((found) => socket.addEventListener("message", ({ data }) => {
        if (wanted(JSON.parse(data))) found();
    }));
    await new Promise((open) => socket.addEventListener("open", open));
    const welcome = heard((frame) => frame.type === "welcome");
    socket.send(JSON.stringify({ type: "hello", token }));
    await welcome;
    const last = heard((frame) => frame.re === to);
    for (let id = from; id <= to; id += 1) {
        socket.send(JSON.stringify({ id, type: "message.send", room, key: `line ${id}`, body: `line ${id}` }));
    }
    await last;
    socket.close();
}"""

# Where a row is after each picture of the screen, for as long as it is watched.
WATCH = """(seq) => {
    const top = () => document.querySelector(`[data-seq="${seq}"]`)?.getBoundingClientRect().top ?? NaN;
    window.watched = { first: top(), tops: [], go: true };
    const look = () => {
        window.watched.tops.push(top());
        if (window.watched.go) requestAnimationFrame(() => setTimeout(look));
    };
    requestAnimationFrame(() => setTimeout(look));
}"""

WATCHED = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => {
    const { first, tops } = window.watched;
    window.watched.go = false;
    done(Math.max(...tops.map((top) => Math.abs(top - first))));
}))))"""

ENDS = """() => {
    const rows = document.querySelectorAll(".timeline-row");
    return `${rows[0].dataset.seq} to ${rows[rows.length - 1].dataset.seq}`;
}"""

VISIBLE = """() => {
    const list = document.querySelector("[role=log]").getBoundingClientRect();
    const rows = [...document.querySelectorAll(".timeline-row")];
    return Number(rows.find((row) => row.getBoundingClientRect().top >= list.top).dataset.seq);
}"""


# Whether somebody looks at the window, as the browser tells its page.
LOOK = """(state) => {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


class Archive:
    """A room with much in it, and who wrote that."""

    def __init__(self, server: Server, writer: Account, window: Person) -> None:
        self.server = server
        self.writer = writer
        self.name = f"Archive of {writer.name}"
        self.room = writer.create_room(self.name)
        self.window = window
        self.written = 0

    def write(self, count: int) -> None:
        first, self.written = self.written + 1, self.written + count
        self.window.page.evaluate(WRITE, [self.writer.token, self.room, first, self.written])

    def seq_of(self, number: int) -> int:
        page = self.writer.get(f"/api/rooms/{self.room}/messages", after=0, limit=1)
        first: int = page["messages"][0]["seq"]
        return first + number - 1


@pytest.fixture(scope="module")
def archive(server: Server, browser: Browser) -> Any:
    context = browser.new_context()
    window = Person(server, context.new_page()).open()
    found = Archive(server, server.sign_up("writer"), window)
    found.write(MESSAGES)
    yield found
    context.close()


def rows(person: Person) -> int:
    return person.page.locator(".timeline-row").count()


class Held:
    """Pages of history that wait until they are let through."""

    def __init__(self, person: Person, which: str) -> None:
        self.person = person
        self.routes: list[Route] = []
        self.pattern = re.compile(rf"/messages\?.*{which}=")
        person.page.route(self.pattern, lambda route: self.routes.append(route))

    def wait(self) -> None:
        for _ in range(200):
            if self.routes:
                return
            self.person.page.wait_for_timeout(50)
        raise AssertionError("no page was asked for")

    def let_through(self) -> None:
        """The page arrives; the rows are other ones then."""
        page = self.person.page
        before = page.evaluate(ENDS)
        self.routes.pop(0).continue_()
        page.wait_for_function(f"(before) => ({ENDS})() !== before", arg=before)


def scroll_until_held(person: Person, held: Held, by: int) -> None:
    person.log.hover()
    for _ in range(100):
        if held.routes:
            return
        person.page.mouse.wheel(0, by)
        person.page.wait_for_timeout(30)
    raise AssertionError("no page was asked for")


def settle(person: Person) -> None:
    """The wheel's own movement is over."""
    person.page.wait_for_function("""() => new Promise((done) => {
        const list = document.querySelector("[role=log]");
        const before = list.scrollTop;
        setTimeout(() => done(list.scrollTop === before), 150);
    })""")


def test_what_one_reads_stays_in_place_whatever_happens_around_it(archive: Archive, open_window: OpenWindow) -> None:
    reader = open_window().log_in(archive.writer.name)
    older = Held(reader, "before")
    reader.open_room(archive.name)
    expect(reader.log.get_by_text(f"line {MESSAGES}", exact=True)).to_be_in_viewport()
    page = reader.page
    counts = []
    while reader.log.get_by_text("This is where it began.").count() == 0:
        scroll_until_held(reader, older, -400)
        settle(reader)
        page.evaluate(WATCH, page.evaluate(VISIBLE))
        older.let_through()
        assert page.evaluate(WATCHED) <= 1
        counts.append(rows(reader))
    assert len(counts) == 7
    assert max(counts) <= 330, "what is far away is let go"
    assert any(after < before for before, after in pairwise(counts)), counts

    # Back down again: what was let go comes back, and the top is let go.
    newer = Held(reader, "after")
    for _ in range(2):
        scroll_until_held(reader, newer, 400)
        settle(reader)
        page.evaluate(WATCH, page.evaluate(VISIBLE))
        newer.let_through()
        assert page.evaluate(WATCHED) <= 1
        assert rows(reader) <= 330

    # A message above grows, then one that is seen in part, then one shrinks; the composer grows; the window changes.
    here = page.evaluate(VISIBLE)
    for seq, style in ((here - 20, "200px"), (here - 1, "120px"), (here - 20, "0")):
        page.evaluate(WATCH, here)
        page.evaluate(f"([seq, style]) => {{ {ROW}.style.paddingTop = style; }}", [seq, style])
        assert page.evaluate(WATCHED) <= 1
    page.evaluate(WATCH, here)
    reader.composer.fill("\n" * 8)
    page.set_viewport_size({"width": 900, "height": 700})
    assert page.evaluate(WATCHED) <= 1
    # The watch itself sees a jump.
    page.evaluate(WATCH, here)
    page.evaluate("() => { document.querySelector('[role=log]').scrollTop += 5; }")
    assert page.evaluate(WATCHED) > 1


def test_it_opens_where_one_stopped_reading_and_counts_as_read_at_its_end(
    archive: Archive, open_window: OpenWindow
) -> None:
    guest = archive.server.sign_up("guest")
    guest.join(archive.room)
    start = archive.written
    archive.write(120)
    reader = open_window().log_in(guest.name)
    page = reader.page
    reader.open_room(archive.name)
    first = reader.log.get_by_text(f"line {start + 1}", exact=True)
    expect(first).to_be_in_viewport()
    expect(reader.log.get_by_text("New since")).to_be_in_viewport()
    expect(page.get_by_role("button", name="120 new messages")).to_be_visible()
    expect(reader.room(archive.name)).to_contain_text("99+ unread")

    # What is said meanwhile is counted, and not shown before one gets there.
    archive.write(1)
    expect(page.get_by_role("button", name="121 new messages")).to_be_visible()
    expect(first).to_be_in_viewport()
    assert guest.get(f"/api/rooms/{archive.room}")["room"]["unread"] == 121

    # The end by keyboard: from the composer back into the list, then End.
    expect(reader.composer).to_be_focused()
    for _ in range(2):
        page.keyboard.press("Shift+Tab")
    expect(page.locator(".timeline-row > article:focus")).to_have_count(1)
    page.keyboard.press("End")
    expect(reader.log.get_by_text(f"line {archive.written}", exact=True)).to_be_in_viewport()
    expect(reader.room(archive.name)).not_to_contain_text("unread")
    expect(page.get_by_role("button", name=re.compile("new messages|Jump to present"))).to_have_count(0)
    eventually_blocking(lambda: guest.get(f"/api/rooms/{archive.room}")["room"]["unread"] == 0, 10, "it is read")
    assert rows(reader) <= 330

    # Now at the end: what comes is followed, and read aloud.
    archive.write(1)
    expect(reader.log.get_by_text(f"line {archive.written}", exact=True)).to_be_in_viewport()
    expect(page.get_by_role("status").filter(has_text=f"line {archive.written}")).to_have_count(1)
    expect(reader.log).to_have_attribute("aria-live", "off")
    axe.check(page, "main")

    # While nobody looks, nothing counts as read, and what is new has its line afterwards.
    page.evaluate(LOOK, "hidden")
    archive.write(2)
    expect(reader.room(archive.name)).to_contain_text("2 unread")
    expect(reader.log.get_by_text("New since")).to_be_visible()
    page.evaluate(LOOK, "visible")
    expect(reader.room(archive.name)).not_to_contain_text("unread")
    expect(reader.log.get_by_text("New since")).to_be_in_viewport()
    eventually_blocking(lambda: guest.get(f"/api/rooms/{archive.room}")["room"]["unread"] == 0, 10, "it is read")


def test_any_message_can_be_jumped_to_and_one_is_told_where_there_is_none(
    archive: Archive, open_window: OpenWindow
) -> None:
    reader = open_window().log_in(archive.writer.name)
    page = reader.page

    def at(number: int) -> Locator:
        return reader.log.get_by_text(f"line {number}", exact=True)

    def jump(seq: int) -> None:
        page.evaluate("([room, seq]) => { location.hash = `room/${room}/${seq}`; }", [archive.room, seq])

    # A permalink opened in a fresh page, then one that is followed in the page.
    reader.open(f"/#room/{archive.room}/{archive.seq_of(40)}")
    page.reload()
    for number in (40, 200):
        expect(at(number)).to_be_in_viewport()
        expect(page.locator(".timeline-row.marked > article:focus")).to_contain_text(f"line {number}")
        expect(page.get_by_role("button", name="Jump to present")).to_be_visible()
        jump(archive.seq_of(200))

    # There is no such message: a sentence, and one stays.
    jump(archive.seq_of(archive.written) + 1000)
    expect(page.get_by_role("alert")).to_contain_text("does not exist, or is not yours to see")
    expect(at(200)).to_be_in_viewport()
    page.get_by_role("button", name="All right").click()

    # From message to message by keyboard, and away.
    at(200).click()
    page.keyboard.press("Shift+Tab")
    page.locator(f"[data-seq='{archive.seq_of(200)}'] > article").focus()
    for key, number in (("ArrowUp", 199), ("k", 198), ("ArrowDown", 199), ("j", 200)):
        page.keyboard.press(key)
        expect(page.locator("article:focus")).to_contain_text(f"line {number}")
    page.keyboard.press("PageUp")
    expect(page.locator("article:focus")).to_be_in_viewport()
    expect(page.locator("article:focus")).not_to_contain_text("line 200")
    page.keyboard.press("Escape")
    expect(reader.composer).to_be_focused()

    # What one says oneself brings one to the present.
    reader.say("and here I am")
    reader.sees("and here I am")
    expect(reader.log.get_by_text("and here I am", exact=True)).to_be_in_viewport()
    expect(page).to_have_url(re.compile(rf"#room/{archive.room}$"))
    expect(page.locator(".marked")).to_have_count(0)


def test_what_fails_to_load_is_said_and_tried_again_and_events_are_lines(
    archive: Archive, open_window: OpenWindow
) -> None:
    reader = open_window(width=360, height=640)
    reader.may_be_offline = True
    page = reader.page
    history = re.compile(r"/messages\?")
    page.route(history, lambda route: route.abort())
    page.request.post(f"{archive.server.url}/api/login", data={"username": archive.writer.name, "password": PASSWORD})
    reader.open(f"/#room/{archive.room}")
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    page.unroute(history)
    page.get_by_role("button", name="Try again").click()
    reader.is_in()

    # At the upper end, too.
    page.route(history, lambda route: route.abort())
    for _ in range(60):
        reader.log.hover()
        page.mouse.wheel(0, -600)
        if page.get_by_text("These messages could not be loaded.").count():
            break
        page.wait_for_timeout(30)
    before = rows(reader)
    page.unroute(history)
    page.get_by_role("button", name="Try again").click()
    page.wait_for_function("(before) => document.querySelectorAll('.timeline-row').length > before", arg=before)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360

    # A room without words has its events as lines, with a new one at once.
    name = f"Hall of {archive.writer.name}"
    room = archive.writer.create_room(name)
    page.get_by_role("button", name="All rooms").click()
    reader.open_room(name)
    expect(reader.log.get_by_text("Nothing has been said here yet.")).to_be_visible()
    expect(reader.log.get_by_text("You joined")).to_be_visible()
    others = [archive.server.sign_up("other") for _ in range(2)]
    for other in others:
        other.join(room)
    expect(reader.log.get_by_text(f"{others[0].name} and {others[1].name} joined")).to_be_visible()
    reader.say("hello")
    reader.sees("hello")
    page.reload()
    reader.is_in()
    expect(reader.log.get_by_text(f"{others[0].name} and {others[1].name} joined")).to_be_visible()
    axe.check(page, "main")
