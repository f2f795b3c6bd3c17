"""PostgreSQL crashed, hung, slow or unreachable under open sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from tests.conftest import MakeServer
from tests.faults.outage import (
    ANSWERED_WITHIN,
    LONG_ENOUGH,
    Fault,
    Outage,
    in_time,
    outage,
    weathered,
)
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.wire import Wire, wire

pytestmark = pytest.mark.faults

SLOW = 2.0  # Seconds of delay in each direction.
BROKEN = ("-m", "tests.support.broken_server")


@pytest.fixture(scope="module")
def between(postgres_server: Postgres) -> Iterator[Wire]:
    """The network between the servers and their PostgreSQL."""
    with wire(postgres_server.socket) as made:
        yield made


@pytest.fixture(scope="module")
def server(between: Wire, postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    address = postgres_server.fresh()
    settings = {"HUBBUB_DATABASE_URL": between.url(address)}
    with Server(tmp_path_factory.mktemp("server") / "data", settings) as running:
        yield running
    postgres_server.drop(address)


@pytest.fixture(params=["stopped", "hung", "slow"])
def fault(request: pytest.FixtureRequest, postgres_server: Postgres, between: Wire) -> Fault:
    """Return a fault. Each ends with a healthy PostgreSQL."""
    kinds = {
        "stopped": lambda: stopped(postgres_server),
        "hung": lambda: hung(postgres_server),
        "slow": lambda: slow(between),
    }
    return kinds[request.param]


@asynccontextmanager
async def stopped(postgres: Postgres) -> AsyncIterator[None]:
    await asyncio.to_thread(postgres.crash)
    try:
        yield
    finally:
        await asyncio.to_thread(postgres.start)


@asynccontextmanager
async def hung(postgres: Postgres) -> AsyncIterator[None]:
    with postgres.hung():
        yield


@asynccontextmanager
async def slow(between: Wire) -> AsyncIterator[None]:
    between.delay = SLOW
    try:
        yield
    finally:
        between.delay = 0.0


async def look_around(seen: Outage) -> None:
    """Check that reads fail in time, ping works, and the next send fails alike."""
    await seen.prober.ping()
    answer = await asyncio.to_thread(seen.room.owner.request, "GET", f"/api/rooms/{seen.room.room}/messages")
    if answer.status_code != 503 or answer.json()["error"]["code"] != "unavailable":
        seen.found.append(f"a reader was answered {answer.status_code} {answer.text}")
    await seen.probe_in_vain()


async def test_during_an_outage_errors_come_in_time_sockets_stay_open_and_nothing_is_lost(
    server: Server, fault: Fault
) -> None:
    await in_time(lambda: weathered(server, fault, look_around))


@pytest.mark.parametrize("silence", [Wire.fall_silent, Wire.lose_answers])
async def test_silent_database_connections_are_abandoned_on_both_sides(
    server: Server, between: Wire, silence: Callable[[Wire], None]
) -> None:
    """New connections work.

    PostgreSQL, which receives nothing either, releases the locks of the old ones.
    """
    await in_time(lambda: silenced(server, lambda: silence(between)))


async def silenced(server: Server, silence: Callable[[], None], patience: float = LONG_ENOUGH) -> Outage:
    async with outage(server) as seen:
        for _ in range(2):
            silence()
            await seen.probe(patience)
            await seen.flow_again(patience)
    return seen


# -- controls


async def test_control_a_server_that_answers_before_the_commit_loses_messages(
    make_server: MakeServer, postgres_server: Postgres
) -> None:
    server = make_server({"HUBBUB_DATABASE_URL": postgres_server.fresh(), "BROKEN": "ack-before-commit"}, BROKEN)
    await asyncio.to_thread(server.start)
    for _ in range(8):  # The server is between answer and COMMIT most of the time, but not always.
        seen = await weathered(server, lambda: stopped(postgres_server), look_around)
        if any("I1 lost" in sentence for sentence in seen.found):
            return
    raise AssertionError(seen.found)


async def test_control_a_server_that_waits_for_ever_is_detected_in_each_outage(
    make_server: MakeServer, postgres_server: Postgres, between: Wire
) -> None:
    address = between.url(postgres_server.fresh())
    server = make_server({"HUBBUB_DATABASE_URL": address, "BROKEN": "wait-for-ever"}, BROKEN)
    await asyncio.to_thread(server.start)
    async with outage(server) as seen:
        for fault in (slow(between), hung(postgres_server)):
            async with fault:
                assert await seen.probe(ANSWERED_WITHIN) == "nothing"
            await seen.flow_again()
    with pytest.raises((AssertionError, TimeoutError)):
        await silenced(server, between.fall_silent, ANSWERED_WITHIN)
