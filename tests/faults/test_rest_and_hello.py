"""Names, passwords and pages over REST.

What a connection may do before hello, and how many may open.
"""

import asyncio
import contextlib
import json
from collections.abc import Iterator

import pytest

from tests.conftest import MakeServer
from tests.faults.test_limits import SIZES, close_code, message
from tests.support.client import OPENING_ERRORS, Connection, raw_connect
from tests.support.server import Account, Server

pytestmark = pytest.mark.faults

HAVE = 2_000
LONG = "0123456789abcdef" * 64
PER_ADDRESS = 50


@pytest.fixture(scope="module")
def account(server: Server) -> Account:
    return server.sign_up("caller")


# -- REST


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("n" * 32, True), ("é" * 32, True), ("n" * 33, False), ("", False), ("a b", False), ("a#b", False),
        ("a\x00b", False),
        ("a\u202eb", False), ("a\u200bb", False), ("аdmin", False), ("a/b", False), ("<b>", False),
        ("a\nb", False), ("\ufffd", False),
    ],
)  # fmt: skip
def test_user_names_are_checked_for_characters_and_length(server: Server, name: str, fits: bool) -> None:
    answer = Account(server, 0, "", "none", "").request(
        "POST", "/api/users", json={"username": name, "password": "long enough to pass"}
    )
    assert answer.status_code == (201 if fits else 400), answer.text
    if not fits:
        assert answer.json()["error"]["code"] == "bad_request"


@pytest.mark.parametrize("name", ["system", "Everyone", "ＨＵＢＢＵＢ", "gսest"])
def test_reserved_user_names_and_lookalikes_are_refused(account: Account, name: str) -> None:
    answer = account.request("POST", "/api/users", json={"username": name, "password": "long enough to pass"})
    assert answer.status_code in (400, 409), answer.text


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("r" * 64, True), ("Caffè e libri", True), ("r" * 65, False), ("", False), ("   ", False), ("a\x00b", False),
        ("a\nb", False), ("a\u202eb", False),
    ],
)  # fmt: skip
def test_room_names_are_checked_for_characters_and_length(account: Account, name: str, fits: bool) -> None:
    answer = account.request("POST", "/api/rooms", json={"kind": "public", "name": name})
    assert answer.status_code == (201 if fits else 400), answer.text


@pytest.mark.parametrize(
    ("password", "fits"),
    [("p" * 7, False), ("p3 w-x.y", True), (LONG, True), (LONG + "g", False), ("p\x00" * 8, False)],
)  # fmt: skip
def test_passwords_are_checked_for_length_and_characters(account: Account, password: str, fits: bool) -> None:
    name = f"p{abs(hash(password)) % 10**9}"
    answer = account.request("POST", "/api/users", json={"username": name, "password": password})
    assert answer.status_code == (201 if fits else 400), answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/rooms/1/messages?limit=200", 200), ("/api/rooms/1/messages?limit=201", 400),
        ("/api/rooms/1/messages?limit=0", 400), ("/api/rooms/1/messages?before=1&after=1", 400),
        ("/api/rooms/1/messages?before=x", 400), (f"/api/rooms/1/messages?before={2**60}", 400),
        ("/api/topics/room:1/events?after=0&limit=200", 200), ("/api/topics/room:1/events?after=0&limit=201", 400),
        ("/api/topics/security/events?after=0", 404), ("/api/rooms/999999", 404), ("/api/rooms/x", 400),
        ("/api/rooms?limit=200", 200), ("/api/rooms?limit=201", 400), (f"/api/rooms/{2**70}", 400),
    ],
)  # fmt: skip
def test_rest_parameters_are_accepted_at_their_limits_and_refused_beyond_them(
    account: Account, path: str, status: int
) -> None:
    answer = account.request("GET", path)
    assert answer.status_code == status or (status == 404 and answer.status_code in (400, 403)), answer.text
    if status != 200:
        assert answer.json()["error"]["code"]


async def test_have_may_name_2000_topics_and_not_one_more(server: Server, account: Account) -> None:
    have = {f"room:{number}": 1 for number in range(10**6, 10**6 + HAVE)}
    async with await Connection.open(server.websocket_url, account.token, have=have) as connection:
        await connection.ping()
    socket = await raw_connect(server.websocket_url)
    await socket.send(json.dumps({"type": "hello", "token": account.token, "have": {**have, "room:1": 1}}))
    first = json.loads(await socket.recv())
    assert first["error"]["code"] in SIZES
    assert await close_code(socket) == 4501


# -- before hello


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with short deadlines, three connections per user, and rate limits."""
    settings = {"HUBBUB_HELLO_TIMEOUT": "1", "HUBBUB_CONNECTIONS_PER_USER": "3", "HUBBUB_RATE_LIMITS": "on"}
    with Server(tmp_path_factory.mktemp("strict") / "data", settings) as running:
        yield running


@pytest.mark.parametrize(
    "frame",
    [
        '{"id": 1, "type": "ping"}', message("past", "before hello"), "hello?", '{"type": "hello"}',
        '{"type": "hello", "token": "no.such.token"}', '{"type": "hello", "token": null}',
        '{"type": "hello", "token": 7}', "[]",
        '{"type": "hello", "token": ""}', '{"type": "hello", "token": "x", "have": []}',
        '{"type": "hello", "have": {"x": 1}}',
    ],
)  # fmt: skip
async def test_a_first_frame_other_than_a_valid_hello_closes_with_4501(server: Server, frame: str) -> None:
    socket = await raw_connect(server.websocket_url)
    await socket.send(frame)
    first = json.loads(await asyncio.wait_for(socket.recv(), 20))
    assert first["re"] is None
    assert first["error"]["code"] in ("unauthenticated", "bad_request")
    assert await close_code(socket) == 4501


async def test_silence_before_hello_is_closed_at_the_deadline(strict: Server) -> None:
    loop = asyncio.get_running_loop()
    socket = await raw_connect(strict.websocket_url)
    began = loop.time()
    assert await close_code(socket) == 4501
    assert 0.8 <= loop.time() - began <= 3.0


async def test_two_credentials_for_different_users_are_refused(server: Server, account: Account) -> None:
    other = server.sign_up()
    socket = await raw_connect(server.websocket_url, additional_headers=other.headers)
    await socket.send(json.dumps({"type": "hello", "token": account.token}))
    assert json.loads(await socket.recv())["error"]["code"] == "unauthenticated"
    assert await close_code(socket) == 4501


async def test_a_fourth_connection_of_a_user_is_refused_and_the_first_three_stay_open(strict: Server) -> None:
    account = strict.sign_up()
    oldest = [await Connection.open(strict.websocket_url, account.token) for _ in range(3)]
    socket = await raw_connect(strict.websocket_url)
    await socket.send(json.dumps({"type": "hello", "token": account.token}))
    first = json.loads(await socket.recv())
    assert first["error"]["code"] == "rate_limited", first
    assert await close_code(socket) == 4009
    for connection in oldest:
        await connection.ping()
    await oldest.pop().close()
    oldest.append(await Connection.open(strict.websocket_url, account.token))
    for connection in oldest:
        await connection.close()


async def gets_in(server: Server, address: str) -> bool:
    """Return whether the server accepts a WebSocket from that loopback address."""
    with contextlib.suppress(*OPENING_ERRORS):
        socket = await raw_connect(server.websocket_url, local_addr=(address, 0), open_timeout=20)
        await socket.close()
        return True
    return False


async def test_unauthenticated_sockets_are_limited_per_address_and_other_addresses_can_connect(
    make_server: MakeServer,
) -> None:
    server = make_server({"HUBBUB_RATE_LIMITS": "on", "HUBBUB_HELLO_TIMEOUT": "30"})
    await asyncio.to_thread(server.start)
    account = server.sign_up()
    silent = [await raw_connect(server.websocket_url, local_addr=("127.0.0.2", 0)) for _ in range(PER_ADDRESS)]
    assert not await gets_in(server, "127.0.0.2")
    assert await gets_in(server, "127.0.0.3")
    async with await Connection.open(server.websocket_url, account.token, local_addr=("127.0.0.3", 0)) as connection:
        await connection.ping()
    for socket in silent:
        await socket.close()
    assert await gets_in(server, "127.0.0.2")
