"""Framing without payload costs the server no memory and clients no time."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.conformance.reference import Reference
from tests.gateways.raw import Raw
from tests.support.server import Server
from tests.support.timing import TooSlowError, three_attempts
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults

OFFERED = 200_000_000
"""Bytes that the client would send. The server ends the connection long before."""
GROWTH = 20_000_000
STALL = 0.1
CPU = 2.0
"""Seconds of the server's processor time, unaffected by stalls of the machine."""
FORM = (
    b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
GET = b"GET /health HTTP/1.1\r\nHost: x\r\n"
ATTACKS = {
    "trailers": (FORM + b"0\r\n", b"a: b\r\n" * 8_000),
    "endless trailer": (FORM + b"0\r\nX-Long: ", b"x" * 48_000),
    "endless chunk extension": (FORM + b"1;", b"x" * 48_000),
    "chunk extensions": (FORM, (b"1;" + b"x" * 1_000 + b"\r\na\r\n") * 48),
    "chunks of one byte": (FORM, b"1\r\na\r\n" * 8_000),
    "leading zeros": (FORM, b"0" * 48_000),
    "empty lines": (b"", b"\r\n" * 24_000),
    "empty lines after a request": (GET + b"\r\n", b"\r\n" * 24_000),
    "headers": (GET, b"a:\r\n" * 12_000),
    "endless header": (GET + b"X-Long: ", b"x" * 48_000),
    "endless target": (b"GET /", b"x" * 48_000),
}


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("framing") / "data") as server:
        yield server


@dataclass
class Cost:
    """What the server showed during an attack.

    That is its memory growth, the worst delay of /health, and its processor time.
    """

    grown: int = 0
    stall: float = 0.0
    cpu: float = 0.0


@asynccontextmanager
async def watched(server: Server) -> AsyncIterator[Cost]:
    """Request /health continuously.

    Its delay is the time beyond a simultaneous echo of another process.
    """
    process = psutil.Process(server.pid)
    reference = await Reference.start()
    cost = Cost()
    async with Raw(server.port) as raw:

        async def health() -> float:
            begin = time.monotonic()
            raw.send(GET + b"\r\n")
            await asyncio.wait_for(raw.reader.readuntil(b"}"), 60)
            return time.monotonic() - begin

        async def watch() -> None:
            while True:
                answered, echoed = await asyncio.gather(health(), reference.once())
                cost.stall = max(cost.stall, answered - echoed)
                cost.grown = max(cost.grown, server.resident_bytes() - before)
                await asyncio.sleep(0.005)  # This is the pace of the measurement.

        for _ in range(20):
            await asyncio.gather(health(), reference.once())
        before, spent = server.resident_bytes(), sum(process.cpu_times()[:2])
        watching = asyncio.create_task(watch())
        try:
            yield cost
            assert not watching.done(), watching.result()
        finally:
            cost.grown = max(cost.grown, server.resident_bytes() - before)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await reference.stop()
        cost.cpu = sum(process.cpu_times()[:2]) - spent


async def offer(server: Server, first: bytes, block: bytes, most: int = OFFERED) -> int:
    """Send until the server ends the connection.

    Return how many bytes were sent by then.
    """
    async with Raw(server.port) as raw:
        reading = asyncio.create_task(raw.rest(60))
        sent = 0
        try:
            raw.send(first)
            while sent < most and not reading.done():
                raw.send(block)
                sent += len(block)
                await raw.writer.drain()
        except ConnectionError:
            pass
        if sent < most:
            await reading
        else:
            reading.cancel()
        return sent


@pytest.mark.parametrize("attack", list(ATTACKS))
@three_attempts
async def test_framing_without_payload_costs_no_memory_and_stalls_no_client(calm: Server, attack: str) -> None:
    async with watched(calm) as cost:
        sent = await offer(calm, *ATTACKS[attack])
    assert sent < OFFERED / 2, "the server ends the connection"
    assert cost.grown <= GROWTH, cost
    assert cost.cpu <= CPU, cost
    if cost.stall > STALL:
        raise TooSlowError(str(cost))
    assert "Traceback" not in calm.log_text()


@three_attempts
async def test_pipelined_requests_wait_unparsed_for_their_turn(calm: Server) -> None:
    """The client reads nothing, so the server stops reading after about 256 KiB."""
    async with watched(calm) as cost, Raw(calm.port) as raw:
        raw.writer.transport.set_write_buffer_limits(high=0)
        raw.send((b"GET / HTTP/1.1\r\n\r\n") * 60_000)
        for _ in range(20):
            await raw.head()
        await asyncio.sleep(1)  # Give the server time to read as much as it wants.
    assert cost.grown <= GROWTH / 4, cost
    if cost.stall > STALL:
        raise TooSlowError(str(cost))


async def test_control_uvicorns_own_protocol_stores_all_trailers(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", launcher=("-m", "tests.support.asgi_server"))
    with server:
        async with watched(server) as cost, Raw(server.port) as raw:
            first, block = ATTACKS["trailers"]
            raw.send(first)
            for _ in range(10_000_000 // len(block)):
                raw.send(block)
                await raw.writer.drain()
            await eventually(lambda: cost.grown > GROWTH, 60, "the server stores the trailers")


@three_attempts
async def test_the_bounded_protocol_protects_an_application_on_uvicorn(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", launcher=("-m", "tests.support.asgi_server"))
    server.where += ["--http", "hubbub:BoundedHttpProtocol"]
    with server:
        async with watched(server) as cost:
            sent = await offer(server, *ATTACKS["trailers"])
    assert sent < OFFERED / 2
    assert cost.grown <= GROWTH, cost
    if cost.stall > STALL:
        raise TooSlowError(str(cost))
