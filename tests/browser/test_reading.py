"""What counts as read, in real windows: only what was on the screen while the user looked at it."""

import re
import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.browser.conftest import OpenWindow, assert_quiet
from tests.browser.person import Person
from tests.support.server import PASSWORD, Account, Server
from tests.support.waiting import eventually_blocking

SOME_MINUTES = "03:00"
UNREAD_SIGN = re.compile("icon-unread")
READ_AFTER_MS = 3_000
"""The window reports what was read within two seconds; waiting this long is enough."""


@pytest.fixture(scope="module")
def bob(server: Server) -> Account:
    return server.sign_up("bob")


class Setting:
    """Ann in a room in which Bob writes."""

    def __init__(self, server: Server, bob: Account, window: Person) -> None:
        self.ann = server.sign_up("ann")
        self.bob = bob
        self.name = f"Den of {self.ann.name}"
        self.room = self.ann.create_room(self.name)
        bob.join(self.room)
        self.window = window
        self.page = window.page

    def come(self) -> "Setting":
        self.window.log_in(self.ann.name).open_room(self.name)
        return self

    def come_by_phone(self) -> "Setting":
        """Log in with a narrow window, which shows the list of rooms first.

        The address names the room.
        """
        login = {"username": self.ann.name, "password": PASSWORD}
        assert self.page.request.post(f"{self.window.address}/api/login", data=login).ok
        self.window.open(f"/#room/{self.room}").is_in()
        self.move()
        return self

    def writes(self, *bodies: str) -> None:
        for body in bodies:
            answer = self.bob.request(
                "POST", f"/api/rooms/{self.room}/messages", json={"body": body, "key": uuid.uuid4().hex}
            )
            assert answer.status_code < 300, answer.text

    def unread(self) -> int:
        """Return how many unread messages the server counts."""
        found: int = self.ann.get(f"/api/rooms/{self.room}")["room"]["unread"]
        return found

    def line(self) -> Locator:
        return self.window.log.get_by_role("separator").filter(has_text="New since")

    def stay_unread(self, count: int) -> None:
        """Expect the messages to stay unread in this window and on the server, also after a while."""
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
def setting(server: Server, bob: Account, open_window: OpenWindow) -> Setting:
    return Setting(server, bob, open_window())


@pytest.fixture
def two(server: Server, bob: Account, browser: Browser) -> Iterator[tuple[Setting, Person]]:
    """A world, and another tab of its browser."""
    context = browser.new_context(viewport={"width": 1180, "height": 760}, locale="en-GB")
    setting = Setting(server, bob, Person(server, context.new_page()))
    other = Person(server, context.new_page())
    yield setting, other
    context.close()
    assert_quiet([setting.window, other])


def in_front(front: Person, behind: Person) -> None:
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


def test_messages_in_a_window_without_focus_stay_unread_until_it_gets_the_focus(two: tuple[Setting, Person]) -> None:
    setting, other = two
    setting.come()
    in_front(setting.window, other)
    setting.writes("seen")
    setting.window.sees("seen")
    setting.are_read()

    in_front(other, setting.window)
    setting.writes("one", "two")
    setting.stay_unread(2)
    in_front(setting.window, other)
    setting.are_read()
    setting.line_stands_above("one")


def test_messages_are_read_in_the_one_window_that_has_the_focus_and_then_in_all(two: tuple[Setting, Person]) -> None:
    setting, other = two
    setting.come()
    other.open("/").is_in()
    other.open_room("Lobby")
    in_front(other, setting.window)
    setting.writes("for all windows")
    for window in (setting.window, other):
        expect(window.room(setting.name)).to_contain_text("1 unread")
    other.open_room(setting.name)
    for window in (setting.window, other):
        expect(window.room(setting.name)).not_to_contain_text("unread")
    assert not has_focus(setting.window)


SIGNS = {
    "pointer": lambda setting: setting.move(),
    "key": lambda setting: setting.page.keyboard.press("ArrowDown"),
    "wheel": lambda setting: setting.page.mouse.wheel(0, 5),
    "click": lambda setting: setting.window.log.click(position={"x": 300, "y": 40}),
    "scroll": lambda setting: setting.page.evaluate("document.querySelector('[role=log]').scrollTop -= 5"),
}


@pytest.mark.parametrize("sign", SIGNS)
def test_messages_stay_unread_in_an_untouched_window_until_the_first_sign_of_its_user(
    setting: Setting, sign: str
) -> None:
    setting.page.clock.install()
    setting.come()
    setting.writes(*(f"before {number}" for number in range(40)))
    setting.window.sees("before 39")
    setting.are_read()

    setting.page.clock.fast_forward(SOME_MINUTES)
    setting.writes("while away", "and another")
    setting.window.sees("and another")
    setting.stay_unread(2)
    setting.line_stands_above("while away")
    SIGNS[sign](setting)
    setting.are_read()
    setting.line_stands_above("while away")


def test_a_user_who_touches_the_window_now_and_then_keeps_reading(setting: Setting) -> None:
    setting.page.clock.install()
    setting.come()
    for number in range(3):
        setting.page.clock.fast_forward("00:50")
        setting.move()
        setting.page.clock.fast_forward("00:09")
        setting.writes(f"round {number}")
        setting.window.sees(f"round {number}")
        setting.page.clock.run_for(READ_AFTER_MS)
        setting.are_read()
    expect(setting.line()).to_have_count(0)


def test_more_than_a_screenful_of_messages_is_read_only_at_its_end(setting: Setting) -> None:
    setting.page.clock.install()
    setting.come()
    setting.page.clock.fast_forward(SOME_MINUTES)
    setting.writes(*(f"line {number}" for number in range(60)))
    expect(setting.window.room(setting.name)).to_contain_text("60 unread")
    setting.line_stands_above("line 0")
    setting.move()
    setting.stay_unread(60)
    setting.page.get_by_role("button", name="60 new messages").click()
    setting.are_read()


@pytest.mark.parametrize("how", ["open", "reload"])
def test_a_page_that_was_only_loaded_marks_nothing_as_read(setting: Setting, how: str) -> None:
    setting.come()
    address = setting.page.url
    setting.are_read()
    setting.page.goto("about:blank")
    if how == "reload":
        setting.page.goto(address)
        setting.window.is_in()
    setting.writes("one", "two")
    if how == "reload":
        setting.page.reload()
    else:
        setting.page.goto(address)
    setting.window.is_in().sees("two")
    setting.stay_unread(2)
    setting.line_stands_above("one")
    setting.writes("three")
    setting.window.sees("three")
    setting.stay_unread(3)
    setting.page.keyboard.press("ArrowDown")
    setting.are_read()
    setting.line_stands_above("one")


def test_messages_behind_a_dialog_stay_unread_until_it_closes(setting: Setting) -> None:
    setting.come()
    setting.window.open_account()
    setting.writes("behind", "the dialog")
    setting.window.sees("the dialog")
    setting.stay_unread(2)
    setting.page.keyboard.press("Escape")
    setting.are_read()
    setting.line_stands_above("behind")


def test_messages_stay_unread_while_the_timeline_is_scrolled_up(setting: Setting) -> None:
    setting.come()
    setting.writes(*(f"old {number}" for number in range(60)))
    setting.window.sees("old 59")
    setting.are_read()
    setting.window.log.hover()
    setting.page.mouse.wheel(0, -900)
    expect(setting.page.get_by_role("button", name="Jump to present")).to_be_visible()
    setting.writes("new")
    expect(setting.page.get_by_role("button", name="1 new message")).to_be_visible()
    setting.stay_unread(1)
    setting.page.get_by_role("button", name="1 new message").click()
    setting.are_read()


def test_messages_on_a_phone_stay_unread_while_the_room_list_is_shown(
    server: Server, bob: Account, open_window: OpenWindow
) -> None:
    setting = Setting(server, bob, open_window(width=390, height=844))
    setting.come_by_phone()
    setting.page.get_by_role("button", name="All rooms").click()
    setting.writes("unseen")
    setting.stay_unread(1)
    setting.window.open_room(setting.name)
    expect(setting.window.room(setting.name)).to_have_count(0)
    eventually_blocking(lambda: setting.unread() == 0, 20, "the message is read")


def test_messages_stay_unread_while_the_list_of_people_covers_them(
    server: Server, bob: Account, open_window: OpenWindow
) -> None:
    setting = Setting(server, bob, open_window(width=300, height=700))
    setting.come_by_phone()
    setting.page.get_by_role("button", name="People, 2").click()
    expect(setting.page.get_by_role("complementary")).to_be_visible()
    setting.writes("unseen")
    setting.window.page.wait_for_timeout(READ_AFTER_MS)
    assert setting.unread() == 1
    setting.page.keyboard.press("Escape")
    eventually_blocking(lambda: setting.unread() == 0, 20, "the message is read")


def test_messages_stay_unread_while_the_tab_is_hidden(setting: Setting) -> None:
    setting.come()
    hide = """(state) => {
        Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    setting.page.evaluate(hide, "hidden")
    setting.writes("in the dark")
    setting.stay_unread(1)
    setting.page.evaluate(hide, "visible")
    setting.are_read()
    setting.line_stands_above("in the dark")
