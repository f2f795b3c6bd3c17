"""Connections that take the server's memory or its patience: they are ended in time, and others do not notice."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from tests.conformance.probe import Probe, is_left_alone
from tests.gateways.raw import CLOSE, CONT, TEXT, Raw, frame, upgrade
from tests.support.server import Server

pytestmark = pytest.mark.faults

FRAGMENTS = 1_000_000
PIECE = 1_000
GROWTH = 8 * 2**20
MANY = 200
DEADLINE = 2.0
LATE = 8.0
"""So much later than the deadline may the last one be gone, on a machine that has other things to do."""
HALF = b"GET / HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with short deadlines."""
    settings = {"HUBBUB_HEAD_TIMEOUT": str(DEADLINE), "HUBBUB_HELLO_TIMEOUT": str(DEADLINE)}
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

    async def stop(self) -> int:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return max(self.grown, self._server.resident_bytes() - self._begin)


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
    memory = Memory(served[0])
    await undisturbed(served, fragments)
    grown = await memory.stop()
    assert grown <= GROWTH, f"grown by {grown} bytes"


# -- patience


async def crowd(server: Server, disturber: Callable[[Raw], Awaitable[bytes]], last_words: bytes) -> None:
    """MANY at a time; each is ended by the server within the deadline, and not before."""
    begin = time.monotonic()

    async def one() -> None:
        async with Raw(server.port) as raw:
            assert last_words in await disturber(raw)
        assert DEADLINE <= time.monotonic() - begin <= DEADLINE + LATE

    async with asyncio.TaskGroup() as group:
        for _ in range(MANY):
            group.create_task(one())


async def half_a_head(raw: Raw) -> bytes:
    raw.send(HALF)
    return await raw.rest(DEADLINE + LATE)


async def drop_by_drop(raw: Raw) -> bytes:
    """Slow loris: always one more header."""
    raw.send(HALF)
    reading = asyncio.create_task(raw.rest(2 * DEADLINE + LATE))
    while not reading.done():
        raw.send(b"X: y\r\n")
        await asyncio.wait({reading}, timeout=0.2)
    return await reading


async def silence(raw: Raw) -> bytes:
    return await raw.rest(DEADLINE + LATE)


async def no_hello(raw: Raw) -> bytes:
    raw.send(upgrade())
    await raw.head()
    opcode, payload = await raw.frame()
    assert opcode == CLOSE
    raw.send(frame(CLOSE, payload))
    assert await raw.rest() == b""
    return payload


@pytest.mark.parametrize(
    ("disturber", "last_words"),
    [
        (half_a_head, b"HTTP/1.1 408 "),
        (drop_by_drop, b"HTTP/1.1 408 "),
        (silence, b""),
        (no_hello, (4501).to_bytes(2, "big")),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_who_does_not_go_on_is_ended_in_time(
    served: tuple[Server, Probe], disturber: Callable[[Raw], Awaitable[bytes]], last_words: bytes
) -> None:
    await undisturbed(served, lambda server: crowd(server, disturber, last_words))
