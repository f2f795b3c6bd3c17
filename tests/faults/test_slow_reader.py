"""One of 200 readers stops reading and is closed; the others stay fast."""

import asyncio
import contextlib
import socket
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.conftest import MakeServer
from tests.support.checker import History, Stored, violations
from tests.support.client import Connection, Frame
from tests.support.follower import Follower
from tests.support.server import Server
from tests.support.timing import TooSlowError, three_attempts
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults

READERS = 200
BODY = "x" * 7_900  # Bodies are large, so that few deliveries to the other readers fill a mebibyte.
INTERVAL = 0.04
PHASE = 50  # Messages in a measurement without a fault.
# Messages within which the server must notice the slow reader: 4.7 MB, four outboxes and the
# kernel's buffers.
LIMIT = 600
OUTBOX = 2**20
SLACK = 256 * 1024  # What other readers have waiting at the time of asking, and the piece that the transport holds.
# The server, 200 clients in Python and the rest of the machine share two cores. A scheduling hiccup
# of some 20 ms decides a p99 of a few milliseconds without any fault. A fan-out that waits for the
# slow reader would stall for seconds.
NOISE = 0.03


@dataclass
class Audience:
    """A room with a sender, readers that record delays, and one that can stop."""

    server: Server
    room: int
    sender: Connection
    history: History
    author: int
    slow: Follower
    pace: float = INTERVAL
    delays: list[float] = field(default_factory=list)
    sent: int = 0

    def hear(self, frame: Frame) -> None:
        if frame.get("type") == "message.sent":
            self.delays.append(time.monotonic() - float(frame["body"].split(" ", 1)[0]))

    async def speak(self, count: int, until: Any = lambda: False) -> None:
        """Send at an even pace, at most `count` messages or until a condition holds."""
        start = time.monotonic()
        for number in range(count):
            if until():
                return
            self.sent += 1
            send = self.history.sending(self.room, self.author, f"k{self.sent}", f"{time.monotonic()} {BODY}")
            ok = await self.sender.command("message.send", room=self.room, key=send.key, body=send.body)
            send.acknowledge(ok["seq"])
            # This is the pace of the load.
            await asyncio.sleep(max(0.0, start + (number + 1) * self.pace - time.monotonic()))

    async def p99(self, count: int, until: Any = lambda: False) -> float:
        """Return the 99th percentile of the readers' delays over a phase, in seconds."""
        self.delays.clear()
        before = self.sent
        await self.speak(count, until)
        expected = (self.sent - before) * (READERS - 1)
        await eventually(lambda: len(self.delays) >= expected, 20, "all other readers have all messages")
        return statistics.quantiles(self.delays, n=100)[98]


def small_receive_buffer(port: int) -> dict[str, Any]:
    """Return options for a connection whose kernel buffers little."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", port))
    raw.setblocking(False)
    return {"sock": raw}


@contextlib.asynccontextmanager
async def audience(server: Server, readers: int = READERS) -> AsyncIterator[Audience]:
    author, reader, lagger = server.sign_up(), server.sign_up(), server.sign_up()
    room = author.create_room("the long read")
    for account in (reader, lagger):
        account.join(room)
    sender = await Connection.open(server.websocket_url, author.token, on_event=lambda _: None)
    slow = Follower(server.websocket_url, lagger.token, lambda: small_receive_buffer(server.port))
    made = Audience(server, room, sender, History(), author.id, await slow.start())
    others = [await Connection.open(server.websocket_url, reader.token, on_event=made.hear) for _ in range(readers - 1)]
    try:
        yield made
    finally:
        await slow.stop()
        for connection in (*others, sender):
            await connection.abort()


def stop_reading(follower: Follower) -> None:
    assert follower.connection is not None
    follower.connection.socket.transport.pause_reading()


def start_reading(follower: Follower) -> None:
    assert follower.connection is not None
    with contextlib.suppress(RuntimeError):  # The connection may be closed by now.
        follower.connection.socket.transport.resume_reading()


def was_noticed(server: Server) -> bool:
    return bool(server.log_lines("slow"))


def slow_metric(server: Server) -> float:
    """Return how many connections were closed for being slow."""
    return server.metrics()['hubbub_disconnects_total{code="4008",reason="slow"}']


class Watch:
    """Track the bytes waiting in the server's outboxes during the load."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.peak = 0.0
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            metrics = await asyncio.to_thread(self.server.metrics)
            self.peak = max(self.peak, metrics["hubbub_outbox_bytes"])
            await asyncio.sleep(0.1)  # This is the pace of the measurement.

    async def stop(self) -> float:
        """Stop watching and return the peak."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return self.peak


@three_attempts
async def test_a_reader_that_stops_reading_is_closed_and_resumes_while_others_stay_fast(
    make_server: MakeServer,
) -> None:
    server = make_server()
    await asyncio.to_thread(server.start)
    async with audience(server) as room:
        await room.speak(PHASE // 2)  # This warms the server up.
        watch = Watch(server)
        before = await room.p99(PHASE)
        assert slow_metric(server) == 0
        memory = server.resident_bytes()
        stop_reading(room.slow)
        during = await room.p99(LIMIT, until=lambda: was_noticed(server))
        grown = server.resident_bytes() - memory
        peak = await watch.stop()
        assert was_noticed(server), "the server's log says slow"
        assert OUTBOX / 4 < peak <= OUTBOX + SLACK, f"{peak} bytes waited"
        # The outbox itself is bounded by 1 MiB. The rest belongs to the allocator and the
        # database's cache.
        assert grown < 4 * OUTBOX, f"the server grew by {grown} bytes"

        start_reading(room.slow)
        await eventually(lambda: room.slow.closes, 15, "the slow reader sees its connection closed")
        assert room.slow.closes[0] in (4008, 1006, None), room.slow.closes
        await eventually(lambda: slow_metric(server) == 1, 15, "the metric says slow", every=0.2)
        after = await room.p99(PHASE)
        await nothing_is_missing(room)
        if during > 1.5 * max(before, after) + NOISE:
            raise TooSlowError(f"p99 {before:.4f} before, {during:.4f} during, {after:.4f} after")


async def nothing_is_missing(room: Audience) -> None:
    """Assert that the slow reader received everything over its two connections."""
    topic = f"room:{room.room}"
    head = room.history.sends[-1].seqs[0]
    await eventually(lambda: room.slow.positions()[topic] >= head, 15, "the slow reader has caught up")
    room.history.observe("the slow reader", {topic: room.slow.events(topic)}, room.slow.resets)
    assert room.slow.welcomes == 2
    assert len(room.slow.events(topic)) == room.sent
    assert not violations(room.history, Stored.read(room.server.database_url))


async def test_control_an_unbounded_outbox_exceeds_the_bound(make_server: MakeServer) -> None:
    server = make_server({"HUBBUB_OUTBOX_BYTES": str(2**30)})
    await asyncio.to_thread(server.start)
    async with audience(server, readers=10) as room:
        room.pace = 0.0
        watch = Watch(server)
        stop_reading(room.slow)
        await room.speak(LIMIT, until=lambda: was_noticed(server) or watch.peak > OUTBOX + SLACK)
        assert not was_noticed(server), "this server closes no slow reader"
        assert await watch.stop() > OUTBOX + SLACK
