"""Fixtures: a bus of each kind, and managers on it in this process."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from hubbub import BusOptions, ConnectionManager
from hubbub.bus.text_bus import TextBus
from tests.manager.peer import Peer
from tests.support.nats import Nats, nats
from tests.support.postgres import Postgres
from tests.support.waiting import eventually

DEADLINE = 60.0
HEARS = DEADLINE
"""Seconds for `hears`."""
MakeManager = Callable[..., ConnectionManager]


class BusServer:
    """A real bus of one kind: its address, and its faults."""

    def __init__(self, kind: str, address: str, nats_server: Nats | None = None) -> None:
        self.kind = kind
        self.address = address
        self.nats = nats_server

    def interrupt(self) -> None:
        """End all connections. NATS stays away until `restore`; PostgreSQL is back at once."""
        if self.nats is not None:
            self.nats.kill()
            return
        with closing(psycopg.connect(self.address, autocommit=True)) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hubbub-bus'"
                " AND datname = current_database()"
            )

    def restore(self) -> None:
        if self.nats is not None:
            self.nats.start()


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[Nats]:
    with nats(tmp_path) as server:
        yield server


@pytest.fixture(params=["nats", "postgresql"])
def bus(request: pytest.FixtureRequest) -> Iterator[BusServer]:
    if request.param == "nats":
        server: Nats = request.getfixturevalue("nats_server")
        yield BusServer("nats", server.url, server)
        return
    postgres: Postgres = request.getfixturevalue("postgres_server")
    found = postgres.empty()
    yield BusServer("postgresql", make_url(found).set(drivername="postgresql").render_as_string(hide_password=False))
    postgres.drop(found)


@pytest.fixture
async def make_manager(bus: BusServer) -> AsyncIterator[MakeManager]:
    """Return `make_manager(**options)`: a manager on the bus of this test."""
    made: list[ConnectionManager] = []

    def manager(**options: object) -> ConnectionManager:
        found = ConnectionManager(bus=BusOptions(bus.address, **options))  # type: ignore[arg-type]
        made.append(found)
        return found

    yield manager
    for each in made:
        await each.close()


def bus_of(manager: ConnectionManager) -> TextBus:
    assert manager._others is not None
    return manager._others._bus


async def connected(manager: ConnectionManager, *topics: str) -> Peer:
    """Return a client of the manager, when the bus knows of it."""
    peer = Peer()
    await manager.connect(peer.socket)
    await is_up(manager)
    for topic in topics:
        await joins(manager, peer, topic)
    return peer


async def is_up(manager: ConnectionManager) -> None:
    await eventually(lambda: bus_of(manager).connected, DEADLINE, "the manager is connected to its bus")


async def joins(manager: ConnectionManager, peer: Peer, topic: str) -> None:
    """Join, and wait until other processes know: NATS has processed all that came before its answer."""
    manager.join(peer.socket, topic)
    bus = bus_of(manager)
    changed: list[object] = []
    change = getattr(bus, "_change", None)
    if change is None:
        return
    if not getattr(bus, "_new", None):
        return

    async def noted(client: object) -> object:
        done = await change(client)
        changed.append(done)
        return done

    bus._change = noted  # type: ignore[attr-defined]
    try:
        await eventually(lambda: changed, DEADLINE, "NATS has the subscription")
    finally:
        del bus._change  # type: ignore[attr-defined]


async def hears(peer: Peer, *texts: str) -> None:
    await eventually(lambda: peer.got == list(texts), HEARS, f"exactly {[text[:40] for text in texts]} arrived")
