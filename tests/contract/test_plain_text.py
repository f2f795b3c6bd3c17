"""Section 4.1, Plain text: `WS /ws/{name}?room=`, for members and for guests."""

import asyncio
import json

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus

from tests.contract.client import cookie_of, fresh, greet, open_socket, raw_upgrade, receive_rest, request, send
from tests.support.lines import enter, line, until
from tests.support.server import PASSWORD, Account, Server
from tests.support.timing import three_attempts, within


async def refusal(server: Server, name: str, **options: object) -> tuple[list[str | bytes], int | None]:
    """Return messages and close code, or the HTTP status, of a refused connection."""
    try:
        ws = await enter(server, name, **options)  # type: ignore[arg-type]
    except InvalidStatus as rejected:
        return [], rejected.response.status_code
    return await receive_rest(ws)


async def quiet(ws: ClientConnection, within: float = 0.3) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ws.recv(), within)


@three_attempts
async def test_joined_says_and_left_lines_reach_all_connections_including_the_sender(open_server: Server) -> None:
    one, two = open_server.sign_up("first"), open_server.sign_up("second")
    room = one.create_room(fresh("Lines"))
    two.join(room)
    hers = await enter(open_server, one.name, room=room, headers=one.headers)
    assert await line(hers) == f"Client #{one.name} joined the chat."
    his = await enter(open_server, two.name, room=room, headers=two.headers)
    for ws in (hers, his):
        assert await line(ws) == f"Client #{two.name} joined the chat."
    await his.send("hello ☃")
    for ws in (hers, his):
        assert await line(ws) == f"Client #{two.name} says: hello ☃"
    await his.close()
    with within(1.0):
        assert await line(hers) == f"Client #{two.name} left the chat."
    await hers.close()


async def test_only_the_first_and_last_connection_of_a_user_join_and_leave(open_server: Server) -> None:
    one, two = open_server.sign_up("device"), open_server.sign_up("watcher")
    watcher = await enter(open_server, two.name, headers=two.headers)
    await until(watcher, f"Client #{two.name} joined the chat.")
    phone = await enter(open_server, one.name, headers=one.headers)
    await until(watcher, f"Client #{one.name} joined the chat.")
    laptop = await enter(open_server, one.name, headers=one.headers)
    await laptop.send("both")
    assert await line(watcher) == f"Client #{one.name} says: both"
    await laptop.close()
    await quiet(watcher)
    await phone.close()
    assert await line(watcher) == f"Client #{one.name} left the chat."
    await watcher.close()


async def test_plain_text_and_the_protocol_share_a_room_and_joining_is_ephemeral(open_server: Server) -> None:
    one, two = open_server.sign_up("plain"), open_server.sign_up("native")
    native, welcome = await greet(open_server, {"token": two.token})
    plain = await enter(open_server, one.name, headers=one.headers)
    await until(plain, f"Client #{one.name} joined the chat.")
    await plain.send("from plain")
    said = json.loads(await native.recv())
    assert (said["type"], said["body"], said["by"]) == ("message.sent", "from plain", one.id)
    assert said["seq"] == welcome["heads"]["room:1"] + 1, "connecting is not stored"
    await line(plain)
    await send(native, {"id": 1, "type": "message.send", "room": 1, "key": fresh(), "body": "from native"})
    assert await line(plain) == f"Client #{two.name} says: from native"
    await plain.close()
    await native.close()


async def test_with_credentials_only_the_users_own_name_is_accepted(
    open_server: Server, alice: Account, bob: Account
) -> None:
    cookie = {"Cookie": cookie_of(open_server, alice)}
    for headers, origin in ((alice.headers, None), (cookie, open_server.url)):
        said, code = await refusal(open_server, bob.name, headers=headers, origin=origin)
        assert code in (403, 4501, 4502), (said, code)
    mine = await enter(open_server, alice.name, headers=alice.headers)
    assert await line(mine) == f"Client #{alice.name} joined the chat."
    await mine.close()
    mine = await enter(open_server, alice.name, headers=cookie, origin=open_server.url)
    assert await line(mine) == f"Client #{alice.name} joined the chat."
    await mine.close()


async def test_guests_are_off_by_default(plain: Server) -> None:
    said, code = await refusal(plain, "somebody")
    assert code in (401, 403, 4501), (said, code)


async def test_a_guest_uses_a_free_name_which_is_free_again_afterwards(open_server: Server, alice: Account) -> None:
    name = fresh("guest")
    watcher = await enter(open_server, alice.name, headers=alice.headers)
    await until(watcher, f"Client #{alice.name} joined the chat.")
    ws = await enter(open_server, name)
    assert await line(ws) == f"Client #{name} joined the chat."
    assert await line(watcher) == f"Client #{name} joined the chat."
    said, code = await refusal(open_server, name)
    assert (len(said), code) == (1, 4502)
    said, code = await refusal(open_server, name.upper())
    assert (len(said), code) == (1, 4502)
    await ws.close()
    assert await line(watcher) == f"Client #{name} left the chat."
    again = await enter(open_server, name)
    assert await line(again) == f"Client #{name} joined the chat."
    await again.close()
    await watcher.close()


async def test_a_guest_cannot_use_the_name_of_an_account(open_server: Server, alice: Account) -> None:
    for name in (alice.name, alice.name.upper()):
        said, code = await refusal(open_server, name)
        assert (len(said), code) == (1, 4502)
        assert isinstance(said[0], str)
        assert "\n" not in said[0]


async def test_a_guest_connects_without_an_origin_or_from_an_allowed_one(open_server: Server) -> None:
    for origin in (None, open_server.url):
        ws = await enter(open_server, fresh("from"), origin=origin)
        assert "joined" in await line(ws)
        await ws.close()
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{open_server.port + 1}"):
        said, code = await refusal(open_server, fresh("from"), origin=origin)
        assert code in (403, 4501), (said, code)


async def test_a_guest_can_only_enter_the_lobby(open_server: Server, alice: Account) -> None:
    room = alice.create_room(fresh("Members"))
    said, code = await refusal(open_server, fresh("nosy"), room=room)
    assert code not in (None, 1000), (said, code)


@pytest.mark.parametrize(
    "name", ["a%20b", "a%23b", "%23", "x" * 65, "%00", "a%0Ab", "%E2%80%AEx", "%FF", "Client%20%231%20says:"]
)
async def test_a_guest_cannot_use_an_invalid_name(open_server: Server, name: str) -> None:
    status, _, _ = await asyncio.to_thread(raw_upgrade, open_server, f"/ws/{name}")
    if status == 101:
        ws = await open_socket(open_server, f"/ws/{name}", subprotocols=None)
        said, code = await receive_rest(ws)
        assert code is not None
        assert code >= 4500, (said, code)
        assert len(said) == 1
    else:
        assert status in (400, 403, 404)


@pytest.mark.parametrize("room", ["abc", "0", "-1", "987654321", "1.5", "9007199254740992"])
async def test_an_invalid_room_is_refused_in_one_line(open_server: Server, alice: Account, room: str) -> None:
    ws = await open_socket(
        open_server, f"/ws/{alice.name}?room={room}", subprotocols=None, additional_headers=alice.headers
    )
    said, code = await receive_rest(ws)
    assert len(said) == 1
    assert code is not None
    assert code >= 4500


async def test_control_characters_cannot_forge_a_line(open_server: Server, alice: Account) -> None:
    ws = await enter(open_server, alice.name, headers=alice.headers)
    await until(ws, f"Client #{alice.name} joined the chat.")
    for body, shown in (("a\nb", "a\\nb"), ("a\r\nb", "a\\r\\nb"), ("a\x1b[2Jb", "a\\x1b[2Jb"),
    ("a\u2028b", "a\\u2028b"), ("a\x85b", "a\\x85b"),
                        ("a\u202eb", "a\\u202eb"), ("tab\there", "tab\\there"), ("emoji 👩‍👩‍👧 fine", None),
                        ("nbsp\u00a0fine", None)):  # fmt: skip
        await ws.send(body)
        received = await line(ws)
        if shown is not None:
            assert received == f"Client #{alice.name} says: {shown}"
        assert "\n" not in received
        assert "\r" not in received
    await ws.close()


async def test_text_that_cannot_be_sent_is_answered_in_one_line_and_the_socket_stays_open(
    open_server: Server, alice: Account
) -> None:
    ws = await enter(open_server, alice.name, headers=alice.headers)
    await until(ws, f"Client #{alice.name} joined the chat.")
    for bad in ("", "   ", "x" * 8001, "a\x00b"):
        await ws.send(bad)
        received = await line(ws)
        assert not received.startswith("Client #"), received
    await ws.send("still here")
    assert await line(ws) == f"Client #{alice.name} says: still here"
    await ws.send(b"bytes")
    assert (await line(ws)).startswith("Error: ")
    await ws.close()


async def test_an_invalid_token_is_refused(open_server: Server, alice: Account) -> None:
    said, code = await refusal(open_server, alice.name, headers={"Authorization": "Bearer a.b.c"})
    assert code in (401, 403, 4501), (said, code)
    said, code = await refusal(open_server, fresh("x"), headers={"Authorization": "Bearer a.b.c"})
    assert code in (401, 403, 4501), (said, code)


async def test_plain_text_counts_towards_the_connection_limit_of_a_user(strict: Server) -> None:
    one = strict.sign_up("lines")
    one.token = strict.log_in(one.name).token
    sockets = [await enter(strict, one.name, headers=one.headers) for _ in range(3)]
    said, code = await refusal(strict, one.name, headers=one.headers)
    assert code is not None
    assert 4000 <= code < 4500 or code in (429, 503), (said, code)
    for ws in sockets:
        await ws.close()


def test_a_guest_has_no_account_to_log_in_to(open_server: Server) -> None:
    assert (
        request(open_server, "POST", "/token", data={"username": fresh("nobody"), "password": PASSWORD}).status_code
        == 401
    )
