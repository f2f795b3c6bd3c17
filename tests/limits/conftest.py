"""One server and its people for all of them."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.authorisation.world import create_users
from tests.limits.town import PEOPLE, Town
from tests.support.client import Connection
from tests.support.server import Account, Server


@pytest.fixture(scope="package")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, Account]]]:
    server = Server(tmp_path_factory.mktemp("limits") / "data")
    people = asyncio.run(create_users(server, (*PEOPLE, "owner")))
    with server:
        yield server, people


@pytest.fixture
async def town(settled: tuple[Server, dict[str, Account]]) -> AsyncIterator[Town]:
    server, people = settled
    async with await Connection.open(server.websocket_url, people[PEOPLE[0]].token, on_event=lambda _: None) as line:
        found = Town(server, people, line)
        yield found
        found.asker.close()
