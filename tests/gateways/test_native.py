"""The native gateway over real sockets: frames, limits, deadlines, and closing."""

import json
import struct

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from hubbub.gateways.native.connection import MAX_FRAGMENTS
from hubbub.protocol import close_codes
from tests.gateways.conftest import Running, Serve
from tests.gateways.raw import BINARY, CLOSE, CONT, PING, PONG, TEXT, Raw, frame, upgrade
from tests.support.waiting import eventually


async def close_code(running: Running, *frames: bytes) -> int:
    """Return the close code with which the server answers these frames."""
    async with Raw(running.port) as raw:
        await raw.open()
        for one in frames:
            raw.send(one)
        return (await raw.closed())[0]


async def test_messages_are_echoed_unchanged(serve: Serve) -> None:
    running = await serve()
    async with connect(running.url) as client:
        for text in ("a", "ü" * 100, "x" * 65_536):
            await client.send(text)
            assert await client.recv() == text


async def test_the_subprotocol_is_optional_and_echoed_when_offered(serve: Serve) -> None:
    running = await serve()
    async with connect(running.url, subprotocols=["other", "hubbub.v1"]) as client:  # type: ignore[list-item]
        assert client.subprotocol == "hubbub.v1"
    async with connect(running.url, subprotocols=["other"]) as client:  # type: ignore[list-item]
        assert client.subprotocol is None


async def test_compression_is_declined(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        raw.send(upgrade(headers={"Sec-WebSocket-Extensions": "permessage-deflate"}))
        assert "extensions" not in (await raw.head()).lower()


async def test_the_connection_header_of_firefox_is_accepted(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()  # The request's Connection header is Firefox's.


async def test_other_websocket_paths_are_served_by_the_asgi_app(serve: Serve) -> None:
    running = await serve()
    async with connect(f"{running.url}/bob") as client:
        await client.send("hi")
        assert await client.recv() == "bob: hi"
    assert running.talks == []


async def test_a_fragmented_message_with_a_ping_in_between_is_one_message(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
        raw.send(frame(TEXT, b"a", fin=False) + frame(PING, b"p") + frame(CONT, b"b"))
        assert await raw.frame() == (PONG, b"p")
        assert await raw.frame() == (TEXT, b"ab")


async def test_a_frame_may_arrive_byte_by_byte(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
        for byte in frame(TEXT, b"slowly"):
            raw.send(bytes([byte]))
            await raw.writer.drain()
        assert await raw.frame() == (TEXT, b"slowly")


async def test_many_small_messages_in_one_segment_arrive_in_order(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
        raw.send(b"".join(frame(TEXT, str(n).encode()) for n in range(5_000)))
        assert [int((await raw.frame())[1]) for _ in range(5_000)] == list(range(5_000))


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ((frame(BINARY, b"x"),), close_codes.UNSUPPORTED),
        ((frame(TEXT, b"\xff"),), 1007),
        ((frame(TEXT, b"\xc3", fin=False), frame(CONT, b"\x28")), 1007),
        ((frame(TEXT, b"x", masked=False),), 1002),
        ((frame(CONT, b"x"),), 1002),
        ((frame(PING, b"x" * 126),), 1002),
        # RSV1 marks a compressed frame, and compression was not negotiated.
        ((bytes([0xC1, 0x80, 0, 0, 0, 0]),), 1002),
        ((frame(TEXT, b"x" * 65_537),), close_codes.TOO_BIG),
        ((frame(TEXT, b"x" * 60_000, fin=False), frame(CONT, b"x" * 5_537)), close_codes.TOO_BIG),
        ((frame(PING),) * 101, 1008),
    ],
)
async def test_a_protocol_violation_closes_with_its_code(serve: Serve, frames: tuple[bytes, ...], code: int) -> None:
    assert await close_code(await serve(), *frames) == code


async def test_the_close_code_arrives_while_the_client_goes_on_sending(serve: Serve) -> None:
    assert await close_code(await serve(), frame(TEXT, b"x" * 1_000_000)) == close_codes.TOO_BIG


async def test_64_fragments_are_a_message_and_65_are_too_many(serve: Serve) -> None:
    running = await serve()
    first, middle = frame(TEXT, b"x", fin=False), frame(CONT, b"x", fin=False)
    async with Raw(running.port) as raw:
        await raw.open()
        raw.send(first + middle * (MAX_FRAGMENTS - 2) + frame(CONT, b"x"))
        assert await raw.frame() == (TEXT, b"x" * MAX_FRAGMENTS)
    assert await close_code(running, first + middle * (MAX_FRAGMENTS - 1) + frame(CONT, b"x")) == close_codes.TOO_BIG


async def test_frames_before_the_101_are_refused(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        raw.send(upgrade() + frame(TEXT, b"early"))
        assert (await raw.head()).startswith("HTTP/1.1 400")
    assert running.talks == []


@pytest.mark.parametrize("missing", ["Sec-WebSocket-Key", "Sec-WebSocket-Version"])
async def test_an_incomplete_handshake_is_a_bad_request(serve: Serve, missing: str) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        raw.send(b"".join(line for line in upgrade().splitlines(True) if missing.encode() not in line))
        assert (await raw.head()).startswith("HTTP/1.1 400")
        assert json.loads(await raw.rest())["error"]["code"] == "bad_request"


async def test_a_close_is_answered_with_the_same_code(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
        raw.send(frame(CLOSE, struct.pack("!H", 1000)))
        assert await raw.closed() == (1000, "")
        assert await raw.rest() == b""
    await eventually(lambda: running.talks[0].gone, 20, "the conversation is told that its client left")
    assert not running.gateway.connections.open


@pytest.mark.parametrize("text", [b"raise", b"hello"])
async def test_a_message_and_a_close_in_one_segment_close_with_the_clients_code(serve: Serve, text: bytes) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
        raw.send(frame(TEXT, text) + frame(CLOSE, struct.pack("!H", 1001)))
        assert await raw.closed() == (1001, "")
    await eventually(lambda: running.talks[0].gone, 20, "the connection is gone")
    assert running.talks[0].heard == [text.decode()]


async def test_a_half_closed_connection_is_closed(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
        raw.writer.write_eof()
        assert await raw.rest() == b""
    await eventually(lambda: running.talks[0].gone, 20, "the connection is gone")


async def test_a_socket_without_hello_is_closed_at_the_deadline(serve: Serve) -> None:
    running = await serve(hello_timeout=0.3)
    async with Raw(running.port) as raw:
        await raw.open()
        raw.send(frame(TEXT, b"never finished", fin=False))
        assert (await raw.closed())[0] == close_codes.NOT_AUTHENTICATED


async def test_the_hello_deadline_covers_its_arrival_and_not_its_processing(serve: Serve) -> None:
    running = await serve(hello_timeout=0.3)
    async with connect(running.url) as waits, connect(running.url) as silent:
        await waits.send("hello, not processed yet")
        await waits.recv()
        with pytest.raises(ConnectionClosed):
            await silent.recv()
        await waits.send("still there")
        assert await waits.recv() == "still there"
