"""A room with many messages, and a check that visible messages do not move."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Locator, Route, expect

from tests.browser.person import Person
from tests.support.server import Account, Server

MESSAGES = 370
ROWS = 380
"""The page never holds more rows: 350 and a page that has just arrived."""

WRITE = """async ([token, room, from, to]) => {
    const socket = new WebSocket(new URL("/ws", location.href.replace("http", "ws")), "hubbub.v1");
    const nextFrame = (wanted) => new Promise((found) => socket.addEventListener("message", ({ data }) => {
        if (wanted(JSON.parse(data))) found();
    }));
    await new Promise((open) => socket.addEventListener("open", open));
    const welcome = nextFrame((frame) => frame.type === "welcome");
    socket.send(JSON.stringify({ type: "hello", token }));
    await welcome;
    const last = nextFrame((frame) => frame.re === to);
    for (let id = from; id <= to; id += 1) {
        socket.send(JSON.stringify({ id, type: "message.send", room, key: `line ${id}`, body: `line ${id}` }));
    }
    await last;
    socket.close();
}"""

# Record a row's position after each frame while it is watched. One sample may fall between a change
# and the frame that compensates it; such a sample is never painted. Two in a row may not be off.
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
    const off = tops.map((top) => Math.abs(top - first));
    done(Math.max(...off.map((one, at) => Math.min(one, off[at + 1] ?? one))));
}))))"""
VISIBLE = """() => {
    const list = document.querySelector("[role=log]").getBoundingClientRect();
    const rows = [...document.querySelectorAll(".timeline-row")];
    return Number(rows.find((row) => row.getBoundingClientRect().top > list.top - 1).dataset.seq);
}"""
ENDS = """() => {
    const rows = document.querySelectorAll(".timeline-row");
    return `${rows[0].dataset.seq} to ${rows[rows.length - 1].dataset.seq}`;
}"""
# Not by the wheel, whose movement continues for a while.
SCROLL = "(by) => { document.querySelector('[role=log]').scrollTop += by; }"


class Archive:
    """A room with many messages.

    `window` belongs to an anonymous user, whose page sends them by WebSocket.
    """

    def __init__(self, server: Server, writer: Account, window: Person) -> None:
        self.server = server
        self.writer = writer
        self.name = f"Archive of {writer.name}"
        self.room = writer.create_room(self.name)
        self.window = window
        self.written = 0
        self.write(MESSAGES)
        page = writer.get(f"/api/rooms/{self.room}/messages", after=0, limit=1)
        self.first: int = page["messages"][0]["seq"]

    def another(self) -> "Archive":
        return Archive(self.server, self.server.sign_up("writer"), self.window)

    def write(self, count: int) -> None:
        """Send `line 1` and so on."""
        first, self.written = self.written + 1, self.written + count
        self.window.page.evaluate(WRITE, [self.writer.token, self.room, first, self.written])

    def unread(self, account: Account) -> int:
        """Return how many messages the server counts as unread."""
        found: int = account.get(f"/api/rooms/{self.room}")["room"]["unread_count"]
        return found


class Reading:
    """A user who reads in an archive."""

    def __init__(self, person: Person, archive: Archive) -> None:
        self.person = person
        self.page = person.page
        self.archive = archive

    def line(self, number: int) -> Locator:
        return self.person.log.get_by_text(f"line {number}", exact=True)

    def rows(self) -> int:
        return self.page.locator(".timeline-row").count()

    def top(self) -> int:
        """Return the seq of the first message that is fully visible."""
        found: int = self.page.evaluate(VISIBLE)
        return found

    def jump(self, number: int) -> None:
        """Follow the permalink of a line."""
        seq = self.archive.first + number - 1
        self.page.evaluate("(hash) => { location.hash = hash; }", f"room/{self.archive.room}/{seq}")

    def moved(self) -> float:
        """Return the largest distance of the watched row from its start, in pixels."""
        found: float = self.page.evaluate(WATCHED)
        return found

    def watch(self) -> None:
        self.page.evaluate(WATCH, self.top())

    @contextmanager
    def stays(self) -> Iterator[None]:
        """Assert that the visible messages move by at most one pixel during the block."""
        self.watch()
        yield
        moved = self.moved()
        assert moved <= 1, f"moved by {moved} pixels"

    def scroll(self, by: int) -> None:
        self.page.evaluate(SCROLL, by)


class Held:
    """Holds back pages of history until they are released."""

    def __init__(self, reading: Reading, which: str) -> None:
        self.reading = reading
        self.routes: list[Route] = []
        reading.page.route(re.compile(rf"/messages\?.*{which}="), lambda route: self.routes.append(route))

    def scroll(self, by: int) -> None:
        """Scroll until a page is requested."""
        for _ in range(300):
            if self.routes:
                return
            self.reading.scroll(by)
            self.reading.page.wait_for_timeout(30)
        raise AssertionError("no page was requested")

    def let_through(self) -> None:
        """Let the page arrive, and wait until the rows have changed."""
        page = self.reading.page
        before = page.evaluate(ENDS)
        self.routes.pop(0).continue_()
        page.wait_for_function(f"(before) => ({ENDS})() !== before", arg=before)


def seen(line: Locator) -> None:
    expect(line).to_be_in_viewport()
