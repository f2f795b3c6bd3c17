"""Fixtures: a NATS server, a database, and nodes with each kind of bus."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from hubbub.bus.messages import Codec
from hubbub.bus.nats import NatsBus, NatsOptions
from hubbub.bus.postgresql import PostgresBus
from hubbub.bus.remote import RemoteBus
from tests.bus.nodes import MakeBus, Node, node
from tests.support.nats import Nats, nats
from tests.support.postgres import Postgres

MakeNode = Callable[..., Awaitable[Node]]


@pytest.fixture
def address(postgres_server: Postgres, patient_postgresql: None) -> Iterator[str]:
    found = postgres_server.fresh()
    yield found
    postgres_server.drop(found)


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[Nats]:
    with nats(tmp_path) as server:
        yield server


@pytest.fixture(params=["nats", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make_bus(kind: str, address: str, request: pytest.FixtureRequest) -> MakeBus:
    """Return `make_bus(codec)` for the kind of bus."""
    if kind == "nats":
        server: Nats = request.getfixturevalue("nats_server")
        return lambda codec: NatsBus(NatsOptions((server.url,)), "site", codec)
    url = make_url(address).set(drivername="postgresql").render_as_string(hide_password=False)

    def over_postgresql(codec: Codec) -> RemoteBus:
        return PostgresBus(url, "site", codec, application_name="hubbub-bus")

    return over_postgresql


@pytest.fixture
async def make_node(address: str, make_bus: MakeBus) -> AsyncIterator[MakeNode]:
    """Return `await make_node()`: a node on the database and the bus of this test."""
    async with AsyncExitStack() as stack:

        async def made(**options: object) -> Node:
            return await stack.enter_async_context(node(address, make_bus, **options))  # type: ignore[arg-type]

        yield made
