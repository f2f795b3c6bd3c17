"""The methods of ConnectionManager beyond the tutorial's, on every server."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.manager.idioms.servers import PATIENCE, SERVERS, Running
from tests.manager.idioms.test_idioms import Clients
from tests.manager.surface_app import CLIENTS, HEARD, SCENARIOS
from tests.support.waiting import eventually

RETURNED: dict[str, object] = {
    "topics_of_all_types": [
        [4, 2, 2],
        [["ann", 7], ["ann", 7], []],
        {"room": 2, "5": 2, "00000000-0000-0000-0000-000000000001": 1},
        {"5": 2, "00000000-0000-0000-0000-000000000001": 1},
        ["ann", "ann", 7, None],
    ],
    "close_topic": [2, {"5": 1, "00000000-0000-0000-0000-000000000001": 1}],
    "close_user": [7],
    "close_all": 0,
    "two_managers_with_the_same_websockets": [2, 4],
    "disconnected_and_connected_again": ["pam", ["ann", 7, "pam"]],
    "history": [False, True],
}


@pytest.fixture(params=SERVERS, scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(request.param, tmp_path_factory.mktemp("surface"), app="tests.manager.surface_app:app") as running:
        yield running


async def heard(client: ClientConnection) -> list[Any]:
    """Return what the client receives up to "end" or to the Close."""
    found: list[Any] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await client.recv()
                if message == "end":
                    return found
                found.append(message)
    except ConnectionClosed:
        return [*found, ("close", client.close_code, client.close_reason)]


@pytest.mark.parametrize("name", SCENARIOS)
async def test_each_client_receives_what_the_scenario_says(server: Running, name: str) -> None:
    async with Clients(server) as clients:
        made = {client: await clients.enter(f"/{name}/ws/{client}") for client in CLIENTS}
        returned = await clients.post(f"/{name}/run")
        got = dict(zip(made, await asyncio.gather(*map(heard, made.values())), strict=True))
        assert got == HEARD[name]
        assert returned == RETURNED.get(name)
        closed = {client: lines[-1][1] for client, lines in got.items() if lines and isinstance(lines[-1], tuple)}
        ended: dict[str, int] = {}

        def is_ended() -> bool:
            ended.update(server.http.get(f"/{name}/ended").json())
            return closed.keys() <= ended.keys()

        await eventually(is_ended, PATIENCE, "the endpoints of closed clients end", every=0.1)
        assert closed.items() <= ended.items()
