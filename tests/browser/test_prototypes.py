"""No text of a user becomes a key that changes the objects of the web client."""

import httpx
import pytest
from playwright.sync_api import Page

from tests.browser.conftest import OpenWindow
from tests.support.server import PASSWORD, Account, Server

KEYS = ("__proto__", "constructor", "prototype", "hasOwnProperty", "toString")
PROTOTYPES = """() => JSON.stringify([Object, Array, String, Function, Map, Promise].map(({ prototype }) =>
    Object.entries(Object.getOwnPropertyDescriptors(prototype)).map(([name, { enumerable, value }]) =>
        [name, enumerable, String(value)]))) + String(Object.keys(Object.prototype))"""


@pytest.fixture(scope="module")
def people(server: Server) -> list[Account]:
    for name in KEYS:
        answer = httpx.post(f"{server.url}/api/users", json={"username": name, "password": PASSWORD}, trust_env=False)
        assert answer.status_code == 201, answer.text
    return [server.log_in(name) for name in KEYS]


def test_names_of_users_and_rooms_change_no_prototype(
    server: Server, people: list[Account], open_window: OpenWindow
) -> None:
    first, others = server.sign_up("ann"), people
    rooms = {name: first.create_room(name) for name in KEYS}
    for name, room in rooms.items():
        for other in others:
            other.join(room)
            body = f"@{other.name} [{name}](https://{name}.example)\n```{name}\ncode\n```"
            answer = other.request("POST", f"/api/rooms/{room}/messages", json={"key": name, "body": body})
            assert answer.status_code == 201, answer.text
            status = {"status": "online", "text": name}
            assert other.request("PUT", "/api/users/me/status", json=status).status_code == 200
    window = open_window()
    window.open()
    before = prototypes(window.page)
    window.log_in(first.name)
    for name in KEYS:
        window.open_room(name)
        window.sees("code", times=len(others))
        window.composer.fill(f"a draft for {name} @{name} :{name}:")
    window.page.reload()
    window.is_in()
    window.open_room(KEYS[0])
    window.say("constructor")
    window.sees("constructor")
    assert prototypes(window.page) == before


def prototypes(page: Page) -> str:
    """Return all that the page's basic prototypes contain."""
    return str(page.evaluate(PROTOTYPES))


def test_control_a_changed_prototype_is_found(server: Server, open_window: OpenWindow) -> None:
    window = open_window()
    window.open()
    before = prototypes(window.page)
    window.page.evaluate(
        '() => { JSON.parse(\'{"a":1}\', function () { this["__proto__"].polluted = 1; return 1; }); }'
    )
    assert prototypes(window.page) != before
