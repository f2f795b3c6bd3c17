"""Floods by strangers and by one member: memory stays within bounds, and /health answers.

Each flood runs against the server as it is, and against one without the bound that it tests. It
comes from 127.0.0.1; the visitor who must not notice it has another address.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.gateways.raw import Raw
from tests.support import depth, quick_passwords
from tests.support.lines import enter, line
from tests.support.server import PASSWORD, Server
from tests.support.timing import active
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults

VISITOR = "127.0.0.2"
GROWTH = 20 * 2**20
"""Bytes by which a flood may change the memory of the server."""
SLOWEST = 1.0
"""Seconds that /health may take, besides those in which the whole machine stood still."""
TICK = 0.05
MakeServer = Callable[..., Server]
_numbers = count()


@dataclass
class Watch:
    """What a visitor sees of the server during a flood."""

    client: httpx.AsyncClient
    base: int
    grown: int = 0
    slowest: float = 0.0
    refused: int = 0
    looks: int = 0

    def check(self) -> None:
        assert self.looks > 3
        assert self.refused == 0, f"/health was refused {self.refused} times"
        assert self.slowest <= SLOWEST, f"/health took {self.slowest:.2f} s"
        assert self.grown <= GROWTH, f"the memory grew by {self.grown / 2**20:.0f} MiB"


@asynccontextmanager
async def watched(server: Server, base: int | None = None) -> AsyncIterator[Watch]:
    """Ask for /health and the memory again and again."""
    transport = httpx.AsyncHTTPTransport(local_address=VISITOR)
    async with httpx.AsyncClient(base_url=server.url, transport=transport, trust_env=False, timeout=60.0) as client:
        watch = Watch(client, server.resident_bytes() if base is None else base)

        async def look() -> None:
            while True:
                # A new connection each time: a visitor who comes during the flood.
                began = active()
                try:
                    answer = await client.get("/health", headers={"Connection": "close"})
                    watch.refused += answer.status_code != httpx.codes.OK
                except httpx.TransportError:
                    watch.refused += 1
                watch.slowest = max(watch.slowest, active() - began)
                watch.grown = max(watch.grown, server.resident_bytes() - watch.base)
                watch.looks += 1
                await asyncio.sleep(TICK)

        task = asyncio.create_task(look())
        try:
            yield watch
            await asyncio.sleep(4 * TICK)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def make_server(tmp_path: Path) -> MakeServer:
    def make(broken: str | None, **settings: str) -> Server:
        launcher = ("-m", "hubbub") if broken is None else ("-m", "tests.support.broken_server")
        given = {**settings, **({"BROKEN": broken} if broken is not None else {})}
        return Server(tmp_path / f"data{next(_numbers)}", given, launcher)

    return make


def bytes_of(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()


# --- slow bodies ------------------------------------------------------------------------------------------------------

PLACES = 100


async def slow_bodies(server: Server) -> None:
    """Take more than all places with bodies that arrive byte by byte."""
    async with watched(server) as watch, AsyncExitStack() as stack:
        raws = [await stack.enter_async_context(Raw(server.port)) for _ in range(PLACES + 50)]
        head = bytes_of("POST", "/api/login", "Content-Type: application/json", "Content-Length: 60000")
        for raw in raws:
            raw.send(head)
        for _ in range(depth.rounds("floods", short=40, long=1_200)):
            for raw in raws:
                raw.send(b" ")
            await asyncio.sleep(TICK)
    watch.check()


async def test_slow_bodies_keep_no_visitor_out(make_server: MakeServer) -> None:
    with make_server(None, HUBBUB_CONNECTIONS_MAX=str(PLACES)) as server:
        await slow_bodies(server)


async def test_control_without_eviction_slow_bodies_keep_visitors_out(make_server: MakeServer) -> None:
    with (
        make_server("keep-idle", HUBBUB_CONNECTIONS_MAX=str(PLACES)) as server,
        pytest.raises(AssertionError, match="refused"),
    ):
        await slow_bodies(server)


# --- unread pages -----------------------------------------------------------------------------------------------------


async def unread_pages(server: Server) -> None:
    """Ask for pages of long messages on many connections, and read none of them."""
    alice = await asyncio.to_thread(server.sign_up, "alice")

    def fill() -> None:
        for number in range(80):
            body = {"key": f"key {number}", "body": "ä" * 8_000}
            assert alice.request("POST", "/api/rooms/1/messages", json=body).status_code == 201
        alice.get("/api/rooms/1/messages", limit=200)

    await asyncio.to_thread(fill)
    async with watched(server) as watch, AsyncExitStack() as stack:
        token = f"Authorization: Bearer {alice.token}"
        request = bytes_of("GET", "/api/rooms/1/messages?limit=200", token)
        for _ in range(depth.rounds("floods", short=80, long=400)):
            raw = await stack.enter_async_context(Raw(server.port, receive_buffer=4_096))
            raw.reader._transport.pause_reading()  # type: ignore[attr-defined]
            raw.send(request)
        await asyncio.sleep(3.0 if watch.grown < GROWTH else 0.0)
    watch.check()


async def test_pages_that_are_not_read_take_bounded_memory(make_server: MakeServer) -> None:
    with make_server(None) as server:
        await unread_pages(server)


async def test_control_pages_of_any_size_take_memory(make_server: MakeServer) -> None:
    with make_server("send-all") as server, pytest.raises(AssertionError, match="memory"):
        await unread_pages(server)


# --- guests -----------------------------------------------------------------------------------------------------------

MOST_GUESTS = 20


async def guest_flood(server: Server) -> None:
    """Enter as guests as often as possible, and send from all of them."""
    async with watched(server) as watch, AsyncExitStack() as stack:
        inside = 0
        for number in range(depth.rounds("floods", short=80, long=800)):
            socket = await enter(server, f"guest{number}")
            stack.callback(socket.transport.abort)
            inside += "joined" in await line(socket)
            with suppress(ConnectionClosed):  # a refused guest
                for each in range(10):
                    await socket.send(f"line {each}")
        assert inside <= MOST_GUESTS, f"{inside} guests of one network"
    watch.check()


async def test_guests_of_one_network_are_few(make_server: MakeServer) -> None:
    with make_server(None, HUBBUB_GUESTS="on", HUBBUB_RATE_LIMITS="on") as server:
        await guest_flood(server)


async def test_control_without_limits_guests_of_one_network_are_many(make_server: MakeServer) -> None:
    with (
        make_server("admit-guests", HUBBUB_GUESTS="on", HUBBUB_RATE_LIMITS="on") as server,
        pytest.raises(AssertionError, match="guests of one network"),
    ):
        await guest_flood(server)


# --- log-ins ----------------------------------------------------------------------------------------------------------


RETRY = 0.5
"""Seconds after which a refused guess is tried again: the queue stays full without a storm of refusals."""


async def log_in_flood(server: Server) -> None:
    """Guess passwords as fast as possible; meanwhile a visitor logs in."""
    alice = await asyncio.to_thread(server.sign_up, "alice")

    codes: set[int] = set()

    async def guess(client: httpx.AsyncClient, name: str, times: int = 1_000_000) -> None:
        for _ in range(times):
            answer = await client.post("/token", data={"username": name, "password": "wrong"})
            codes.add(answer.status_code)
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                await asyncio.sleep(RETRY)

    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=60.0, limits=limits) as client:
        base = server.resident_bytes()
        async with watched(server, base) as before:  # two hashes at a time need their memory in any case
            await asyncio.gather(*(guess(client, "alice", 2) for _ in range(40)))
        async with watched(server, base + before.grown) as watch:
            flood = [asyncio.create_task(guess(client, f"user{number}")) for number in range(80)]
            try:
                await eventually(lambda: 503 in codes, 30.0, "the flood is larger than the queue")
                for _ in range(depth.rounds("floods", short=8, long=200)):
                    form = {"username": alice.name, "password": PASSWORD}
                    answer = await watch.client.post("/token", data=form)
                    assert answer.status_code == httpx.codes.OK, f"the visitor got {json.dumps(answer.json())}"
            finally:
                for task in flood:
                    task.cancel()
                await asyncio.gather(*flood, return_exceptions=True)
        watch.check()


async def test_a_flood_of_log_ins_keeps_nobody_else_out(make_server: MakeServer) -> None:
    with make_server(None, **{quick_passwords.VARIABLE: ""}) as server:
        await log_in_flood(server)


async def test_control_one_queue_for_all_is_busy_for_a_visitor(make_server: MakeServer) -> None:
    with (
        make_server("one-queue", **{quick_passwords.VARIABLE: ""}) as server,
        pytest.raises(AssertionError, match="visitor got"),
    ):
        await log_in_flood(server)
