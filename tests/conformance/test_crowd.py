"""More sockets than the server accepts do not disturb other clients."""

import asyncio
import resource
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.conformance.probe import Probe, is_left_alone
from tests.conftest import MakeServer
from tests.support import depth
from tests.support.server import Server
from tests.support.waiting import eventually, eventually_async

pytestmark = pytest.mark.faults

PROCESSES = 2
FEW = 20
BYTES = 12_000
"""At most, for one silent socket."""
GROWTH = 8 * 2**20
"""From one flood to the next; or a quarter of what the first took.

The next flood reuses memory that Python keeps.
"""


def files(server: Server) -> int:
    return sum(1 for _ in Path(f"/proc/{server.pid}/fd").iterdir())


@asynccontextmanager
async def crowd(server: Server, sockets: int) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """Hold `sockets` sockets in PROCESSES processes until the end of the block."""
    words = ["-m", "tests.conformance.crowd", str(server.port), str(sockets // PROCESSES)]
    crowds = [
        await asyncio.create_subprocess_exec(sys.executable, *words, stdin=PIPE, stdout=PIPE) for _ in range(PROCESSES)
    ]
    try:
        assert sum([await count(one) for one in crowds]) == sockets
        yield crowds
    finally:
        for one in crowds:
            assert one.stdin is not None
            one.stdin.close()
            await one.wait()


async def count(one: asyncio.subprocess.Process) -> int:
    assert one.stdout is not None
    return int(await one.stdout.readline())


async def still_there(crowds: list[asyncio.subprocess.Process]) -> int:
    for one in crowds:
        assert one.stdin is not None
        one.stdin.write(b"\n")
    return sum([await count(one) for one in crowds])


@pytest.fixture
def all_files() -> Iterator[None]:
    """Raise the limit of open files to the maximum for processes started here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("all_files")
async def test_a_flood_of_sockets_slows_no_client_and_leaves_nothing_behind(make_server: MakeServer) -> None:
    sockets = depth.rounds("sockets", short=1_500, long=20_000)
    cap = sockets * 8 // 10
    hard = cap * 11 // 10  # This many stay open. The server rejects those above the cap as soon as they send a request.
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert allowed == resource.RLIM_INFINITY or allowed > hard + 200, "`ulimit -Hn` is too low for this test"
    server = make_server({"HUBBUB_CONNECTIONS_MAX": str(cap), "HUBBUB_HEAD_TIMEOUT": "600"})
    await asyncio.to_thread(server.start)
    probe = await Probe.open(server)
    await probe.windows()  # This warms the server up.
    before, memory = files(server), server.resident_bytes()
    sizes: list[float] = []

    async def disturb() -> None:
        async with crowd(server, sockets) as crowds:

            async def turned_away() -> bool:
                return before + cap <= files(server) and await still_there(crowds) <= hard

            await eventually_async(turned_away, 60, "sockets above the cap are rejected")
            sizes.append((server.resident_bytes() - memory) / hard)
        await eventually(lambda: files(server) <= before + FEW, 60, "all sockets are closed")

    await disturb()
    first = server.resident_bytes()
    undisturbed, delays = await is_left_alone(probe, disturb)
    await probe.close()
    grown = server.resident_bytes() - first
    print(f"{sockets} sockets, {sizes[0]:.0f} bytes each, then grown by {grown}, {delays}")  # noqa: T201
    assert sizes[0] <= BYTES, f"{sizes[0]:.0f} bytes for a silent socket"
    assert grown <= max(GROWTH, sizes[0] * hard / 4), f"grown by {grown} bytes from one flood to the next"
    assert undisturbed, delays
    assert "Traceback" not in server.log_text()
