"""What people write is text on every screen: nothing in it runs, and the policy has nothing to stop."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from playwright.sync_api import Locator, expect

from tests.authorisation.cast import settle
from tests.browser import xss
from tests.browser.conftest import OpenWindow
from tests.browser.person import Person
from tests.browser.planted import CROWD, LINES, NAMES, Garden, packs
from tests.browser.rooming import menu
from tests.support.server import PASSWORD, Server

NOT_FOUND = re.compile(r"status of 404 .*none\.png")
GROWN = """() => {
    const tags = new Set("script style iframe object embed base math marquee video source template noscript body head \
meta link animate form".split(" "));
    const own = (one) => one.closest("head, body > noscript") || one === document.body ||
        (one.localName === "form" && !one.querySelector("[formaction]"));
    const runs = /^\\s*(javascript|vbscript|data):/i;
    const addresses = ["href", "src", "action", "formaction", "data", "xlink:href"];
    const wrong = (one) => (tags.has(one.localName) && !own(one)) || one.hasAttribute("srcdoc") ||
        one.getAttribute("src") === "x" || [...one.attributes].some(({ name, value }) =>
            name.startsWith("on") || (addresses.includes(name) && runs.test(value)));
    return [...document.querySelectorAll("body, body *")].filter(wrong).map((one) => one.outerHTML.slice(0, 200));
}"""
"""Elements and attributes that only a text could have brought."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One with a crowd in it from the start."""
    found = Server(tmp_path_factory.mktemp("xss") / "data")
    with ThreadPoolExecutor(1) as aside:  # Playwright has a loop of its own in this thread
        people = aside.submit(lambda: asyncio.run(settle(found, CROWD))).result()
    with found:
        GARDENS[found] = Garden(found, people)
        yield found


GARDENS: dict[Server, Garden] = {}


class Visit:
    """A window that is looked at after every step."""

    def __init__(self, window: Person) -> None:
        self.window = window
        self.page = window.page
        self.seen: list[str] = []

    def look(self, where: str, shown: Locator | None = None, least: int = 1) -> None:
        """Fails if anything ran or grew; `shown` is where so many of the texts must be to be read."""
        if shown is not None:
            expect(shown.get_by_text("hit(").nth(least - 1)).to_be_attached()
        assert self.page.evaluate(GROWN) == [], where
        assert xss.hits(self.page) == [], where
        self.seen.append(where)

    def dialog(self, where: str, least: int = 1) -> None:
        """Looks at what has opened, and closes it."""
        dialog = self.page.get_by_role("dialog").last
        expect(dialog).to_be_visible()
        self.look(where, dialog, least)
        self.page.keyboard.press("Escape")
        expect(self.page.get_by_role("dialog")).to_have_count(0)


@pytest.fixture
def visit(server: Server, open_window: OpenWindow) -> Iterator[Visit]:
    window = open_window(height=1_000)
    xss.arm(window.page)
    for agent in LINES[:6]:
        login = {"username": GARDENS[server].ann.name, "password": PASSWORD}
        named = {"User-Agent": f"Firefox/1 {agent} Linux".encode().decode("latin-1", "ignore")}
        assert httpx.post(f"{server.url}/api/login", json=login, headers=named, trust_env=False).status_code == 200
    window.log_in(GARDENS[server].ann.name)
    found = Visit(window)
    yield found
    window._heard[:] = [line for line in window._heard if not NOT_FOUND.search(line)]


def test_what_is_written_anywhere_runs_nowhere(server: Server, visit: Visit) -> None:
    """A1 (CVE-2026-24050, Zulip: script in the names of groups and channels ran in what admins did), A5 (Rocket.Chat
    #14406: an error echoed what was sent). Every field that takes a text has the corpus in it."""
    garden, page = GARDENS[server], visit.page
    visit.look("the list of rooms", page.get_by_role("navigation"), len(NAMES) // 2)
    page.get_by_role("navigation").get_by_role("button", name="Attic").click()
    visit.window.is_in()
    visit.look("the timeline at its end", visit.window.log)
    visit.window.log.hover()
    while visit.window.log.get_by_text("This is the beginning of the room.").count() == 0:
        page.mouse.wheel(0, -3_000)
        visit.look("the timeline on its way")
    visit.look("the timeline at its beginning", visit.window.log)
    the_rooms_screens(visit)
    the_messages_screens(visit)
    the_chats_screens(visit)
    what_is_told(garden, visit)
    assert len(visit.seen) >= 18, visit.seen


def the_rooms_screens(visit: Visit) -> None:
    page = visit.page
    for item, least in (("Pinned messages", 20), ("Banned people", 8)):
        menu(visit.window, item)
        visit.dialog(item, least)
    for item in ("About this room", "Invite links", "Add people"):
        menu(visit.window, item)
        visit.look(item)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    visit.look("people", page.get_by_role("complementary", name="People"), 4)


def the_messages_screens(visit: Visit) -> None:
    page, log = visit.page, visit.window.log
    log.get_by_role("button", name="(edited)").first.click()
    visit.dialog("what a message said before")
    log.locator("article").nth(1).hover()
    log.locator("article").nth(1).get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Forward").click()
    visit.dialog("rooms to forward to", 10)
    log.locator("article").nth(1).hover()
    log.locator("article").nth(1).get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Reply").click()
    visit.look("what one answers", page.locator("form, footer").last)
    page.keyboard.press("Escape")
    visit.window.composer.fill("".join(LINES[1:4]))
    visit.look("what one writes")
    visit.window.composer.fill(f"@{LINES[1]}")
    visit.look("whom one might mean")
    visit.window.composer.press("Enter")
    visit.look("what was just said", log)


def the_chats_screens(visit: Visit) -> None:
    page = visit.page
    for button, least in (("Browse rooms", 10), ("Jump to a room or person", 5)):
        page.get_by_role("button", name=button, exact=True).click()
        visit.dialog(button, least)
    page.get_by_role("navigation").locator("button[aria-haspopup=menu]").last.click()
    page.get_by_role("menuitem", name="Edit status").click()
    expect(page.get_by_role("dialog").get_by_label("Status")).to_have_value(re.compile(r"hit\("))
    visit.look("what one says of oneself", page.get_by_role("navigation"))
    page.keyboard.press("Escape")
    visit.window.open_account()
    expect(page.get_by_role("dialog")).to_contain_text("Firefox on Linux")
    visit.look("where one is logged in")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="New message", exact=True).click()
    page.keyboard.type(LINES[1])
    visit.look("people who are looked for")
    for _ in range(2):  # what is suggested, and then the dialog
        page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="New room", exact=True).click()
    page.get_by_label("Name").fill(NAMES[1])
    page.get_by_role("button", name="Create room").click()
    expect(page.get_by_role("dialog")).to_contain_text("A room with this name already exists")
    visit.look("a refusal")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def what_is_told(garden: Garden, visit: Visit) -> None:
    """Live: what is said, and that one has to go, with the reason."""
    page, room = visit.page, garden.rooms[0]
    page.get_by_role("navigation").get_by_role("button", name=NAMES[1]).first.click()
    visit.window.is_in()
    visit.look("topic of the room", page.locator("main > header"))
    menu(visit.window, "About this room")
    visit.dialog("what a room is about")
    for text in LINES[:5]:
        garden.say(garden.ben, room, text)
    expect(visit.window.log.locator("article")).to_have_count(6)
    visit.look("what comes while one looks", visit.window.log)
    garden.ask(garden.ben, "POST", f"/api/rooms/{room}/bans", user=garden.ann.id, reason=packs(200)[0])
    expect(page.get_by_role("alert")).to_contain_text("You were banned from")
    visit.look("why one was banned", page.get_by_role("alert"))


PUT = """([tag, name, value]) => {
    const put = document.createElement(tag);
    put.setAttribute(name, value);
    document.body.append(put);
}"""


def test_control_a_text_that_became_an_element_is_found(visit: Visit) -> None:
    """What is looked for after every step is found once it is there."""
    visit.look("nothing of the kind")
    for number, put in enumerate((["a", "href", " javascript:1"], ["math", "id", "m"], ["img", "src", "x"])):
        visit.page.evaluate(PUT, put)
        assert len(visit.page.evaluate(GROWN)) == number + 1, put
    with pytest.raises(AssertionError):
        visit.look("what was put there")
    visit.window.forgive()
