"""Connections that cost memory or never make progress are ended in time."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from hubbub.gateways.websocket.outbox import FAREWELL
from tests.conformance.loris import IMPATIENCE, Loris, answer, events
from tests.conformance.probe import Probe, is_left_alone
from tests.gateways.raw import CONT, TEXT, Raw, frame
from tests.support.client import Connection
from tests.support.server import Server
from tests.support.waiting import eventually, eventually_async

pytestmark = pytest.mark.faults

FRAGMENTS = 1_000_000
PIECE = 1_000
GROWTH = 8 * 2**20
MANY = 60
DEADLINE = 2.0
LATE = 8.0
"""How much later than the deadline the last connection may end, on a busy machine."""
SLOW = 12
FEW = 8
"""Files that a server opens and closes itself, mostly database connections."""
OUTBOX = 2**16
BODY = "x" * 4_000


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with short deadlines."""
    deadlines = {f"HUBBUB_{what}_TIMEOUT": str(DEADLINE) for what in ("HEAD", "BODY", "HELLO")}
    settings = {**deadlines, "HUBBUB_OUTBOX_BYTES": str(OUTBOX)}
    with Server(tmp_path_factory.mktemp("impatient") / "data", settings) as server:
        yield server


@pytest.fixture
async def served(impatient: Server) -> AsyncIterator[tuple[Server, Probe]]:
    """The server, and a probe connected to it."""
    probe = await Probe.open(impatient)
    yield impatient, probe
    await probe.close()


async def undisturbed(served: tuple[Server, Probe], disturb: Callable[[Server], Awaitable[None]]) -> None:
    """Assert that the disturbance does not increase the probe's delays."""
    server, probe = served
    undisturbed, delays = await is_left_alone(probe, lambda: disturb(server))
    assert undisturbed, delays
    assert "Traceback" not in server.log_text()


# -- memory


class Memory:
    """The server's largest growth of memory, sampled continuously."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._begin = server.resident_bytes()
        self.grown = 0
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            self.grown = max(self.grown, self._server.resident_bytes() - self._begin)
            await asyncio.sleep(0.01)  # This is the pace of the measurement.

    async def __aenter__(self) -> "Memory":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.grown = max(self.grown, self._server.resident_bytes() - self._begin)


async def fragments(server: Server) -> None:
    """Send a message in a million fragments.

    The server refuses it after 65 fragments, and the client goes on sending.
    """
    piece = frame(CONT, b"x", fin=False) * PIECE
    async with Raw(server.port) as raw:
        await raw.open()
        raw.send(frame(TEXT, b"x", fin=False))
        with contextlib.suppress(ConnectionError):
            for _ in range(FRAGMENTS // PIECE):
                raw.send(piece)
                await raw.writer.drain()
        assert await raw.closed() == (1009, "too many fragments")


async def test_a_million_fragments_of_one_byte_cost_no_memory(served: tuple[Server, Probe]) -> None:
    await served[1].windows()  # This warms the server up.
    async with Memory(served[0]) as memory:
        await undisturbed(served, fragments)
    assert memory.grown <= GROWTH, f"grown by {memory.grown} bytes"


# -- deadlines


async def crowd(server: Server) -> None:
    """Run MANY slow clients of each kind.

    The server must end each by the deadline, and not before.
    """
    begin = time.monotonic()

    async def one(loris: Loris, last_words: bytes) -> None:
        name = getattr(loris, "__name__", "")
        said = await loris(server.port)
        took = time.monotonic() - begin
        assert last_words in said, f"{name}: {said!r}"
        assert DEADLINE <= took <= DEADLINE + LATE, f"{name} was ended after {took:.1f} s"

    async with asyncio.TaskGroup() as group:
        for loris, last_words in IMPATIENCE.items():
            for _ in range(MANY):
                group.create_task(one(loris, last_words))


async def test_slow_senders_are_ended_by_the_deadline_whatever_they_send(served: tuple[Server, Probe]) -> None:
    await undisturbed(served, crowd)


async def test_clients_that_read_byte_by_byte_are_disconnected_in_time(served: tuple[Server, Probe]) -> None:
    server = served[0]
    reader, talker = await asyncio.to_thread(server.sign_up), await asyncio.to_thread(server.sign_up)
    keys = itertools.count()
    async with await Connection.open(server.websocket_url, talker.token, on_event=lambda _: None) as talking:
        before = files(server)

        async def disturb(server: Server) -> None:
            begin = time.monotonic()
            async with at_once(readers_of(server, reader.token)):
                await eventually_async(
                    lambda: live(server, 2 + SLOW), 20, "all readers are connected, beside the sender and the probe"
                )
                for _ in range(6 * OUTBOX // len(BODY)):
                    await talking.command("message.send", room=1, key=f"{talker.name}-{next(keys)}", body=BODY)
                # The peer of a WebSocket does not even read the Close frame, and has FAREWELL
                # seconds to do it.
                await eventually(
                    lambda: files(server) <= before + FEW, FAREWELL + LATE, "all slow readers are disconnected"
                )
                assert time.monotonic() - begin >= DEADLINE

        await undisturbed(served, disturb)


def readers_of(server: Server, token: str) -> list[Coroutine[Any, Any, None]]:
    """Return SLOW readers of an answer and SLOW readers of a room."""
    return [answer(server.port) for _ in range(SLOW)] + [events(server.port, token) for _ in range(SLOW)]


@contextlib.asynccontextmanager
async def at_once(doings: list[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run all coroutines during the block and cancel them after it."""
    tasks = [asyncio.create_task(doing) for doing in doings]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def files(server: Server) -> int:
    """Return how many files and sockets the server has open."""
    return sum(1 for _ in Path(f"/proc/{server.pid}/fd").iterdir())


async def live(server: Server, count: int) -> bool:
    """Return whether at least `count` WebSockets have logged in."""
    metrics = await asyncio.to_thread(server.metrics)
    return metrics['hubbub_connections{state="live"}'] >= count
