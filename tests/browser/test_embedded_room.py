"""`<hubbub-room>` in the page of a host application with a strict Content-Security-Policy."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser, FrameLocator, Locator, Page, expect

from tests.browser import axe
from tests.browser.conftest import a_window, assert_quiet
from tests.browser.person import Person
from tests.support.mounted import MountedServer

HOST = "tests.support.embedding_host:app"
Start = Callable[..., MountedServer]
OpenPage = Callable[..., Person]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Return `start(TOKENS="1", …)`, which starts the host application once for each set of settings."""
    running: dict[tuple[tuple[str, str], ...], MountedServer] = {}

    def started(**settings: str) -> MountedServer:
        key = tuple(sorted(settings.items()))
        if key not in running:
            server = running[key] = MountedServer(tmp_path_factory.mktemp("embedding") / "app", app=HOST)
            server.settings.update(settings)
            server.start()
        return running[key]

    yield started
    for server in running.values():
        server.kill()
        assert "Traceback" not in server.log_text(), server.log_text()[-6000:]


@pytest.fixture(scope="module")
def server(start: Start) -> MountedServer:
    return start()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Return `open_page(server, name, path)`: a window of a user who is logged in at the host, or not."""
    people: list[Person] = []

    def opened(server: MountedServer, name: str = "", path: str = "/orders", width: int = 1180) -> Person:
        person = a_window(browser, server, width)
        people.append(person)
        if name:
            log_in(person, server, name)
        person.page.goto(server.origin + path)
        return person

    yield opened
    for person in people:
        person.page.context.close()
    assert_quiet(people)


def log_in(person: Person, server: MountedServer, name: str) -> None:
    person.page.request.post(f"{server.origin}/log-in?name={name}")


def log_out(person: Person, server: MountedServer) -> None:
    assert person.page.request.post(f"{server.origin}/log-out").ok


def room(person: Person, nth: int = 0) -> FrameLocator:
    return person.page.locator("hubbub-room").nth(nth).locator("iframe").content_frame


def composer(frame: FrameLocator, name: str = "Lobby") -> Locator:
    return frame.get_by_label(f"Message to {name}")


def say(frame: FrameLocator, text: str, name: str = "Lobby") -> None:
    composer(frame, name).fill(text)
    composer(frame, name).press("Enter")


def sees(frame: FrameLocator, text: str) -> Locator:
    found = frame.get_by_role("log").get_by_text(text, exact=True)
    expect(found).to_be_visible()
    return found


def states(page: Page) -> list[str]:
    found: list[str] = page.evaluate("states")
    return found


def has_state(person: Person, state: str, nth: int = 0) -> None:
    person.page.wait_for_function(
        "([state, nth]) => document.querySelectorAll('hubbub-room')[nth].state === state", arg=[state, nth]
    )


def new_room(server: MountedServer, name: str, title: str, kind: str = "private") -> int:
    """Create a room as this user."""
    with httpx.Client(trust_env=False, cookies={"name": name}, headers={"Origin": server.origin}) as client:
        answer = client.post(f"{server.url}/api/rooms", json={"name": title, "kind": kind})
        assert answer.status_code in (200, 201), answer.text
        return int(answer.json()["room"]["id"])


def test_two_people_talk_reply_and_react_in_the_hosts_page(server: MountedServer, open_page: OpenPage) -> None:
    ann, ben = open_page(server, "ann"), open_page(server, "ben")
    say(room(ann), "where are the chairs?")
    message = sees(room(ben), "where are the chairs?")
    message.hover()
    room(ben).get_by_role("button", name="Reply").click()
    say(room(ben), "on their way")
    answer = sees(room(ann), "on their way")
    expect(room(ann).get_by_role("log").locator("article", has_text="on their way")).to_contain_text(
        "where are the chairs?"
    )
    answer.hover()
    room(ann).get_by_role("button", name="React with 👍").click()
    expect(
        room(ben).get_by_role("log").locator("article", has_text="on their way").locator("[aria-pressed]")
    ).to_be_visible()
    room(ann).get_by_role("button", name="People").click()
    expect(room(ann).locator("aside").get_by_text("ben", exact=True)).to_be_visible()


def test_the_hosts_page_keeps_its_title_address_history_focus_and_keys(
    server: MountedServer, open_page: OpenPage
) -> None:
    person = open_page(server, "cleo")
    page = person.page
    has_state(person, "ready")
    before = page.evaluate("history.length")
    assert page.evaluate("document.activeElement.id") == "search", "the composer has not taken the focus"
    page.keyboard.type("chairs")
    assert page.get_by_label("Search orders").input_value() == "chairs"
    page.keyboard.press("Control+k")
    page.keyboard.press("?")
    assert page.evaluate("keys.slice(-2)") == ["k", "?"]
    assert room(person).get_by_role("dialog").count() == 0
    say(room(person), "a message to link to")
    sees(room(person), "a message to link to")
    # A link to a message of the room moves the view of the room alone.
    link = f"{server.url}/#room/1"
    say(room(person), link)
    sees(room(person), link)
    room(person).locator("body").evaluate(
        "() => { const link = document.createElement('a'); link.href = '#room/1/1'; link.textContent = 'up';"
        " document.querySelector('main').append(link); link.click(); link.remove(); }"
    )
    assert (page.title(), page.url) == ("Orders", f"{server.origin}/orders")
    assert page.evaluate("history.length") == before
    assert page.locator("link[rel=icon]").get_attribute("href") == "/host.svg"
    expect(page.locator("hubbub-room iframe")).to_have_attribute("title", "Chat: Lobby")


def test_unread_messages_are_told_to_the_hosts_page(server: MountedServer, open_page: OpenPage) -> None:
    dan, eva = open_page(server, "dan"), open_page(server, "eva")
    badge = dan.page.get_by_label("Unread messages")
    has_state(dan, "ready")
    dan.page.get_by_label("Search orders").focus()
    expect(badge).to_have_text("0")
    has_state(eva, "ready")
    say(room(eva), "one")
    say(room(eva), "two")
    expect(badge).to_have_text("2")
    assert dan.page.locator("hubbub-room").evaluate("(room) => room.unread") == 2
    composer(room(dan)).click()
    expect(badge).to_have_text("0")


def test_several_rooms_are_shown_removed_and_added(server: MountedServer, open_page: OpenPage) -> None:
    person = open_page(server, "flo", "/orders?room=1")
    other = new_room(server, "flo", "Packing")
    has_state(person, "ready")
    person.page.evaluate(
        "(id) => { const room = document.createElement('hubbub-room'); room.setAttribute('room', id);"
        " document.getElementById('rooms').append(room); }",
        str(other),
    )
    has_state(person, "ready", 1)
    say(room(person, 1), "boxes", "Packing")
    sees(room(person, 1), "boxes")
    person.page.locator("hubbub-room").first.evaluate("(room) => room.remove()")
    expect(person.page.locator("hubbub-room")).to_have_count(1)
    sees(room(person), "boxes")
    # Another room in the same element, and one that is none.
    person.page.locator("hubbub-room").evaluate("(room) => room.setAttribute('room', '1')")
    expect(composer(room(person))).to_be_visible()
    person.page.locator("hubbub-room").evaluate("(room) => room.setAttribute('room', 'lobby')")
    expect(person.page.get_by_text("must be the id of a room")).to_be_visible()


def test_a_room_the_user_is_not_in_says_so_and_offers_to_join_a_public_one(
    server: MountedServer, open_page: OpenPage
) -> None:
    with httpx.Client(trust_env=False) as client:
        client.post(f"{server.origin}/log-in?name=gus")
    secret, public = new_room(server, "gus", "Accounts"), new_room(server, "gus", "Garden", "public")
    person = open_page(server, "hal", f"/orders?room={secret},{public}")
    has_state(person, "not-a-member")
    expect(room(person).get_by_text("you don't have access to it")).to_be_visible()
    room(person, 1).get_by_role("button", name="Join Garden").click()
    has_state(person, "ready", 1)
    say(room(person, 1), "hello garden", "Garden")
    sees(room(person, 1), "hello garden")


def test_a_log_out_of_the_host_ends_the_room_at_once_and_a_log_in_brings_it_back(
    server: MountedServer, open_page: OpenPage
) -> None:
    # Room 999 does not exist: the page that says so ends without an error, too.
    person, stays = open_page(server, "ida", "/orders?room=1,999"), open_page(server, "jim")
    has_state(person, "not-a-member", 1)
    say(room(person), "before")
    log_out(person, server)
    has_state(person, "logged-out")
    has_state(person, "logged-out", 1)
    expect(room(person).get_by_text("You were logged out")).to_be_visible()
    expect(composer(room(person))).to_have_count(0)
    say(room(stays), "still here")
    sees(room(stays), "still here")
    log_in(person, server, "ida")
    person.page.locator("hubbub-room").first.evaluate("(room) => room.refresh()")
    has_state(person, "ready")
    sees(room(person), "still here")


def test_a_visitor_is_asked_to_log_in(start: Start, open_page: OpenPage) -> None:
    server = start(LOG_IN_PAGE="1")
    person = open_page(server)
    has_state(person, "logged-out")
    expect(room(person).get_by_text("You're not logged in.")).to_be_visible()
    link = room(person).get_by_role("link", name="Log in")
    assert link.get_attribute("target") == "_top"
    link.click()
    person.page.wait_for_url(f"{server.origin}/log-in?from=chat")


def test_while_the_server_is_away_the_room_says_so_and_returns(start: Start, open_page: OpenPage) -> None:
    server = start(AWAY="1")
    person = open_page(server, "kim")
    person.may_be_offline = True
    say(room(person), "before the end")
    sees(room(person), "before the end")
    server.kill()
    has_state(person, "away")
    expect(room(person).get_by_text("You're offline.")).to_be_visible()
    server.start()
    log_in(person, server, "kim")  # the host forgets its log-ins when it starts
    person.page.locator("hubbub-room").evaluate("(room) => room.refresh()")
    room(person).get_by_role("button", name="Reconnect now").or_(
        room(person).get_by_role("button", name="Try again")
    ).or_(composer(room(person))).first.wait_for()
    has_state(person, "ready")
    sees(room(person), "before the end")


def colour(person: Person, what: str = "backgroundColor") -> str:
    found: str = room(person).locator("html").evaluate(f"(root) => getComputedStyle(root).{what}")
    return found


def test_the_look_follows_the_hosts_properties_and_its_light_and_dark(
    server: MountedServer, open_page: OpenPage
) -> None:
    person = open_page(server, "lea")
    page = person.page
    has_state(person, "ready")
    light = colour(person)
    page.emulate_media(color_scheme="dark")
    expect(room(person).locator("html")).not_to_have_css("background-color", light)
    page.evaluate("document.body.className = 'light'")
    expect(room(person).locator("html")).to_have_css("background-color", light)
    page.evaluate("document.body.className = 'dark'")
    expect(room(person).locator("html")).not_to_have_css("background-color", light)
    page.evaluate("document.body.className = 'themed'")
    expect(room(person).locator("html")).to_have_css("background-color", "rgb(250, 248, 255)")
    expect(room(person).locator("html")).to_have_css("color", "rgb(30, 22, 51)")
    assert "Georgia" in colour(person, "fontFamily")
    assert colour(person, "fontSize") == "16px"
    page.evaluate("document.body.className = 'light'")
    expect(room(person).locator("html")).to_have_css("background-color", light)
    # A value that is no colour, or refers to something else, changes nothing.
    page.locator("hubbub-room").evaluate(
        "(room) => { room.style.setProperty('--hubbub-background', 'url(https://evil.example/x)');"
        " room.style.setProperty('--hubbub-text', 'rgb(1, 2, 3)'); }"
    )
    expect(room(person).locator("html")).to_have_css("color", "rgb(1, 2, 3)")
    expect(room(person).locator("html")).to_have_css("background-color", light)
    page.locator("hubbub-room").evaluate("(room) => (room.style.height = '333px')")
    assert page.locator("hubbub-room iframe").evaluate("(frame) => frame.clientHeight") == 333


@pytest.mark.parametrize("look", ["", "dark", "themed"])
def test_axe_finds_nothing_in_the_hosts_page_and_in_the_room(
    server: MountedServer, open_page: OpenPage, look: str
) -> None:
    person = open_page(server, "mia", f"/orders?room=1,999&look={look}")
    say(room(person), "a message with `code` and **bold**")
    has_state(person, "ready")
    has_state(person, "not-a-member", 1)
    axe.check(person.page)
    for frame in person.page.frames[1:]:
        frame.evaluate(axe.SCRIPT.read_text() + "; undefined")
        assert frame.evaluate(axe.RUN, [None, None]) == []


def test_the_room_can_be_used_by_keyboard_alone(server: MountedServer, open_page: OpenPage) -> None:
    person = open_page(server, "nia")
    has_state(person, "ready")
    person.page.locator("hubbub-room").evaluate("(room) => room.focus()")
    for _ in range(12):
        if room(person).locator("#composer").evaluate("(field) => field === document.activeElement"):
            break
        person.page.keyboard.press("Tab")
    person.page.keyboard.type("by keyboard")
    person.page.keyboard.press("Enter")
    sees(room(person), "by keyboard")
    expect(room(person).get_by_role("log").locator("article[tabindex='0']")).to_be_visible()
    person.page.keyboard.press("Shift+Tab")
    expect(room(person).get_by_role("log").locator("article:focus-within")).to_be_visible()


def test_a_narrow_room_fits(server: MountedServer, open_page: OpenPage) -> None:
    person = open_page(server, "oda", width=340)
    say(room(person), "a long message that has to be wrapped in so narrow a column of a page on a telephone")
    sees(room(person), "a long message that has to be wrapped in so narrow a column of a page on a telephone")
    for frame in person.page.frames[1:]:
        assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth"), frame.url


# -- bearer tokens


def test_a_page_with_tokens_of_its_own_hands_them_to_the_room(start: Start, open_page: OpenPage) -> None:
    server = start(TOKENS="1", TOKEN_SECONDS="600")
    person = open_page(server, "pia", "/orders?look=with-tokens")
    say(room(person), "with a token")
    sees(room(person), "with a token")
    assert "/api/own-token" in httpx.get(f"{server.origin}/asked", trust_env=False).json()
    log_out(person, server)
    has_state(person, "logged-out")


def test_the_whole_client_gets_its_tokens_from_the_hosts_endpoint_and_new_ones_when_they_end(
    start: Start, open_page: OpenPage
) -> None:
    server = start(TOKENS="1", TOKEN_SECONDS="1")
    person = open_page(server, "quin", "/chat/")
    person.is_in()
    person.say("first")
    person.sees("first")
    # Every request and every connection after its end needs another token.
    person.create_room("Shed")
    person.page.reload()
    person.is_in()
    person.page.wait_for_timeout(1_100)
    person.create_room("Barn")
    expect(person.page.get_by_role("heading", level=2, name="Barn")).to_be_visible()
    asked = httpx.get(f"{server.origin}/asked", trust_env=False).json()
    assert asked.count("/api/chat-token") >= 2
    log_out(person, server)
    expect(person.page.get_by_text("Log in to the app this chat is part of")).to_be_visible()


def test_control_without_a_token_the_client_of_a_host_with_tokens_cannot_log_in(
    start: Start, open_page: OpenPage
) -> None:
    server = start(TOKENS="1", TOKEN_SECONDS="600")
    person = open_page(server, "", "/chat/")
    expect(person.page.get_by_text("Log in to the app this chat is part of")).to_be_visible()


# -- the log-in page


def test_an_unknown_visitor_is_sent_to_the_log_in_page_and_returns_to_the_room(
    start: Start, open_page: OpenPage
) -> None:
    server = start(LOG_IN_PAGE="1")
    person = open_page(server, "", "/orders?room=")
    person.page.context.add_cookies([{"name": "wants", "value": "rob", "url": server.origin}])
    person.page.goto(f"{server.url}/#room/1")
    person.is_in()
    person.page.wait_for_url(f"{server.url}/#room/1")
    queries = httpx.get(f"{server.origin}/asked", trust_env=False).json()
    assert queries[-1] == "from=chat&next=%2Fchat%2F", "the server sees the path of the chat and nothing more"


def test_a_log_in_that_leads_nowhere_makes_no_loop(start: Start, open_page: OpenPage) -> None:
    server = start(LOG_IN_PAGE="1")
    person = open_page(server, "", "/chat/")
    person.page.wait_for_url(f"{server.origin}/log-in?from=chat&next=%2Fchat%2F")
    person.page.goto(f"{server.url}/")
    link = person.page.get_by_role("link", name="Log in")
    expect(link).to_be_visible()
    link.click()
    person.page.wait_for_url(f"{server.origin}/log-in?from=chat&next=%2Fchat%2F")


def test_a_page_of_another_origin_may_not_show_a_room(server: MountedServer, start: Start, open_page: OpenPage) -> None:
    other = start(ANOTHER="1")
    person = open_page(server, "sam", "/orders?room=")
    person.stop_listening()
    with person.page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        person.page.goto(f"{other.origin}/elsewhere?chat={server.url}")
    expect(room(person).locator("#app")).to_have_count(0)


def test_a_listed_origin_may_show_a_room(server: MountedServer, start: Start, open_page: OpenPage) -> None:
    chat = start(HUBBUB_FRAME_ANCESTORS=server.origin)
    person = open_page(chat, "tom", "/orders?room=")
    person.page.goto(f"{server.origin}/elsewhere?chat={chat.url}")
    say(room(person), "from another origin")
    sees(room(person), "from another origin")
    has_state(person, "ready")
    expect(room(person).locator("html")).to_have_css("background-color", "rgb(1, 2, 3)")
