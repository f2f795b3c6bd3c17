"""The page is opened without the server.

It shows the last state and sends new messages once.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.browser_storage import stored_text
from tests.browser.conftest import OpenWindow
from tests.browser.person import Person
from tests.support.server import Account, Server
from tests.support.waiting import eventually_blocking

WITHIN = 20_000
HIDE = """() => {
    for (const get of [() => "hidden", null]) {
        if (get) Object.defineProperty(document, "visibilityState", { configurable: true, get });
        else delete document.visibilityState;
        document.dispatchEvent(new Event("visibilitychange"));
    }
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for this module alone, since tests kill it; every test leaves it running."""
    with Server(tmp_path_factory.mktemp("offline") / "data") as running:
        yield running


def wait_until_stored(person: Person, *texts: str) -> None:
    """Wait until the texts and the page itself are stored.

    Hiding the window flushes them.
    """
    person.page.evaluate(HIDE)
    eventually_blocking(lambda: all(text in stored_text(person) for text in texts), 20.0, f"{texts} are kept")
    in_charge = "navigator.serviceWorker.controller !== null"
    eventually_blocking(lambda: person.page.evaluate(in_charge), 20.0, "the service worker is in charge")


def another_window(person: Person) -> Person:
    """Open a second window of the same browser."""
    second = Person(person.server, person.page.context.new_page())
    second.name = person.name
    second.may_be_offline = True
    return second


def go_online(person: Person) -> None:
    """Dispatch the browser's `online` event, so that the window reconnects at once."""
    person.page.evaluate("dispatchEvent(new Event('online'))")


def room_of(account: Account, name: str) -> int:
    rooms = account.get("/api/rooms", limit=100)["rooms"]
    return int(next(room["id"] for room in rooms if room["name"] == name))


def is_offline(person: Person) -> None:
    expect(person.page.get_by_role("status").filter(has_text="Last updated")).to_be_visible(timeout=WITHIN)


@pytest.fixture
def ann(server: Server, open_window: OpenWindow) -> Person:
    """A user with stored messages in the lobby and in a room of their own."""
    window = open_window()
    window.may_be_offline = True
    window.log_in(server.sign_up("ann").name).say(f"{window.name} in the lobby")
    window.sees(f"{window.name} in the lobby")
    window.create_room(f"Garden of {window.name}").say("the roses are out")
    window.sees("the roses are out")
    wait_until_stored(window, f"{window.name} in the lobby", "the roses are out")
    return window


def test_the_last_state_shows_without_the_server_and_messages_written_then_arrive_once_in_order(
    server: Server, open_window: OpenWindow, ann: Person
) -> None:
    garden, bob = f"Garden of {ann.name}", server.sign_up("bob")
    bob.join(room_of(bob, garden))
    server.kill()
    ann.page.close()
    first, second = (another_window(ann).open() for _ in range(2))
    is_offline(first)
    first.sees("the roses are out")  # the room that was open last
    people = first.page.get_by_role("complementary", name="People")
    expect(people).to_contain_text("Members · 2")
    expect(people).not_to_contain_text("Offline")
    first.open_room("Lobby").sees(f"{ann.name} in the lobby")
    first.open_room(garden)
    for text in ("one", "two"):
        first.say(text)
    first.open_room("Lobby").say(f"three of {ann.name}")
    expect(first.pending()).to_contain_text("Waiting for a connection")
    first.page.reload()
    is_offline(first)
    second.open_room("Lobby").say(f"four of {ann.name}")
    for window in (first, second):
        expect(window.pending()).to_have_count(2, timeout=WITHIN)
    first.open_room(garden)
    expect(first.pending()).to_have_count(2, timeout=WITHIN)
    second.say("thrown away again")
    second.pending().last.get_by_role("button", name="Discard").click()

    server.start()
    for window in (first, second):
        go_online(window)
    first.sees("two")
    other = open_window().log_in(bob.name).open_room(garden)
    for person in (first, other):
        person.sees("two")
        assert person.texts() == ["the roses are out", "one", "two"]
        person.open_room("Lobby").sees(f"four of {ann.name}")
        assert person.texts()[-3:] == [f"{ann.name} in the lobby", f"three of {ann.name}", f"four of {ann.name}"]
    for window in (first, second):
        window.sees(f"four of {ann.name}")
        assert "thrown away again" not in window.texts()
        expect(window.pending()).to_have_count(0, timeout=WITHIN)
        expect(window.page.get_by_text("Last updated")).to_have_count(0, timeout=WITHIN)


def test_missed_events_are_caught_up_and_another_users_cookie_shows_none_of_the_stored_state(
    server: Server, ann: Person
) -> None:
    garden, cellar, owner = f"Garden of {ann.name}", f"Cellar of {ann.name}", server.sign_up("owner")
    theirs = owner.create_room(cellar)
    me = ann.page.request.get(f"{server.url}/users/me").json()["id"]
    ann.join_room(cellar).say("cold here")
    ann.sees("cold here")  # otherwise it would stay as unsent text of a room they have left
    wait_until_stored(ann, "cold here")
    ann.page.goto("about:blank")
    assert owner.request("DELETE", f"/api/rooms/{theirs}/members/{me}").is_success
    owner.join(room_of(owner, garden))
    for text in ("missed one", "missed two"):
        sent = {"body": text, "key": text}
        assert owner.request("POST", f"/api/rooms/{room_of(owner, garden)}/messages", json=sent).is_success
    ann.open(f"/#room/{room_of(owner, garden)}").is_in().sees("missed two")
    expect(ann.page.get_by_role("separator").filter(has_text="New")).to_be_visible(timeout=WITHIN)
    expect(ann.room(cellar)).to_have_count(0, timeout=WITHIN)
    assert ann.texts() == ["the roses are out", "missed one", "missed two"]
    ann.page.evaluate(HIDE)
    eventually_blocking(lambda: "cold here" not in stored_text(ann), 20.0, "nothing of the room is kept")

    ann.page.goto("about:blank")
    ann.log_in(server.sign_up("bob").name)
    expect(ann.room(garden)).to_have_count(0, timeout=WITHIN)
    ann.say(f"I am {ann.name}")
    wait_until_stored(ann, f"I am {ann.name}")
    assert "roses" not in stored_text(ann)


def test_logging_out_deletes_stored_data_and_the_next_user_sees_none(server: Server, ann: Person) -> None:
    name = ann.name
    second = another_window(ann).open().is_in()
    second.composer.fill("a draft for no other eyes")
    wait_until_stored(ann, "a draft for no other eyes", f"{name} in the lobby")
    ann.open_account().get_by_role("button", name="Log out").click()
    ann.page.get_by_role("button", name="Log out and delete").click()
    ann.is_out()
    second.is_out()
    for text in ("lobby", "draft", name):
        assert text not in stored_text(ann)
    ann.sign_in(server.sign_up("bob").name)
    ann.is_in()
    wait_until_stored(ann, ann.name)
    assert "roses" not in stored_text(ann)


def test_without_indexeddb_everything_else_works(server: Server, open_window: OpenWindow) -> None:
    window = open_window()
    window.page.add_init_script("IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError'); }")
    window.log_in(server.sign_up("ann").name).say(f"{window.name} without")
    window.sees(f"{window.name} without")
    window.page.reload()
    window.is_in().sees(f"{window.name} without")
