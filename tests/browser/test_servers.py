"""The web client in a real browser on every server that the documentation names."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.browser.person import Person
from tests.support.mounted import SERVERS, MountedServer
from tests.support.server import Server

NATIVE = "hubbub serve"


@pytest.fixture(scope="module", params=[NATIVE, *SERVERS])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`hubbub serve`, and the mounted example on each ASGI server."""
    folder = tmp_path_factory.mktemp("servers") / "data"
    running = Server(folder) if request.param == NATIVE else MountedServer(folder, request.param)
    running.start()
    yield running
    running.kill()
    assert "Traceback" not in running.log_text(), running.log_text()[-6000:]


def log_in(person: Person, name: str) -> Person:
    """Log in with the form users see: the web client's own, or the host application's."""
    server = person.server
    if isinstance(server, MountedServer):
        person.open(f"{server.origin}/")
        person.sign_in(name)
        person.page.wait_for_url(f"{server.url}/")
    else:
        person.open().sign_in(server.sign_up(name).name)
    return is_connected(person)


def is_connected(person: Person) -> Person:
    """Expect the chat without a banner about a missing or pending connection."""
    person.is_in()
    expect(person.page.get_by_text("You're offline")).to_have_count(0)
    expect(person.page.get_by_text("Connecting…")).to_have_count(0)
    return person


def test_two_browsers_talk_and_stay_connected_after_a_reload(server: Server, open_window: OpenWindow) -> None:
    alice, bob = log_in(open_window(), "Alice"), log_in(open_window(), "Bob")
    alice.say("hello Bob")
    bob.sees("hello Bob")
    alice.page.reload()
    is_connected(alice).sees("hello Bob")
    bob.say("welcome back")
    alice.sees("welcome back")
    is_connected(bob)


def test_an_event_source_of_a_page_hears_the_lobby(server: Server, open_window: OpenWindow) -> None:
    alice = log_in(open_window(), "Alice")
    alice.page.evaluate(
        """() => new Promise((resolve) => {
            window.heard = [];
            const source = new EventSource("api/topics/room:1/events");
            source.addEventListener("message.sent", ({ lastEventId, data }) => {
                window.heard.push(`${lastEventId} ${JSON.parse(data).body}`);
            });
            source.onopen = resolve;
        })"""
    )
    alice.say("hello stream")
    alice.page.wait_for_function("() => window.heard.some((heard) => /^[^: ]+:[0-9]+ hello stream$/.test(heard))")
