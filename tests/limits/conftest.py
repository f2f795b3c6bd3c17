"""Fixtures: one server with users for all limits."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.authorisation.world import create_users
from tests.limits.world import PEOPLE, World
from tests.support.client import Connection
from tests.support.server import Account, Server


@pytest.fixture(scope="package")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, Account]]]:
    server = Server(tmp_path_factory.mktemp("limits") / "data")
    people = asyncio.run(create_users(server, (*PEOPLE, "owner")))
    with server:
        yield server, people


@pytest.fixture
async def world(settled: tuple[Server, dict[str, Account]]) -> AsyncIterator[World]:
    server, people = settled
    async with await Connection.open(
        server.websocket_url, people[PEOPLE[0]].token, on_event=lambda _: None
    ) as connection:
        found = World(server, people, connection)
        yield found
        found.asker.close()
