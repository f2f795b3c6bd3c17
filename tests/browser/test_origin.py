"""A page of another origin in a logged-in user's browser cannot use the chat."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Frame, Page

from tests.browser.conftest import OpenWindow
from tests.browser.person import Person
from tests.support.server import PASSWORD, Server

SIMPLE = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
"""Content types a page may send without a preflight (Fetch, section 2.2.2).

None at all is one of them.
"""
ATTACK = Path(__file__).with_name("attack.js").read_text()


class Elsewhere:
    """A foreign web server, which records the cookies it receives."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies: list[str] = []


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there.cookies.append(self.headers.get("Cookie", ""))
            frame = '<iframe sandbox="allow-scripts allow-forms" src="/"></iframe>' if self.path == "/sandbox" else ""
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f"<!doctype html><title>cats</title>{frame}".encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    there = Elsewhere(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield there
    server.shutdown()
    thread.join()
    server.server_close()


def another_port(page: Page, there: Elsewhere) -> Frame:
    """Open a page on another port: another origin, but the same site for cookies."""
    page.goto(f"http://127.0.0.1:{there.port}/")
    assert "hubbub_session=" in there.cookies[-1], "the victim's cookie is sent along"
    return page.main_frame


def another_name(page: Page, there: Elsewhere) -> Frame:
    page.goto(f"http://localhost:{there.port}/")
    return page.main_frame


def sandboxed(page: Page, there: Elsewhere) -> Frame:
    """Open a page whose origin is `null`."""
    page.goto(f"http://127.0.0.1:{there.port}/sandbox")
    return page.frames[1]


def data(page: Page, there: Elsewhere) -> Frame:
    page.goto("data:text/html,<!doctype html><title>cats</title>")
    return page.main_frame


def state(victim: Person, room: int) -> dict[str, Any]:
    """Return all that an attack could change, as the victim sees it."""
    get = victim.page.request.get
    paths = ("/users/me", "/api/rooms", f"/api/rooms/{room}/messages", f"/api/rooms/{room}/members", "/api/sessions")
    found = {path: get(victim.address + path) for path in paths}
    assert [answer.status for answer in found.values()] == [200] * len(paths)
    text = json.dumps({path: answer.json() for path, answer in found.items()})
    assert "STOLEN" not in text
    seen = json.loads(text)
    for session in seen["/api/sessions"]["sessions"]:
        del session["last_seen_at"], session["expires_at"]
    return dict(seen)


def attack(frame: Frame, victim: Person, room: int, *, forms: bool = True) -> dict[str, str]:
    """Return the outcome of each attempt.

    Our own pages may not have the frames that forms need.
    """
    given = {"http": victim.address, "room": room, "name": victim.name, "kinds": SIMPLE, "password": PASSWORD}
    return dict(frame.evaluate(ATTACK, {**given, "forms": forms}))


@pytest.fixture
def victim(server: Server, open_window: OpenWindow) -> Person:
    return open_window().log_in(server.sign_up("victim").name)


@pytest.mark.parametrize("open_page", [another_port, another_name, sandboxed, data])
def test_a_page_of_another_origin_gets_nothing_and_changes_nothing(
    victim: Person, elsewhere: Elsewhere, open_page: Callable[[Page, Elsewhere], Frame]
) -> None:
    room = victim.server.log_in(victim.name).create_room(f"room of {victim.name}")
    victim.page.goto("about:blank")  # so that no other page changes anything
    before = state(victim, room)
    tried = attack(open_page(victim.page.context.new_page(), elsewhere), victim, room)
    assert "welcome" not in tried["socket"]
    assert tried["socket"] == "closed with 1006" or "unauthenticated" in tried["socket"]
    assert tried["plain text"].startswith("closed with ") or "log in first" in tried["plain text"].lower()
    for what, came in tried.items():
        if what.startswith("no-cors"):
            assert came in ("0", "failed"), f"{what}: {came}"
        elif what not in ("socket", "plain text"):
            assert came == "failed", f"{what}: {came}"
    assert state(victim, room) == before


def test_control_the_same_requests_from_a_page_of_the_chat_succeed(victim: Person) -> None:
    """Control: every attempt of the attack is a valid request."""
    room = victim.server.log_in(victim.name).create_room(f"room of {victim.name}")
    tried = attack(victim.page.main_frame, victim, room, forms=False)
    assert '"type":"welcome"' in tried["socket"]
    assert "closed with" not in tried["plain text"]
    assert tried[f"cors application/json /api/rooms/{room}/messages"] == "201"
    assert tried["cors application/json /api/rooms"] == "201"
    assert tried[f"cors text/plain /api/rooms/{room}/messages"] == "400", "only JSON is JSON, even from here"
    assert victim.page.request.get(f"{victim.address}/users/me").status == 401, "and the beacon has logged out"
    victim.forgive()
