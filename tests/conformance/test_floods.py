"""Connections that take the server's memory or its patience: they are ended in time, and others do not notice."""

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
"""So much later than the deadline may the last one be gone, on a machine that has other things to do."""
SLOW = 12
FEW = 8
"""Files that a server opens and closes by itself: connections to its database, above all."""
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
    """The server, and a probe on it."""
    probe = await Probe.open(impatient)
    yield impatient, probe
    await probe.close()


async def undisturbed(served: tuple[Server, Probe], disturb: Callable[[Server], Awaitable[None]]) -> None:
    """Disturbs; the probe's delays stay what they were before and after."""
    server, probe = served
    undisturbed, delays = await is_left_alone(probe, lambda: disturb(server))
    assert undisturbed, delays
    assert "Traceback" not in server.log_text()


# -- memory


class Memory:
    """The most that the server has taken since, looked at all the time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._begin = server.resident_bytes()
        self.grown = 0
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            self.grown = max(self.grown, self._server.resident_bytes() - self._begin)
            await asyncio.sleep(0.01)  # the pace of the measurement

    async def __aenter__(self) -> "Memory":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.grown = max(self.grown, self._server.resident_bytes() - self._begin)


async def fragments(server: Server) -> None:
    """A message in a million fragments; the server says after 65 that this is too much, and the peer goes on."""
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
    await served[1].windows()  # warm up
    async with Memory(served[0]) as memory:
        await undisturbed(served, fragments)
    assert memory.grown <= GROWTH, f"grown by {memory.grown} bytes"


# -- patience


async def crowd(server: Server) -> None:
    """MANY of each kind at a time; each is ended by the server within the deadline, and not before."""
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


async def test_who_does_not_go_on_is_ended_in_time_whatever_he_does_slowly(served: tuple[Server, Probe]) -> None:
    await undisturbed(served, crowd)


async def test_who_takes_what_he_is_told_byte_by_byte_is_cut_off_in_time(served: tuple[Server, Probe]) -> None:
    server = served[0]
    reader, talker = await asyncio.to_thread(server.sign_up), await asyncio.to_thread(server.sign_up)
    keys = itertools.count()
    async with await Connection.open(server.websocket_url, talker.token, on_event=lambda _: None) as talking:
        before = files(server)

        async def disturb(server: Server) -> None:
            begin = time.monotonic()
            async with at_once(readers_of(server, reader.token)):
                await eventually_async(lambda: live(server, 2 + SLOW), 20, "all listen, beside talker and probe")
                for _ in range(6 * OUTBOX // len(BODY)):
                    await talking.command("message.send", room=1, key=f"{talker.name}-{next(keys)}", body=BODY)
                # The peer of a WebSocket does not even take the Close frame, and has FAREWELL seconds to do it.
                await eventually(lambda: files(server) <= before + FEW, FAREWELL + LATE, "all are cut off")
                assert time.monotonic() - begin >= DEADLINE

        await undisturbed(served, disturb)


def readers_of(server: Server, token: str) -> list[Coroutine[Any, Any, None]]:
    """SLOW who take an answer, and SLOW who take what a room says, byte by byte."""
    return [answer(server.port) for _ in range(SLOW)] + [events(server.port, token) for _ in range(SLOW)]


@contextlib.asynccontextmanager
async def at_once(doings: list[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """All of them meanwhile; they are over afterwards."""
    tasks = [asyncio.create_task(doing) for doing in doings]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def files(server: Server) -> int:
    """How many files and sockets the server has open."""
    return sum(1 for _ in Path(f"/proc/{server.pid}/fd").iterdir())


async def live(server: Server, count: int) -> bool:
    """Whether so many WebSockets have said hello."""
    metrics = await asyncio.to_thread(server.metrics)
    return metrics['hubbub_connections{state="live"}'] >= count
