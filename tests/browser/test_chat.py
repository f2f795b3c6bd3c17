"""Two and more real windows that exchange messages."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import OpenWindow, a_window, assert_quiet
from tests.browser.person import Person
from tests.support.server import Server

Two = tuple[Person, Person]


@pytest.fixture(scope="module")
def both(server: Server, browser: Browser) -> Iterator[Two]:
    """Two windows for the whole module: opening them takes longer than most tests."""
    ann, bob = (a_window(browser, server).log_in(server.sign_up(name).name) for name in ("ann", "bob"))
    yield ann, bob
    for person in (ann, bob):
        person.page.context.close()


@pytest.fixture
def two(both: Two) -> Iterator[Two]:
    for person in both:
        person.open_room("Lobby")
    yield both
    assert_quiet(both)


def test_two_windows_exchange_messages_and_see_one_order(two: Two) -> None:
    ann, bob = two
    for number in range(8):
        ann.say(f"{ann.name} says {number}")
        bob.say(f"{bob.name} says {number}")
    for number in range(8):
        for person in two:
            person.sees(f"{ann.name} says {number}")
            person.sees(f"{bob.name} says {number}")
    assert ann.texts()[-16:] == bob.texts()[-16:]
    own = [text for text in ann.texts() if text.startswith(f"{ann.name} says")]
    assert own == [f"{ann.name} says {number}" for number in range(8)]


def test_enter_sends_and_shift_enter_starts_a_new_line(two: Two) -> None:
    ann, bob = two
    ann.composer.fill("one")
    ann.composer.press("Shift+Enter")
    ann.composer.press_sequentially("two")
    ann.composer.press("Enter")
    expect(ann.composer).to_have_value("")
    bob.sees("one\ntwo")


def test_html_stays_text_and_addresses_become_links(two: Two) -> None:
    ann, bob = two
    text = "<img src=x onerror=alert(1)> javascript:alert(1) https://example.org/a?b=<c>"
    ann.say(text)
    bob.sees(text)
    links = bob.log.locator("article", has_text="onerror").get_by_role("link")
    expect(links).to_have_count(1)
    expect(links).to_have_attribute("href", "https://example.org/a?b=")
    expect(links).to_have_attribute("rel", "noopener noreferrer nofollow")


def test_unread_messages_are_counted_in_the_title_and_at_the_room(server: Server, open_window: OpenWindow) -> None:
    ann, bob = (open_window().log_in(server.sign_up(name).name) for name in ("ann", "bob"))
    name = f"Garden of {ann.name}"
    ann.create_room(name)
    bob.join_room(name)
    ann.say("the first")
    bob.sees("the first")
    bob.open_room("Lobby")
    ann.say("the second")
    ann.say("the third")
    expect(bob.page).to_have_title(re.compile(r"^\(2\) Lobby"))
    expect(bob.room(name)).to_contain_text("2 unread")
    bob.open_room(name)
    expect(bob.page).to_have_title(re.compile(f"^{name}"))
    bob.open_room("Lobby")
    bob.open().is_in()
    expect(bob.room(name)).to_be_visible()
    expect(bob.room(name)).not_to_contain_text("unread")


def test_messages_read_in_one_window_are_read_in_the_other(server: Server, open_window: OpenWindow) -> None:
    ann, bob = open_window().log_in(server.sign_up("ann").name), server.sign_up("bob").name
    here, there = open_window().log_in(bob), open_window().log_in(bob)
    name = f"Shared by {ann.name}"
    ann.create_room(name)
    here.join_room(name).open_room("Lobby")
    expect(there.room(name)).to_be_visible()
    ann.say("read me")
    for window in (here, there):
        expect(window.room(name)).to_contain_text("1 unread")
    here.open_room(name)
    expect(there.room(name)).not_to_contain_text("unread")


def test_members_are_listed_and_can_be_removed(two: Two) -> None:
    ann, bob = two
    name = f"Club of {ann.name}"
    ann.create_room(name)
    bob.join_room(name)
    expect(ann.log.get_by_text(f"{bob.name} joined")).to_be_visible()
    people = ann.page.get_by_role("complementary", name="People")
    expect(people.get_by_role("list", name="Online")).to_contain_text(bob.name)
    bob.page.get_by_role("complementary", name="People").get_by_role("button", name=ann.name).click()
    expect(bob.page.get_by_role("menuitem", name="Remove")).to_have_count(0)
    bob.page.keyboard.press("Escape")
    people.get_by_role("button", name=bob.name).click()
    ann.page.get_by_role("menuitem", name="Remove").click()
    ann.page.get_by_role("alertdialog").get_by_role("button", name="Remove").click()
    expect(bob.room(name)).to_have_count(0)
    expect(bob.page.get_by_role("alert")).to_contain_text(f"You were removed from {name}")
    expect(ann.log.get_by_text(f"{bob.name} was removed")).to_be_visible()
    expect(people.get_by_role("list", name="Online")).not_to_contain_text(bob.name)


def test_a_removed_member_is_notified_on_a_narrow_screen_too(server: Server, open_window: OpenWindow) -> None:
    owner, guest = server.sign_up("ann"), open_window().log_in(server.sign_up("bob").name)
    room = owner.create_room(f"Den of {owner.name}")
    guest.join_room(f"Den of {owner.name}")
    guest.page.set_viewport_size({"width": 360, "height": 640})
    person = guest.page.request.get(f"{server.url}/users/me").json()["id"]
    assert owner.request("DELETE", f"/api/rooms/{room}/members/{person}").status_code == 200
    expect(guest.page.get_by_role("alert")).to_contain_text(f"You were removed from Den of {owner.name}")
    guest.page.get_by_role("button", name="Go to Lobby").click()
    expect(guest.page.get_by_role("alert")).to_have_count(0)
    guest.is_in()


def test_a_long_room_name_is_cut_off_in_the_list(server: Server, open_window: OpenWindow) -> None:
    window = open_window().log_in(server.sign_up("ann").name)
    window.create_room(f"{window.name} {'W' * 64}"[:64])
    rooms = window.page.get_by_role("navigation").get_by_role("list", name="Rooms")
    assert rooms.evaluate("list => list.scrollWidth - list.clientWidth") == 0


def test_dragging_a_selection_out_of_a_dialog_does_not_close_it(server: Server, open_window: OpenWindow) -> None:
    window = open_window().log_in(server.sign_up("ann").name)
    window.page.get_by_role("button", name="New room").click()
    window.page.get_by_label("Name").fill("half a name")
    box = window.page.get_by_label("Name").bounding_box()
    assert box is not None
    mouse = window.page.mouse
    mouse.move(box["x"] + 50, box["y"] + 20)
    mouse.down()
    mouse.move(20, 20)
    mouse.up()
    expect(window.page.get_by_label("Name")).to_have_value("half a name")
    mouse.click(20, 20)
    expect(window.page.get_by_role("dialog")).to_have_count(0)


def test_every_line_has_the_direction_of_its_own_script(two: Two) -> None:
    ann, bob = two
    ann.say("שלום, עולם!")
    bob.sees("שלום, עולם!")
    found = bob.log.locator(".body p", has_text="שלום")
    assert found.evaluate("line => getComputedStyle(line).direction") == "rtl"


def test_leaving_a_room_removes_it_from_the_list_and_the_user_may_join_again(two: Two) -> None:
    ann, bob = two
    name = f"Cafe of {ann.name}"
    ann.create_room(name)
    bob.join_room(name)
    bob.page.get_by_role("button", name="Room menu").click()
    bob.page.get_by_role("menuitem", name="Leave this room").click()
    bob.page.get_by_role("alertdialog").get_by_role("button", name="Leave").click()
    expect(bob.room(name)).to_have_count(0)
    expect(ann.log.get_by_text(f"{bob.name} left")).to_be_visible()
    bob.join_room(name)
    ann.say("welcome back")
    bob.sees("welcome back")


def test_a_draft_stays_with_its_room(two: Two) -> None:
    ann, _ = two
    ann.create_room(f"Drafts of {ann.name}")
    ann.composer.fill("half a thought")
    ann.open_room("Lobby")
    expect(ann.composer).to_have_value("")
    ann.page.reload()
    ann.is_in()
    ann.open_room(f"Drafts of {ann.name}")
    expect(ann.composer).to_have_value("half a thought")


def test_a_message_over_the_limit_is_kept_and_explained(two: Two) -> None:
    ann, _ = two
    ann.composer.fill("x" * 8001)
    expect(ann.page.get_by_text("Too long by 1 character")).to_be_visible()
    ann.composer.press("Enter")
    expect(ann.composer).to_have_value("x" * 8001)
    ann.composer.fill("y" * 8000)
    ann.composer.press("Enter")
    ann.sees("y" * 8000)


def test_a_refused_message_shows_the_reason_and_can_be_discarded(two: Two) -> None:
    ann, bob = two
    # A "next line" control is text to the browser, but an empty message to the server.
    ann.say("\u0085")
    failed = ann.log.locator("article.failed")
    expect(failed).to_contain_text("Not sent")
    ann.say("and on it goes")
    bob.sees("and on it goes")
    failed.get_by_role("button", name="Try again").click()
    expect(failed).to_contain_text("Not sent")
    failed.get_by_role("button", name="Discard").click()
    expect(failed).to_have_count(0)


FLOOD = """async (count) => {
    const socket = new WebSocket(new URL("/ws", location.href.replace("http", "ws")), "hubbub.v1");
    const nextFrame = (wanted) => new Promise((found) => socket.addEventListener("message", ({ data }) => {
        if (wanted(JSON.parse(data))) found();
    }));
    await new Promise((open) => socket.addEventListener("open", open));
    const welcome = nextFrame((frame) => frame.type === "welcome");
    socket.send(JSON.stringify({ type: "hello" }));
    await welcome;
    const last = nextFrame((frame) => frame.re === count);
    for (let id = 1; id <= count; id += 1) {
        socket.send(JSON.stringify({ id, type: "message.send", room: 1, key: `flood ${id}`, body: `flood ${id}` }));
    }
    await last;
    socket.close();
}"""


def test_the_timeline_follows_a_flood_of_messages_to_its_end(two: Two) -> None:
    ann, bob = two
    ann.page.evaluate(FLOOD, 900)
    for person in two:
        expect(person.log.get_by_text("flood 900", exact=True)).to_be_in_viewport()
        shown = person.texts()
        assert shown[-300:] == [f"flood {number}" for number in range(601, 901)]
    bob.say("quite something")
    ann.sees("quite something")


def test_everything_fits_and_is_reachable_at_360_pixels(server: Server, open_window: OpenWindow) -> None:
    window = open_window(width=360, height=640).open()
    window.sign_in(server.sign_up("narrow").name)
    window.room("Lobby").click()
    window.is_in()
    window.say("a " + "very" * 60 + " long word")
    window.sees("a " + "very" * 60 + " long word")
    for step in ("People", "Hide people", "All rooms", "Browse rooms"):
        assert window.page.evaluate("document.documentElement.scrollWidth") <= 360
        window.page.get_by_role("button", name=step).first.click()
    expect(window.page.get_by_role("dialog")).to_be_visible()
    window.page.keyboard.press("Escape")
    window.room("Lobby").click()
    expect(window.composer).to_be_visible()


def test_log_in_and_sending_work_by_keyboard(server: Server, open_window: OpenWindow) -> None:
    window = open_window().open()
    name = server.sign_up("keys").name
    page = window.page
    page.get_by_label("Name").focus()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse battery staple")
    page.keyboard.press("Enter")
    window.is_in()
    expect(window.composer).to_be_focused()
    page.keyboard.type("typed")
    page.keyboard.press("Enter")
    window.sees("typed")
