"""Silent sockets from a few networks do not keep other clients out."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.conformance.reference import Reference
from tests.gateways.raw import Raw, upgrade
from tests.support import depth
from tests.support.client import Connection
from tests.support.server import PASSWORD, Server
from tests.support.timing import TooSlowError, three_attempts

pytestmark = pytest.mark.faults

SOCKETS = 300
NETWORKS = [f"127.0.1.{number}" for number in range(1, 9)]
LATENCY = 1.0
SECONDS = 4.0 if depth.PROVING else 1.5
FEW = 60
"""The connections a full server takes; `unauthenticated_max` is 200 by default."""
BODY = (
    b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 4000\r\n\r\n"
)
KINDS = {
    "nothing": b"",
    "half a head": b"GET /health HTTP/1.1\r\nHost: x\r\n",
    "no hello": upgrade(),
    "half a body": BODY + b"username=x&",
}
"""What each socket sends before it falls silent."""


async def connect(tcp: socket.socket, port: int, network: str, first: bytes) -> None:
    tcp.setblocking(False)
    tcp.bind((network, 0))
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        await loop.sock_connect(tcp, ("127.0.0.1", port))
        if first:
            await loop.sock_sendall(tcp, first)


@asynccontextmanager
async def besieged(server: Server, first: bytes, networks: list[str]) -> AsyncIterator[None]:
    """Keep SOCKETS silent sockets open, and reopen those the server ends."""

    async def hold(network: str) -> None:
        while True:
            with socket.socket() as tcp:
                await connect(tcp, server.port, network, first)
                with contextlib.suppress(ConnectionError):
                    while await asyncio.get_running_loop().sock_recv(tcp, 4_096):
                        pass
            await asyncio.sleep(0.5)  # This is the pace of the attack.

    tasks = [asyncio.create_task(hold(networks[number % len(networks)])) for number in range(SOCKETS)]
    await asyncio.sleep(1)  # By then all sockets have connected once.
    try:
        yield
        assert all(not task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def worst_health(server: Server, seconds: float) -> float:
    """Return the longest wait for /health beyond a simultaneous echo, in seconds."""
    reference = await Reference.start()
    worst, end = 0.0, time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            took, echoed = await asyncio.gather(health(server), reference.once())
            worst = max(worst, took - echoed)
            await asyncio.sleep(0.05)  # This is the pace of the measurement.
    finally:
        await reference.stop()
    return worst


async def health(server: Server) -> float:
    begin = time.monotonic()
    async with Raw(server.port) as raw:
        raw.send(KINDS["half a head"] + b"\r\n")
        head = await raw.head()
    assert head.startswith("HTTP/1.1 200"), head
    return time.monotonic() - begin


async def log_in(server: Server, name: str) -> None:
    """Log in with a password, then over a WebSocket from yet another network."""
    account = await asyncio.to_thread(server.log_in, name, PASSWORD)
    async with await Connection.open(server.websocket_url, account.token, local_addr=("127.0.0.2", 0)) as connection:
        await connection.ping()


async def withstand(server: Server, first: bytes, networks: list[str], seconds: float = SECONDS) -> None:
    name = await asyncio.to_thread(lambda: server.sign_up("member").name)
    async with besieged(server, first, networks):
        measuring = asyncio.create_task(worst_health(server, seconds))
        await log_in(server, name)
        worst = await measuring
    if worst > LATENCY:
        raise TooSlowError(f"/health took {worst:.2f} s")
    assert "Traceback" not in server.log_text()


@pytest.fixture(scope="module")
def roomy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with default settings and all its limits."""
    with Server(tmp_path_factory.mktemp("roomy") / "data", {"HUBBUB_RATE_LIMITS": "on"}) as server:
        yield server


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with fewer connections than there are silent sockets.

    No deadline ends them in a test.
    """
    patience = {f"HUBBUB_{what}_TIMEOUT": "60" for what in ("HEAD", "BODY", "HELLO")}
    settings = {"HUBBUB_RATE_LIMITS": "on", "HUBBUB_CONNECTIONS_MAX": str(FEW), **patience}
    with Server(tmp_path_factory.mktemp("small") / "data", settings) as server:
        yield server


@pytest.mark.parametrize("kind", list(KINDS))
@three_attempts
async def test_silent_sockets_of_eight_networks_delay_no_other_client(roomy: Server, kind: str) -> None:
    await withstand(roomy, KINDS[kind], NETWORKS)


@pytest.mark.parametrize("kind", list(KINDS))
@three_attempts
async def test_silent_sockets_that_fill_the_server_are_evicted_for_others(small: Server, kind: str) -> None:
    await withstand(small, KINDS[kind], NETWORKS[:1])
    metrics = await asyncio.to_thread(small.metrics)
    http, sockets = (metrics[f'hubbub_connections_evicted_total{{kind="{kind}"}}'] for kind in ("http", "websocket"))
    assert http + sockets > 0, "the server evicts silent sockets"


@three_attempts
async def test_silent_sockets_of_hundreds_of_networks_leave_room_for_others(roomy: Server) -> None:
    """The server evicts the socket that has waited longest.

    All networks have equally many sockets.
    """
    await withstand(roomy, KINDS["no hello"], [f"127.0.2.{number % 250 + 1}" for number in range(SOCKETS)])
