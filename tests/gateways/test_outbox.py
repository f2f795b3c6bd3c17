"""The outbox of a connection, its chunks, and the timer wheel of all connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from hubbub.delivery.connections import Message
from hubbub.gateways.native import listener as listening
from hubbub.gateways.websocket import timer_wheel as turning
from hubbub.gateways.websocket.frames import CHUNK, FRAMES
from hubbub.gateways.websocket.outbox import Outbox
from hubbub.gateways.websocket.timer_wheel import TimerWheel
from hubbub.protocol import close_codes
from tests.gateways.conftest import Serve, serving
from tests.gateways.raw import TEXT, Raw
from tests.support.waiting import eventually

SIZES = st.lists(st.integers(0, 70_000), min_size=1, max_size=12)


@given(sizes=SIZES)
def test_a_blob_consists_of_whole_frames_in_chunks_that_fit(sizes: list[int]) -> None:
    messages = [Message(b"x" * size) for size in sizes]
    blob = FRAMES.pack(messages)
    frames = [FRAMES.pack([message])[0] for message in messages]
    assert b"".join(blob) == b"".join(frames)
    ends = {sum(map(len, frames[:count])) for count in range(len(frames) + 1)}
    position = 0
    for chunk in blob:
        position += len(chunk)
        assert position in ends, "a chunk ends within a frame"
        assert len(chunk) <= CHUNK or chunk in frames


@given(sizes=SIZES)
def test_an_outbox_returns_everything_in_order_and_counts_its_size(sizes: list[int]) -> None:
    outbox, chunks = Outbox(10), [bytes([number % 256]) * size for number, size in enumerate(sizes)]
    outbox.add(chunks)
    assert outbox.size == sum(sizes)
    taken = []
    while outbox.chunks:
        taken.append(outbox.take())
        assert len(taken[-1]) <= max(CHUNK, *sizes)
    assert b"".join(taken) == b"".join(chunks)
    assert outbox.size == 0


def test_uncorking_inserts_before_what_was_written_since_and_after_what_waited() -> None:
    outbox = Outbox(6)
    outbox.add([b"1"])
    outbox.cork()
    outbox.add([b"4", b"5"])
    outbox.uncork([b"2", b"3" * 10])
    assert list(outbox.chunks) == [b"1", b"2", b"3" * 10, b"4", b"5"]
    assert (outbox.size, outbox.limit) == (14, 17)


async def test_a_long_welcome_does_not_count_against_the_bound(serve: Serve) -> None:
    running = await serve(outbox_bytes=65_536)
    async with Raw(running.port, receive_buffer=4_096) as raw:
        await raw.open()
        connection = running.talks[0].connection
        connection.cork()
        connection.write(connection.format.pack([Message(b"live")]))
        connection.uncork(connection.format.pack([Message(b"x" * 10_000)] * 100))
        connection.write(connection.format.pack([Message(b"next")]))
        for _ in range(100):
            assert await raw.frame() == (TEXT, b"x" * 10_000)
        assert [await raw.frame(), await raw.frame()] == [(TEXT, b"live"), (TEXT, b"next")]


async def test_a_corked_outbox_is_bounded(serve: Serve) -> None:
    running = await serve(outbox_bytes=65_536)
    async with Raw(running.port) as raw:
        await raw.open()
        connection = running.talks[0].connection
        connection.cork()
        for _ in range(8):
            connection.write(connection.format.pack([Message(b"x" * 10_000)]))
        assert await raw.closed() == (close_codes.SLOW, "too slow")


class Member:
    """Count visits and request the next one."""

    def __init__(self, again: float | None) -> None:
        self.spoke = -1
        self.visits: list[float] = []
        self._again = again

    def visit(self, now: float) -> float | None:
        self.visits.append(now)
        return self._again


async def test_the_timer_wheel_visits_in_time_and_stops_when_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turning, "STEP", 0.01)
    loop = asyncio.get_running_loop()
    wheel = TimerWheel(loop.time)
    often, once, never = Member(0.02), Member(None), Member(None)
    begin = loop.time()
    wheel.put(often, 0.02)
    wheel.put(once, 0.05)
    wheel.put(never, 0.05)
    wheel.put(once, 0.03)  # The member is moved.
    wheel.remove(never)
    wheel.remove(never)
    await eventually(lambda: len(often.visits) >= 3, 20, "three visits")
    assert len(once.visits) == 1
    assert once.visits[0] - begin >= 0.02
    assert never.visits == []
    wheel.remove(often)
    count = len(often.visits)
    await eventually(lambda: wheel._timer is None, 20, "the wheel stops its timer")
    assert len(often.visits) == count


async def test_closing_tells_sockets_to_reconnect_and_lets_a_request_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as running, Raw(running.port) as raw, Raw(running.port) as page:
        await raw.open()
        page.send(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        await eventually(lambda: running.gateway.connections.open, 20, "open")
        closing = asyncio.create_task(running.listener.close(2))
        assert (await raw.closed())[0] == close_codes.GOING_AWAY
        raw.writer.close()
        page.send(b"cde")
        assert (await page.head()).startswith("HTTP/1.1 200")
        await asyncio.wait_for(closing, 20)
        with pytest.raises(ConnectionError):
            await asyncio.open_connection("127.0.0.1", running.port)


async def test_an_application_that_does_not_start_raises_an_error(serve: Serve) -> None:
    running = await serve()

    @asynccontextmanager
    async def broken(_: FastAPI) -> AsyncIterator[None]:
        raise RuntimeError("no")
        yield

    app = FastAPI(lifespan=broken)
    other = listening.Listener()
    with pytest.raises(RuntimeError, match="did not start"):
        await other.open(app, running.gateway.connections.services, "127.0.0.1", 0, converse=running.gateway.converse)
    await other.close(0)
