"""User text is text on every screen: it runs no script and violates no policy."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from playwright.sync_api import Locator, expect

from tests.authorisation.world import create_users
from tests.browser import xss
from tests.browser.conftest import OpenWindow
from tests.browser.person import Person
from tests.browser.rooms import menu
from tests.browser.xss_world import CROWD, LINES, NAMES, World, packs
from tests.support.server import PASSWORD, Server

NOT_FOUND = re.compile(r"status of 404 .*none\.png")
INJECTED = """() => {
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
"""Elements and attributes that only user text could have created."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a crowd of users from the start."""
    found = Server(tmp_path_factory.mktemp("xss") / "data")
    with ThreadPoolExecutor(1) as pool:  # Playwright has a loop of its own in this thread
        people = pool.submit(lambda: asyncio.run(create_users(found, CROWD))).result()
    with found:
        WORLDS[found] = World(found, people)
        yield found


WORLDS: dict[Server, World] = {}


class ScriptChecker:
    """A window that is checked after every step."""

    def __init__(self, window: Person) -> None:
        self.window = window
        self.page = window.page
        self.seen: list[str] = []

    def check(self, where: str, shown: Locator | None = None, least: int = 1) -> None:
        """Fail if a script ran or an element was injected.

        `shown` must contain at least `least` texts.
        """
        if shown is not None:
            expect(shown.get_by_text("hit(").nth(least - 1)).to_be_attached()
        assert self.page.evaluate(INJECTED) == [], where
        assert xss.hits(self.page) == [], where
        self.seen.append(where)

    def dialog(self, where: str, least: int = 1) -> None:
        """Check the open dialog, and close it."""
        dialog = self.page.get_by_role("dialog").last
        expect(dialog).to_be_visible()
        self.check(where, dialog, least)
        self.page.keyboard.press("Escape")
        expect(self.page.get_by_role("dialog")).to_have_count(0)


@pytest.fixture
def checker(server: Server, open_window: OpenWindow) -> Iterator[ScriptChecker]:
    window = open_window(height=1_000)
    xss.arm(window.page)
    for agent in LINES[:6]:
        login = {"username": WORLDS[server].ann.name, "password": PASSWORD}
        named = {"User-Agent": f"Firefox/1 {agent} Linux".encode().decode("latin-1", "ignore")}
        assert httpx.post(f"{server.url}/api/login", json=login, headers=named, trust_env=False).status_code == 200
    window.log_in(WORLDS[server].ann.name)
    found = ScriptChecker(window)
    yield found
    window._heard[:] = [line for line in window._heard if not NOT_FOUND.search(line)]


def test_user_text_in_any_field_runs_no_script_on_any_screen(server: Server, checker: ScriptChecker) -> None:
    """A1 (CVE-2026-24050, Zulip), A5 (Rocket.Chat #14406): user text runs nowhere.

    A1: a script in the names of groups and channels ran in what admins did. A5: an error echoed
    what was sent. Every field that takes a text has the corpus in it.
    """
    world, page = WORLDS[server], checker.page
    checker.check("the list of rooms", page.get_by_role("navigation"), len(NAMES) // 2)
    page.get_by_role("navigation").get_by_role("button", name="Attic").click()
    checker.window.is_in()
    checker.check("the timeline at its end", checker.window.log)
    checker.window.log.hover()
    while checker.window.log.get_by_text("This is the beginning of the room.").count() == 0:
        page.mouse.wheel(0, -3_000)
        checker.check("the timeline on its way")
    checker.check("the timeline at its beginning", checker.window.log)
    check_room_screens(checker)
    check_message_screens(checker)
    check_site_screens(checker)
    check_live_updates(world, checker)
    assert len(checker.seen) >= 18, checker.seen


def check_room_screens(checker: ScriptChecker) -> None:
    page = checker.page
    for item, least in (("Pinned messages", 20), ("Banned people", 8), ("Webhooks", 8)):
        menu(checker.window, item)
        checker.dialog(item, least)
    for item in ("About this room", "Invite links", "Add people"):
        menu(checker.window, item)
        checker.check(item)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    checker.check("people", page.get_by_role("complementary", name="People"), 4)


def check_message_screens(checker: ScriptChecker) -> None:
    page, log = checker.page, checker.window.log
    log.get_by_role("button", name="(edited)").first.click()
    checker.dialog("edit history")
    log.locator("article").nth(1).hover()
    log.locator("article").nth(1).get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Forward").click()
    checker.dialog("rooms to forward to", 10)
    log.locator("article").nth(1).hover()
    log.locator("article").nth(1).get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Reply").click()
    checker.check("reply preview", page.locator("form, footer").last)
    page.keyboard.press("Escape")
    checker.window.composer.fill("".join(LINES[1:4]))
    checker.check("composer")
    checker.window.composer.fill(f"@{LINES[1]}")
    checker.check("mention suggestions")
    checker.window.composer.press("Enter")
    checker.check("own new message", log)


def check_site_screens(checker: ScriptChecker) -> None:
    page = checker.page
    for button, least in (("Browse rooms", 10), ("Jump to a room or person", 5)):
        page.get_by_role("button", name=button, exact=True).click()
        checker.dialog(button, least)
    page.get_by_role("navigation").locator("button[aria-haspopup=menu]").last.click()
    page.get_by_role("menuitem", name="Edit status").click()
    expect(page.get_by_role("dialog").get_by_label("Status")).to_have_value(re.compile(r"hit\("))
    checker.check("own status", page.get_by_role("navigation"))
    page.keyboard.press("Escape")
    checker.window.open_account()
    expect(page.get_by_role("dialog")).to_contain_text("Firefox on Linux")
    checker.check("sessions")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="New message", exact=True).click()
    page.keyboard.type(LINES[1])
    checker.check("people search")
    for _ in range(2):  # the suggestions, and then the dialog
        page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="New room", exact=True).click()
    page.get_by_label("Name").fill(NAMES[1])
    page.get_by_role("button", name="Create room").click()
    expect(page.get_by_role("dialog")).to_contain_text("A room with this name already exists")
    checker.check("error")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def check_live_updates(world: World, checker: ScriptChecker) -> None:
    """Check messages that arrive live, and a ban with its reason."""
    page, room = checker.page, world.rooms[0]
    page.get_by_role("navigation").get_by_role("button", name=NAMES[1]).first.click()
    checker.window.is_in()
    checker.check("topic of the room", page.locator("main > header"))
    menu(checker.window, "About this room")
    checker.dialog("room details")
    for text in LINES[:5]:
        world.say(world.ben, room, text)
    expect(checker.window.log.locator("article")).to_have_count(6)
    checker.check("live messages", checker.window.log)
    world.ask(world.ben, "PUT", f"/api/rooms/{room}/bans/{world.ann.id}", reason=packs(200)[0])
    expect(page.get_by_role("alert")).to_contain_text("You were banned from")
    checker.check("ban reason", page.get_by_role("alert"))


INJECT = """([tag, name, value]) => {
    const put = document.createElement(tag);
    put.setAttribute(name, value);
    document.body.append(put);
}"""


def test_control_text_that_became_an_element_is_detected(checker: ScriptChecker) -> None:
    """Control: injected elements are found by the check after each step."""
    checker.check("no injected element")
    with checker.page.expect_console_message(lambda message: "404" in message.text):  # The image does not exist.
        for number, put in enumerate((["a", "href", " javascript:1"], ["math", "id", "m"], ["img", "src", "x"])):
            checker.page.evaluate(INJECT, put)
            assert len(checker.page.evaluate(INJECTED)) == number + 1, put
    with pytest.raises(AssertionError):
        checker.check("injected elements")
    checker.window.forgive()
