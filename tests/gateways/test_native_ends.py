"""The native gateway: ends of connections, slow readers, admission limits."""

import gc
import json
import struct
import weakref

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hubbub.delivery.connections import Message
from hubbub.delivery.fanout import Fanout
from hubbub.gateways.native import connection as native
from hubbub.gateways.native.connection import NativeConnection
from hubbub.gateways.native.http_protocol import HttpProtocol
from hubbub.gateways.websocket import outbox
from hubbub.protocol import close_codes
from tests.gateways.conftest import Serve
from tests.gateways.raw import BINARY, CLOSE, PING, PONG, TEXT, Raw, frame
from tests.support.waiting import eventually


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
        assert len(running.gateway.connections.open) == 1


async def test_a_bug_in_one_conversation_closes_only_its_socket(serve: Serve) -> None:
    running = await serve()
    async with connect(running.url) as well, Raw(running.port) as raw:
        await raw.open()
        raw.send(frame(TEXT, b"raise"))
        assert (await raw.closed())[0] == close_codes.INTERNAL
        await well.send("fine")
        assert await well.recv() == "fine"


async def test_shutdown_closes_with_a_delay_to_reconnect_after(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
        running.talks[0].connection.shutdown(Fanout(), 1)
        code, reason = await raw.closed()
    assert code == close_codes.GOING_AWAY
    assert 1 <= json.loads(reason)["retry_after"] <= 5


async def test_an_aborted_connection_receives_its_close_code_next(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
        running.talks[0].connection.abort(close_codes.SESSION_ENDED, "logged out")
        running.talks[0].connection.write(running.talks[0].connection.format.pack([Message(b"secret")]))
        assert await raw.frame() == (CLOSE, struct.pack("!H", close_codes.SESSION_ENDED) + b"logged out")
        assert await raw.rest() == b""


async def test_messages_written_while_corked_follow_the_welcome(serve: Serve) -> None:
    running = await serve()
    async with connect(running.url) as client:
        connection = running.talks[0].connection
        connection.cork()
        connection.write(connection.format.pack([Message(b"live")]))
        connection.uncork(connection.format.pack([Message(b"welcome"), Message(b"missed")]))
        connection.write(connection.format.pack([Message(b"next")]))
        assert [await client.recv() for _ in range(4)] == ["welcome", "missed", "live", "next"]


def stall(connection: NativeConnection, bytes_: int) -> int:
    """Write `bytes_` in messages of 16 KiB; return how many messages."""
    blob = connection.format.pack([Message(b"x" * 16_384)])
    for _ in range(bytes_ // 16_384):
        connection.write(blob)
    return bytes_ // 16_384


async def test_a_reader_that_fell_behind_receives_everything_when_it_reads_again(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port, receive_buffer=4_096) as raw:
        await raw.open()
        connection = running.talks[0].connection
        count = stall(connection, 900_000)
        assert connection.buffered() > 500_000
        for _ in range(count):
            assert await raw.frame() == (TEXT, b"x" * 16_384)
        assert connection.buffered() == 0


async def test_a_stalled_reader_is_closed_as_slow_and_sees_the_code_if_it_reads_in_time(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port, receive_buffer=4_096) as raw:
        await raw.open()
        connection = running.talks[0].connection
        stall(connection, 3_000_000)
        await eventually(lambda: connection.buffered() <= 65_536 + 100, 20, "the waiting messages are dropped")
        assert (await raw.closed())[0] == close_codes.SLOW


async def test_a_reader_far_over_the_limit_gets_no_grace(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port, receive_buffer=4_096) as raw:
        await raw.open()
        connection = running.talks[0].connection
        stall(connection, 12_000_000)
        assert connection.buffered() <= 65_536 + 100
        assert (await raw.closed())[0] == close_codes.SLOW


async def test_a_burst_over_the_limit_reaches_a_client_that_reads(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "GRACE", 5.0)  # The machine may be busy.
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
        count = stall(running.talks[0].connection, 3_000_000)
        for _ in range(count):
            assert await raw.frame() == (TEXT, b"x" * 16_384)


async def test_a_reader_that_never_reads_again_is_aborted(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "FAREWELL", 0.3)
    running = await serve()
    async with Raw(running.port, receive_buffer=4_096) as raw:
        await raw.open()
        stall(running.talks[0].connection, 4_000_000)
        await eventually(lambda: running.talks[0].gone, 20, "the connection was aborted")
    assert b'code="4008",reason="slow"} 1.0' in running.metrics.render()


async def test_pings_of_a_peer_that_does_not_read_take_no_memory(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port, receive_buffer=4_096) as raw:
        await raw.open()
        connection = running.talks[0].connection
        stall(connection, 500_000)
        before = connection.buffered()
        raw.send(frame(PING, b"x" * 125) * 90 + frame(TEXT, b"in"))
        await eventually(lambda: connection.authenticated, 20, "the pings arrived")
        assert connection.buffered() <= before + 200


async def test_writes_after_the_end_of_a_connection_are_discarded(serve: Serve) -> None:
    running = await serve()
    async with Raw(running.port) as raw:
        await raw.open()
    await eventually(lambda: running.talks[0].gone, 20, "the client is gone")
    connection = running.talks[0].connection
    connection.write(connection.format.pack([Message(b"x")]))
    connection.cork()
    connection.uncork(connection.format.pack([Message(b"x")]))
    connection.close(1000)
    connection.abort(1000)
    assert connection.buffered() == 0


async def test_the_http_protocol_object_is_freed_after_the_upgrade(serve: Serve) -> None:
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


async def test_a_closed_connection_is_freed_without_the_garbage_collector(serve: Serve) -> None:
    running = await serve()
    gc.disable()
    try:
        async with Raw(running.port) as raw:
            await raw.open()
            alive = weakref.ref(running.talks[0].connection)
        await eventually(lambda: running.talks[0].gone, 20, "the connection is gone")
        running.talks.clear()
        await eventually(lambda: alive() is None, 20, "nothing keeps the connection")
    finally:
        gc.enable()


async def test_unauthenticated_sockets_per_address_are_limited(serve: Serve) -> None:
    running = await serve(unauthenticated_per_address=2)
    async with connect(running.url) as one, connect(running.url):
        with pytest.raises(InvalidStatus) as refused:
            await connect(running.url).__aenter__()
        assert refused.value.response.status_code == 429
        assert refused.value.response.headers["Retry-After"] == "5"
        await one.send("in")
        await one.recv()
        async with connect(running.url):  # One of the two is authenticated and no longer counts.
            pass


async def test_without_rate_limits_unauthenticated_sockets_are_not_limited(serve: Serve) -> None:
    running = await serve(unauthenticated_per_address=1, unauthenticated_max=1, rate_limits=False)
    async with connect(running.url), connect(running.url), connect(running.url):
        assert running.gateway.connections.admission.count == 3


async def test_a_newcomer_of_the_busiest_network_is_refused_and_http_is_still_served(serve: Serve) -> None:
    running = await serve(unauthenticated_max=2, hello_timeout=3600)
    async with connect(running.url) as one, connect(running.url) as silent, Raw(running.port) as page:
        with pytest.raises(InvalidStatus) as refused:
            await connect(running.url)
        assert refused.value.response.status_code == 429
        page.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await page.head()).startswith("HTTP/1.1 200"), "HTTP needs no WebSocket slot"
        await one.send("hello, not processed yet")
        await one.recv()
        async with connect(running.url):  # One socket has sent something: it cannot be evicted, and needs no idle slot.
            assert running.gateway.connections.admission.count == 3
        await silent.send("in")
        await silent.recv()
    assert running.gateway.connections.admission.evicted == 0


async def test_a_newcomer_of_another_network_evicts_the_oldest_silent_socket(serve: Serve) -> None:
    running = await serve(unauthenticated_max=2, hello_timeout=3600)
    async with (
        connect(running.url) as oldest,
        connect(running.url) as younger,
        connect(running.url, local_addr=("127.0.0.2", 0)) as newcomer,
    ):
        with pytest.raises(ConnectionClosed):
            await oldest.recv()
        assert oldest.close_code == close_codes.GOING_AWAY
        assert "retry_after" in (oldest.close_reason or "")
        for socket in (younger, newcomer):
            await socket.send("in")
            assert await socket.recv() == "in"
    assert running.gateway.connections.admission.evicted == 1


async def test_a_closed_socket_that_does_not_answer_the_close_is_evicted_first(serve: Serve) -> None:
    """Otherwise a client could hold slots during its closing handshakes."""
    running = await serve(unauthenticated_max=2, hello_timeout=3600)
    async with Raw(running.port) as refused, connect(running.url) as speaking:
        await refused.open()
        refused.send(frame(BINARY, b"x"))
        assert (await refused.closed())[0] == close_codes.UNSUPPORTED
        await speaking.send("hello, not processed yet")
        await speaking.recv()
        async with connect(running.url), connect(running.url, local_addr=("127.0.0.2", 0)):
            assert await refused.rest() == b""
            await speaking.send("still there")
            assert await speaking.recv() == "still there"


async def test_a_silent_socket_gets_less_time_while_most_slots_are_taken(serve: Serve) -> None:
    running = await serve(unauthenticated_max=5, hello_timeout=3600)
    async with connect(running.url), connect(running.url), connect(running.url) as early, connect(running.url) as late:
        with pytest.raises(ConnectionClosed):
            await late.recv()
        assert late.close_code == close_codes.NOT_AUTHENTICATED
        await early.send("in time")
        assert await early.recv() == "in time"
