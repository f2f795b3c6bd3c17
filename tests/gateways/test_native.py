"""The native gateway over real sockets: frames, limits, deadlines, and how connections end."""

import gc
import json
import struct
import weakref

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hubbub.engine.ports import Message
from hubbub.gateways.websocket import native, outbox
from hubbub.gateways.websocket.http import HttpProtocol
from hubbub.gateways.websocket.native import MAX_FRAGMENTS, NativeConnection
from hubbub.protocol import closes
from tests.gateways.conftest import Running, Serve
from tests.gateways.raw import BINARY, CLOSE, CONT, PING, PONG, TEXT, Raw, frame, upgrade
from tests.support.waiting import eventually


async def close_code(running: Running, *frames: bytes) -> int:
    """What the server answers to these frames, as a close code."""
    async with Raw(running.port) as raw:
        await raw.open()
        for one in frames:
            raw.send(one)
        return (await raw.closed())[0]


async def test_a_message_comes_back(serve: Serve) -> None:
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


async def test_firefox_says_keep_alive_and_upgrade(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()  # its Connection header is Firefox's


async def test_other_paths_go_the_asgi_way(serve: Serve) -> None:
    running = await serve()
    async with connect(f"{running.url}/bob") as client:
        await client.send("hi")
        assert await client.recv() == "bob: hi"
    assert running.talks == []


async def test_a_message_in_fragments_with_a_ping_between_is_one_message(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
        raw.send(frame(TEXT, b"a", fin=False) + frame(PING, b"p") + frame(CONT, b"b"))
        assert await raw.frame() == (TEXT, b"ab")
        assert await raw.frame() == (PONG, b"p")


async def test_bytes_may_arrive_one_by_one(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
        for byte in frame(TEXT, b"slowly"):
            raw.send(bytes([byte]))
            await raw.writer.drain()
        assert await raw.frame() == (TEXT, b"slowly")


async def test_many_small_messages_in_one_segment_all_arrive_in_order(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
        raw.send(b"".join(frame(TEXT, str(n).encode()) for n in range(5_000)))
        assert [int((await raw.frame())[1]) for _ in range(5_000)] == list(range(5_000))


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ((frame(BINARY, b"x"),), closes.UNSUPPORTED),
        ((frame(TEXT, b"\xff"),), 1007),
        ((frame(TEXT, b"\xc3", fin=False), frame(CONT, b"\x28")), 1007),
        ((frame(TEXT, b"x", masked=False),), 1002),
        ((frame(CONT, b"x"),), 1002),
        ((frame(PING, b"x" * 126),), 1002),
        ((bytes([0xC1, 0x80, 0, 0, 0, 0]),), 1002),  # RSV1: compressed, which was not agreed on
        ((frame(TEXT, b"x" * 65_537),), closes.TOO_BIG),
        ((frame(TEXT, b"x" * 60_000, fin=False), frame(CONT, b"x" * 5_537)), closes.TOO_BIG),
        ((frame(PING),) * 101, 1008),
    ],
)
async def test_what_breaks_the_rules_closes_with_its_code(serve: Serve, frames: tuple[bytes, ...], code: int) -> None:
    assert await close_code(await serve(), *frames) == code


async def test_the_code_arrives_even_while_the_client_goes_on_sending(serve: Serve) -> None:
    assert await close_code(await serve(), frame(TEXT, b"x" * 1_000_000)) == closes.TOO_BIG


async def test_64_fragments_are_a_message_and_65_are_too_many(serve: Serve) -> None:
    running = await serve()
    first, middle = frame(TEXT, b"x", fin=False), frame(CONT, b"x", fin=False)
    async with Raw(running.port) as raw:
        await raw.open()
        raw.send(first + middle * (MAX_FRAGMENTS - 2) + frame(CONT, b"x"))
        assert await raw.frame() == (TEXT, b"x" * MAX_FRAGMENTS)
    assert await close_code(running, first + middle * (MAX_FRAGMENTS - 1) + frame(CONT, b"x")) == closes.TOO_BIG


async def test_frames_before_the_101_are_an_error(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        raw.send(upgrade() + frame(TEXT, b"early"))
        assert (await raw.head()).startswith("HTTP/1.1 400")
    assert running.talks == []


@pytest.mark.parametrize("missing", ["Sec-WebSocket-Key", "Sec-WebSocket-Version"])
async def test_half_a_handshake_is_a_bad_request(serve: Serve, missing: str) -> None:
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
    await eventually(lambda: running.talks[0].gone, 2, "the conversation heard that its client left")
    assert not running.gateway.open


@pytest.mark.parametrize("text", [b"raise", b"hello"])
async def test_a_message_and_a_close_in_one_segment_end_in_peace(serve: Serve, text: bytes) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
        raw.send(frame(TEXT, text) + frame(CLOSE, struct.pack("!H", 1001)))
        assert await raw.closed() == (1001, "")
    await eventually(lambda: running.talks[0].gone, 2, "the connection is gone")
    assert running.talks[0].heard == [text.decode()]


async def test_half_a_goodbye_is_one(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
        raw.writer.write_eof()
        assert await raw.rest() == b""
    await eventually(lambda: running.talks[0].gone, 2, "the connection is gone")


async def test_without_hello_in_time_the_socket_closes(serve: Serve) -> None:
    running = await serve(hello_timeout=0.3)
    async with Raw(running.port) as raw:
        await raw.open()
        raw.send(frame(TEXT, b"never finished", fin=False))
        assert (await raw.closed())[0] == closes.NOT_AUTHENTICATED


async def test_the_deadline_is_for_the_arrival_of_hello_not_for_what_becomes_of_it(serve: Serve) -> None:
    running = await serve(hello_timeout=0.3)
    async with connect(running.url) as waits, connect(running.url) as silent:
        await waits.send("hello, not processed yet")
        await waits.recv()
        with pytest.raises(ConnectionClosed):
            await silent.recv()
        await waits.send("still there")
        assert await waits.recv() == "still there"


async def test_a_silent_peer_is_pinged_and_then_dropped(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "PING_EVERY", 0.5)
    monkeypatch.setattr(native, "DROP_AFTER", 0.8)
    running = await serve()
    async with Raw(running.port) as answers, Raw(running.port) as silent:
        await answers.open()
        await silent.open()
        for _ in range(3):
            assert await answers.frame() == (PING, b"")
            answers.send(frame(PONG))
        assert await silent.rest() == b"\x89\x00"
        assert len(running.gateway.open) == 1


async def test_a_bug_in_the_conversation_closes_one_socket_only(serve: Serve) -> None:
    running = await serve()
    async with connect(running.url) as well, Raw(running.port) as raw:
        await raw.open()
        raw.send(frame(TEXT, b"raise"))
        assert (await raw.closed())[0] == closes.INTERNAL
        await well.send("fine")
        assert await well.recv() == "fine"


async def test_the_server_says_goodbye_with_a_delay_to_come_back_after(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
        running.talks[0].connection.shutdown()
        code, reason = await raw.closed()
    assert code == closes.GOING_AWAY
    assert 1 <= json.loads(reason)["retry_after"] <= 5


async def test_a_revoked_connection_gets_its_code_as_the_very_next_thing(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
        running.talks[0].connection.abort(closes.SESSION_ENDED, "logged out")
        running.talks[0].connection.write(running.talks[0].connection.pack([Message(b"secret")]))
        assert await raw.frame() == (CLOSE, struct.pack("!H", closes.SESSION_ENDED) + b"logged out")
        assert await raw.rest() == b""


async def test_what_is_corked_waits_behind_the_welcome(serve: Serve) -> None:
    running = await serve()
    async with connect(running.url) as client:
        connection = running.talks[0].connection
        connection.cork()
        connection.write(connection.pack([Message(b"live")]))
        connection.uncork(connection.pack([Message(b"welcome"), Message(b"missed")]))
        connection.write(connection.pack([Message(b"next")]))
        assert [await client.recv() for _ in range(4)] == ["welcome", "missed", "live", "next"]


def stall(connection: NativeConnection, bytes_: int) -> int:
    """Writes so much in messages of 16 KiB; how many messages."""
    blob = connection.pack([Message(b"x" * 16_384)])
    for _ in range(bytes_ // 16_384):
        connection.write(blob)
    return bytes_ // 16_384


async def test_a_reader_that_is_behind_gets_everything_when_it_reads_again(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port, receive_buffer=4_096) as raw:
        await raw.open()
        connection = running.talks[0].connection
        count = stall(connection, 900_000)
        assert connection.buffered() > 500_000
        for _ in range(count):
            assert await raw.frame() == (TEXT, b"x" * 16_384)
        assert connection.buffered() == 0


async def test_one_that_does_not_read_is_closed_as_slow_and_sees_the_code_if_it_reads_in_time(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port, receive_buffer=4_096) as raw:
        await raw.open()
        connection = running.talks[0].connection
        stall(connection, 4_000_000)
        assert connection.buffered() <= 65_536 + 100
        assert (await raw.closed())[0] == closes.SLOW


async def test_one_that_never_reads_again_is_cut_off(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FAREWELL", 0.3)
    running = await serve()
    async with Raw(running.port, receive_buffer=4_096) as raw:
        await raw.open()
        stall(running.talks[0].connection, 4_000_000)
        await eventually(lambda: running.talks[0].gone, 5, "the connection was aborted")
    assert b'code="4008",reason="slow"} 1.0' in running.metrics.render()


async def test_pings_of_a_peer_that_does_not_read_take_no_memory(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port, receive_buffer=4_096) as raw:
        await raw.open()
        connection = running.talks[0].connection
        stall(connection, 500_000)
        before = connection.buffered()
        raw.send(frame(PING, b"x" * 125) * 90 + frame(TEXT, b"in"))
        await eventually(lambda: connection.authenticated, 2, "the pings arrived")
        assert connection.buffered() <= before + 200


async def test_what_is_written_after_the_end_goes_nowhere(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
    await eventually(lambda: running.talks[0].gone, 2, "the client is gone")
    connection = running.talks[0].connection
    connection.write(connection.pack([Message(b"x")]))
    connection.cork()
    connection.uncork(connection.pack([Message(b"x")]))
    connection.close(1000)
    connection.abort(1000)
    assert connection.buffered() == 0


async def test_nothing_of_the_http_protocol_outlives_the_upgrade(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
        gc.collect()
        gc.disable()
        try:
            kept = [weakref.ref(one) for one in gc.get_objects() if type(one) is HttpProtocol]
            assert [one() for one in kept if one() is not None] == []
        finally:
            gc.enable()


async def test_a_connection_that_is_gone_is_freed_without_the_collector(serve: Serve) -> None:
    running = await serve()
    gc.disable()
    try:
        async with Raw(running.port) as raw:
            await raw.open()
            alive = weakref.ref(running.talks[0].connection)
        await eventually(lambda: running.talks[0].gone, 2, "the connection is gone")
        running.talks.clear()
        await eventually(lambda: alive() is None, 1, "nothing keeps the connection")
    finally:
        gc.enable()


async def test_an_address_may_have_so_many_unauthenticated_sockets_and_no_more(serve: Serve) -> None:
    running = await serve(unauthenticated_per_address=2)
    async with connect(running.url) as one, connect(running.url):
        with pytest.raises(InvalidStatus) as refused:
            await connect(running.url).__aenter__()
        assert refused.value.response.status_code == 429
        assert refused.value.response.headers["Retry-After"] == "5"
        await one.send("in")
        await one.recv()
        async with connect(running.url):  # one is authenticated and no longer counts
            pass


async def test_rate_limits_off_lifts_that_cap(serve: Serve) -> None:
    running = await serve(unauthenticated_per_address=1, unauthenticated_max=1, rate_limits=False)
    async with connect(running.url), connect(running.url), connect(running.url):
        assert running.gateway.door.waiting == 3


async def test_over_the_cap_of_all_new_ones_wait_until_there_is_room(serve: Serve) -> None:
    running = await serve(unauthenticated_max=2, hello_timeout=3600)
    async with connect(running.url) as one, connect(running.url), Raw(running.port) as waits:
        waits.send(upgrade())  # the kernel accepts it, we do not
        await one.send("ok")
        await one.recv()
        assert len(running.talks) == 2
        await one.send("in")
        await one.recv()
        assert (await waits.head()).startswith("HTTP/1.1 101")
        assert len(running.talks) == 3
