"""Limits of the wire: the limit works, and more is refused with a clear error."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.support.checker import Stored
from tests.support.client import Frame, raw_connect
from tests.support.server import Account, Server

pytestmark = pytest.mark.faults

BODY_BYTES = 16_384
BODY_CHARACTERS = 8_000
FRAME_BYTES = 65_536
FRAGMENTS = 64
DEPTH = 32
PAGE = 200
MAX_ID = 2**53 - 1
SIZES = {"too_large", "bad_request"}


@pytest.fixture(scope="module")
def account(server: Server) -> Account:
    return server.sign_up("limit")


@pytest.fixture
async def socket(server: Server, account: Account) -> AsyncIterator[ClientConnection]:
    """A WebSocket after hello, for frames that no client would write."""
    raw = await raw_connect(server.websocket_url)
    await raw.send(json.dumps({"type": "hello", "token": account.token}))
    assert json.loads(await raw.recv())["type"] == "welcome"
    yield raw
    await raw.close()


async def reply(socket: ClientConnection, frame: "str | bytes | list[str]") -> Frame:
    """Send one message unchanged and return the next frame that is a reply."""
    await socket.send(frame)
    while True:
        answer: Frame = json.loads(await asyncio.wait_for(socket.recv(), 20))
        if "re" in answer:
            return answer


async def still_works(socket: ClientConnection) -> None:
    assert await reply(socket, '{"id": 99, "type": "ping"}') == {"re": 99, "ok": {}}


def message(key: str, body: str, **more: Any) -> str:
    """Return a send to the lobby, not ASCII-escaped, so that bytes are bytes."""
    command = {"id": 1, "type": "message.send", "room": 1, "key": key, "body": body, **more}
    return json.dumps(command, ensure_ascii=False)


def padded(text: str, size: int) -> str:
    """Return the same JSON padded with blanks to exactly `size` bytes of UTF-8."""
    return text + " " * (size - len(text.encode()))


# -- within the limits


FITS = {
    "a body of 8,000 characters": message("fit characters", "a" * BODY_CHARACTERS),
    # 5,461 characters of three bytes and one character of one byte: 16,384 bytes.
    "a body of 16 KiB": message("fit bytes", "€" * 5_461 + "a"),
    "a key of 64 characters": message("k" * 64, "a long key"),
    "a key of one character": message("!", "a short key"),
    "every printable ASCII character in a key": message("".join(map(chr, range(32, 94))), "an ugly key"),
    "a frame of 64 KiB": padded(message("fit frame", "padded"), FRAME_BYTES),
    "the largest command id": '{"id": 9007199254740991, "type": "ping"}',
    "a negative command id": '{"id": -5, "type": "ping"}',
    "a page of 200": json.dumps({"id": 1, "type": "events.since", "topic": "room:1", "after": 0, "limit": PAGE}),
    "unknown fields": message("fit fields", "hello", colour="green"),
}


@pytest.mark.parametrize("case", FITS)
async def test_a_frame_at_the_limit_works(socket: ClientConnection, case: str) -> None:
    answer = await reply(socket, FITS[case])
    assert "ok" in answer or answer["error"]["code"] == "forbidden", answer
    assert answer["re"] == json.loads(FITS[case])["id"]
    await still_works(socket)


PAST = {
    "a body of 8,001 characters": (message("past", "a" * (BODY_CHARACTERS + 1)), SIZES),
    "a body of 16 KiB and one byte": (message("past", "€" * 5_461 + "aa"), SIZES),
    "an empty body": (message("past", ""), {"bad_request"}),
    "a blank body": (message("past", " \n\t"), {"bad_request"}),
    "a key of 65 characters": (message("k" * 65, "hello"), {"bad_request"}),
    "an empty key": (message("", "hello"), {"bad_request"}),
    "a key beyond ASCII": (message("ключ", "hello"), {"bad_request"}),
    "a control character in a key": (message("a\tb", "hello"), {"bad_request"}),
    "a number as body": ('{"id":1,"type":"message.send","room":1,"key":"past","body":7}', {"bad_request"}),
    "a string as room": ('{"id":1,"type":"message.send","room":"1","key":"past","body":"x"}', {"bad_request"}),
    "a float as room": ('{"id":1,"type":"message.send","room":1.5,"key":"past","body":"x"}', {"bad_request"}),
    "true as room": ('{"id":1,"type":"message.send","room":true,"key":"past","body":"x"}', {"bad_request"}),
    "room 0": ('{"id":1,"type":"message.send","room":0,"key":"past","body":"x"}', {"bad_request", "not_found"}),
    "room 2**53": (f'{{"id":1,"type":"message.send","room":{MAX_ID + 1},"key":"p","body":"x"}}', {"bad_request"}),
    "no room": ('{"id":1,"type":"message.send","key":"past","body":"x"}', {"bad_request"}),
    "no key": ('{"id":1,"type":"message.send","room":1,"body":"x"}', {"bad_request"}),
    "an unknown type": ('{"id":1,"type":"message.shout","room":1}', {"bad_request"}),
    "an internal command": ('{"id":1,"type":"SetDisabled","user":1,"disabled":true}', {"bad_request"}),
    "a second hello": ('{"id":1,"type":"hello"}', {"bad_request"}),
    "a page of 201": ('{"id":1,"type":"events.since","topic":"room:1","after":0,"limit":201}', {"bad_request"}),
    "a page of none": ('{"id":1,"type":"events.since","topic":"room:1","after":0,"limit":0}', {"bad_request"}),
    "a position below 0": ('{"id":1,"type":"events.since","topic":"room:1","after":-1}', {"bad_request"}),
    "the internal topic": (
        '{"id":1,"type":"events.since","topic":"security","after":0}',
        {"bad_request", "forbidden", "not_found"},
    ),
    "a malformed topic": (
        '{"id":1,"type":"events.since","topic":"room:x","after":0}',
        {"bad_request", "forbidden", "not_found"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PAST)
async def test_a_command_beyond_a_limit_is_refused_with_its_id_and_the_socket_stays_open(
    socket: ClientConnection, server: Server, case: str
) -> None:
    frame, codes = PAST[case]
    answer = await reply(socket, frame)
    assert answer["re"] == 1
    assert answer["error"]["code"] in codes, answer
    assert answer["error"]["message"]
    assert "past" not in {row.key for row in Stored.read(server.database_url).messages}
    await still_works(socket)


NOT_COMMANDS = {
    "no JSON": "hello?",
    "half a JSON": '{"id": 1, "type": "ping"',
    "nothing": "",
    "an array": "[1, 2]",
    "a string": '"ping"',
    "null": "null",
    "two objects": '{"id": 1, "type": "ping"}{"id": 2, "type": "ping"}',
    "a duplicate key": '{"id": 1, "id": 2, "type": "ping"}',
    "a duplicate key deep inside": '{"id": 1, "type": "ping", "x": {"a": 1, "a": 2}}',
    "NaN": '{"id": 1, "type": "ping", "x": NaN}',
    "Infinity": '{"id": 1, "type": "ping", "x": -Infinity}',
    "a number that overflows": '{"id": 1, "type": "ping", "x": 1e999}',
    "a lone surrogate": '{"id": 1, "type": "ping", "x": "\\ud800"}',
    "a lone surrogate as a key": '{"id": 1, "type": "ping", "\\udc00": 1}',
    "U+0000 in a body": message("past", "a\x00b"),
    "U+0000 in an unknown field": message("past", "hello", more="\x00"),
    "an escaped U+0000": '{"id": 1, "type": "ping", "x": "\\u0000"}',
    "an escaped U+0000 as a key": '{"id": 1, "type": "ping", "\\u0000": 1}',
    "a depth of 33": '{"id": 1, "type": "ping", "x": ' + "[" * DEPTH + "]" * DEPTH + "}",
    "a depth of 10,000": "[" * 10_000 + "]" * 10_000,
    "no id": '{"type": "message.send", "room": 1, "key": "past", "body": "hello"}',
    "a string as id": '{"id": "1", "type": "ping"}',
    "true as id": '{"id": true, "type": "ping"}',
    "a float as id": '{"id": 1.5, "type": "ping"}',
    "an id of 2**63": f'{{"id": {2**63}, "type": "message.send", "room": 1, "key": "past", "body": "hello"}}',
    "an id of 5,000 digits": '{"id": ' + "9" * 5_000 + ', "type": "ping"}',
    "a byte order mark": '\ufeff{"id": 1, "type": "ping"}',
}


@pytest.mark.parametrize("case", NOT_COMMANDS)
async def test_a_frame_that_is_not_a_command_is_a_bad_request_and_the_socket_stays_open(
    socket: ClientConnection, server: Server, case: str
) -> None:
    answer = await reply(socket, NOT_COMMANDS[case])
    assert answer["error"]["code"] == "bad_request", answer
    assert answer["re"] in (None, 1, -1), answer
    assert "past" not in {row.key for row in Stored.read(server.database_url).messages}
    await still_works(socket)


async def test_a_depth_of_32_is_read(socket: ClientConnection) -> None:
    depth = "[" * (DEPTH - 1) + "]" * (DEPTH - 1)
    assert await reply(socket, f'{{"id": 1, "type": "ping", "x": {depth}}}') == {"re": 1, "ok": {}}


# -- frames that end the connection


async def close_code(socket: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed) as closed:
        await asyncio.wait_for(drain(socket), 30)
    return closed.value.rcvd.code if closed.value.rcvd else None


async def drain(socket: ClientConnection) -> None:
    while True:
        await socket.recv()


async def test_a_frame_over_64_kib_closes_with_1009(socket: ClientConnection) -> None:
    await socket.send(padded(message("past frame", "padded"), FRAME_BYTES + 1))
    assert await close_code(socket) == 1009


async def test_64_kib_in_fragments_are_one_message(socket: ClientConnection) -> None:
    text = padded(message("fragments", "in pieces"), FRAME_BYTES)
    size = FRAME_BYTES // (FRAGMENTS - 2)  # The remainder makes one more, and the library ends with an empty fragment.
    pieces = [text[at : at + size] for at in range(0, FRAME_BYTES, size)]
    assert len(pieces) + 1 == FRAGMENTS
    answer = await reply(socket, pieces)
    assert "ok" in answer, answer


async def test_more_than_64_kib_in_fragments_close_with_1009(socket: ClientConnection) -> None:
    await socket.send([" " * 40_000, " " * 40_000])
    assert await close_code(socket) == 1009


async def test_too_many_fragments_close_the_connection(socket: ClientConnection) -> None:
    await socket.send(["{", *[" "] * (FRAGMENTS - 2), "}"])  # The library adds an empty one.
    assert await close_code(socket) in (1008, 1009)


async def test_a_binary_frame_closes_with_1003(socket: ClientConnection) -> None:
    await socket.send(b'{"id": 1, "type": "ping"}')
    # RFC 6455, section 7.4.1: 1003 is for endpoints that cannot accept binary frames.
    assert await close_code(socket) == 1003


async def test_text_that_is_not_utf8_closes_with_1007(socket: ClientConnection) -> None:
    await socket.send(b'{"id": 1, "x": "\xff"}', text=True)
    assert await close_code(socket) == 1007
