"""What counts as read, in real windows.

Only what was on the screen while the user looked at it.
"""

import re
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.conftest import OpenWindow, assert_quiet
from tests.browser.person import Person
from tests.support.server import PASSWORD, Account, Server
from tests.support.waiting import eventually_blocking

INACTIVE = "03:00"
UNREAD_SIGN = re.compile("icon-unread")
READ_AFTER_MS = 3_000
"""The window reports what was read within two seconds; waiting this long is enough."""


@pytest.fixture(scope="module")
def bob(server: Server) -> Account:
    return server.sign_up("bob")


class World:
    """Ann in a room in which Bob writes."""

    def __init__(self, server: Server, bob: Account, window: Person) -> None:
        self.ann = server.sign_up("ann")
        self.bob = bob
        self.name = f"Den of {self.ann.name}"
        self.room = self.ann.create_room(self.name)
        bob.join(self.room)
        self.window = window
        self.page = window.page

    def log_in(self) -> "World":
        self.window.log_in(self.ann.name).open_room(self.name)
        return self

    def log_in_by_phone(self) -> "World":
        """Log in with a narrow window, which shows the list of rooms first.

        The address names the room.
        """
        login = {"username": self.ann.name, "password": PASSWORD}
        assert self.page.request.post(f"{self.window.address}/api/login", data=login).ok
        self.window.open(f"/#room/{self.room}").is_in()
        self.move()
        return self

    def bob_writes(self, *bodies: str) -> None:
        for body in bodies:
            answer = self.bob.request(
                "POST", f"/api/rooms/{self.room}/messages", json={"body": body, "key": uuid.uuid4().hex}
            )
            assert answer.status_code < 300, answer.text

    def unread(self) -> int:
        """Return how many unread messages the server counts."""
        found: int = self.ann.get(f"/api/rooms/{self.room}")["room"]["unread_count"]
        return found

    def line(self) -> Locator:
        return self.window.log.get_by_role("separator").filter(has_text="New since")

    def stay_unread(self, count: int) -> None:
        """Expect the messages to stay unread, in this window and on the server."""
        for times in range(2):
            expect(self.window.room(self.name)).to_contain_text(f"{count} unread")
            expect(self.page).to_have_title(re.compile(rf"^\({count}\) "))
            expect(self.page.locator("link[rel=icon]")).to_have_attribute("href", UNREAD_SIGN)
            assert self.unread() == count
            if times == 0:
                self.page.wait_for_timeout(READ_AFTER_MS)

    def are_read(self) -> None:
        expect(self.window.room(self.name)).not_to_contain_text("unread")
        expect(self.page).to_have_title(re.compile(r"^(?!\()"))
        eventually_blocking(lambda: self.unread() == 0, 20, "the messages are read")

    def line_stands_above(self, body: str) -> None:
        """Expect the unread line on the screen, directly above this message."""
        expect(self.line()).to_be_in_viewport()
        after = self.line().locator("xpath=following-sibling::div[contains(@class, 'timeline-row')][1]")
        expect(after.locator(".body")).to_have_text(body)

    def move(self) -> None:
        """Move the pointer twice: the first movement only tells the page where it is."""
        self.page.mouse.move(200, 300)
        self.page.mouse.move(210, 310)


@pytest.fixture
def world(server: Server, bob: Account, open_window: OpenWindow) -> World:
    return World(server, bob, open_window())


@pytest.fixture
def world_and_tab(server: Server, bob: Account, browser: Browser) -> Iterator[tuple[World, Person]]:
    """A world, and another tab of its browser."""
    context = browser.new_context(viewport={"width": 1180, "height": 760}, locale="en-GB")
    world = World(server, bob, Person(server, context.new_page()))
    other = Person(server, context.new_page())
    yield world, other
    context.close()
    assert_quiet([world.window, other])


def bring_to_front(front: Person, behind: Person) -> None:
    """Bring one of two tabs to the front, with the focus.

    Playwright emulates focus in all tabs, anew for each document.
    """
    for person in (front, behind):
        session = person.page.context.new_cdp_session(person.page)
        session.send("Emulation.setFocusEmulationEnabled", {"enabled": False})
        person.page.bring_to_front()
    front.page.bring_to_front()
    eventually_blocking(lambda: has_focus(front) and not has_focus(behind), 20, "the tab in front has the focus")


def has_focus(person: Person) -> bool:
    found: bool = person.page.evaluate("document.hasFocus()")
    return found


def test_messages_in_a_window_without_focus_stay_unread_until_it_gets_the_focus(
    world_and_tab: tuple[World, Person],
) -> None:
    world, other = world_and_tab
    world.log_in()
    bring_to_front(world.window, other)
    world.bob_writes("seen")
    world.window.sees("seen")
    world.are_read()

    bring_to_front(other, world.window)
    world.bob_writes("one", "two")
    world.stay_unread(2)
    bring_to_front(world.window, other)
    world.are_read()
    world.line_stands_above("one")


def test_messages_are_read_in_the_one_window_that_has_the_focus_and_then_in_all(
    world_and_tab: tuple[World, Person],
) -> None:
    world, other = world_and_tab
    world.log_in()
    other.open("/").is_in()
    other.open_room("Lobby")
    bring_to_front(other, world.window)
    world.bob_writes("for all windows")
    for window in (world.window, other):
        expect(window.room(world.name)).to_contain_text("1 unread")
    other.open_room(world.name)
    for window in (world.window, other):
        expect(window.room(world.name)).not_to_contain_text("unread")
    assert not has_focus(world.window)


ACTIONS = {
    "pointer": lambda world: world.move(),
    "key": lambda world: world.page.keyboard.press("ArrowDown"),
    "wheel": lambda world: world.page.mouse.wheel(0, 5),
    "click": lambda world: world.window.log.click(position={"x": 300, "y": 40}),
    "scroll": lambda world: world.page.evaluate("document.querySelector('[role=log]').scrollTop -= 5"),
}


@pytest.mark.parametrize("sign", ACTIONS)
def test_messages_stay_unread_in_an_untouched_window_until_the_first_sign_of_its_user(world: World, sign: str) -> None:
    world.page.clock.install()
    world.log_in()
    world.bob_writes(*(f"before {number}" for number in range(40)))
    world.window.sees("before 39")
    world.are_read()

    world.page.clock.fast_forward(INACTIVE)
    world.bob_writes("while away", "and another")
    world.window.sees("and another")
    world.stay_unread(2)
    world.line_stands_above("while away")
    ACTIONS[sign](world)
    world.are_read()
    world.line_stands_above("while away")


def test_a_user_who_touches_the_window_now_and_then_keeps_reading(world: World) -> None:
    world.page.clock.install()
    world.log_in()
    for number in range(3):
        world.page.clock.fast_forward("00:50")
        world.move()
        world.page.clock.fast_forward("00:09")
        world.bob_writes(f"round {number}")
        world.window.sees(f"round {number}")
        world.page.clock.run_for(READ_AFTER_MS)
        world.are_read()
    expect(world.line()).to_have_count(0)


def test_more_than_a_screenful_of_messages_is_read_only_at_its_end(world: World) -> None:
    world.page.clock.install()
    world.log_in()
    world.page.clock.fast_forward(INACTIVE)
    world.bob_writes(*(f"line {number}" for number in range(60)))
    expect(world.window.room(world.name)).to_contain_text("60 unread")
    world.line_stands_above("line 0")
    world.move()
    world.stay_unread(60)
    world.page.get_by_role("button", name="60 new messages").click()
    world.are_read()


@pytest.mark.parametrize("how", ["open", "reload"])
def test_a_page_that_was_only_loaded_marks_nothing_as_read(world: World, how: str) -> None:
    world.log_in()
    address = world.page.url
    world.are_read()
    world.page.goto("about:blank")
    if how == "reload":
        world.page.goto(address)
        world.window.is_in()
    world.bob_writes("one", "two")
    if how == "reload":
        world.page.reload()
    else:
        world.page.goto(address)
    world.window.is_in().sees("two")
    world.stay_unread(2)
    world.line_stands_above("one")
    world.bob_writes("three")
    world.window.sees("three")
    world.stay_unread(3)
    world.page.keyboard.press("ArrowDown")
    world.are_read()
    world.line_stands_above("one")


def test_messages_behind_a_dialog_stay_unread_until_it_closes(world: World) -> None:
    world.log_in()
    world.window.open_account()
    world.bob_writes("behind", "the dialog")
    world.window.sees("the dialog")
    world.stay_unread(2)
    world.page.keyboard.press("Escape")
    world.are_read()
    world.line_stands_above("behind")


def test_messages_stay_unread_while_the_timeline_is_scrolled_up(world: World) -> None:
    world.log_in()
    world.bob_writes(*(f"old {number}" for number in range(60)))
    world.window.sees("old 59")
    world.are_read()
    world.window.log.hover()
    world.page.mouse.wheel(0, -900)
    expect(world.page.get_by_role("button", name="Jump to present")).to_be_visible()
    world.bob_writes("new")
    expect(world.page.get_by_role("button", name="1 new message")).to_be_visible()
    world.stay_unread(1)
    world.page.get_by_role("button", name="1 new message").click()
    world.are_read()


def test_messages_on_a_phone_stay_unread_while_the_room_list_is_shown(
    server: Server, bob: Account, open_window: OpenWindow
) -> None:
    world = World(server, bob, open_window(width=390, height=844))
    world.log_in_by_phone()
    world.page.get_by_role("button", name="All rooms").click()
    world.bob_writes("unseen")
    world.stay_unread(1)
    world.window.open_room(world.name)
    expect(world.window.room(world.name)).to_have_count(0)
    eventually_blocking(lambda: world.unread() == 0, 20, "the message is read")


def test_messages_stay_unread_while_the_list_of_people_covers_them(
    server: Server, bob: Account, open_window: OpenWindow
) -> None:
    world = World(server, bob, open_window(width=300, height=700))
    world.log_in_by_phone()
    world.page.get_by_role("button", name="People, 2").click()
    expect(world.page.get_by_role("complementary")).to_be_visible()
    world.bob_writes("unseen")
    world.window.page.wait_for_timeout(READ_AFTER_MS)
    assert world.unread() == 1
    world.page.keyboard.press("Escape")
    eventually_blocking(lambda: world.unread() == 0, 20, "the message is read")


def test_messages_stay_unread_while_the_tab_is_hidden(world: World) -> None:
    world.log_in()
    hide = """(state) => {
        Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    world.page.evaluate(hide, "hidden")
    world.bob_writes("in the dark")
    world.stay_unread(1)
    world.page.evaluate(hide, "visible")
    world.are_read()
    world.line_stands_above("in the dark")
