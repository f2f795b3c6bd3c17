"""Each program behaves the same before and after the change to Hubbub's class."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import pytest
from fastapi import FastAPI

from hubbub import ConnectionManager
from tests.manager.programs import (
    binary,
    devices,
    exclude_sender,
    json_broadcast,
    limits,
    lobby,
    mocks,
    notifications,
    query_token,
    reconnect,
    relay,
    rooms,
    ticker,
    typed_events,
    users,
)
from tests.manager.programs.stage import Stage
from tests.manager.test_tutorial import ROOT, start
from tests.support.nats import nats
from tests.support.redis import redis
from tests.support.websocket_backends import OURS, Sockets, sessions, sockets

ON_ONE_PROCESS = (
    *(binary, devices, exclude_sender, json_broadcast, limits, lobby, notifications, query_token, reconnect, rooms),
    *(ticker, typed_events, users),
)
SERVERS = ("websockets-sansio", OURS, "TestClient")
KINDS = ("before", "after")


async def outcome(program: ModuleType, make: Callable[[], FastAPI], server: str) -> list[object]:
    app = make()
    async with sessions(app) if server == "TestClient" else sockets(app, server) as backend:
        found: list[object] = await program.play(Stage(backend))
        return found


def name_of(program: ModuleType) -> str:
    return program.__name__.rpartition(".")[2]


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("program", ON_ONE_PROCESS, ids=name_of)
async def test_the_program_behaves_the_same_with_its_own_class_and_with_hubbubs(
    program: ModuleType, server: str
) -> None:
    found = {kind: await outcome(program, getattr(program, kind), server) for kind in KINDS}
    assert found["before"] == found["after"] == program.EXPECTED


@asynccontextmanager
async def processes(make: str, server: str, url: str) -> AsyncIterator[Stage]:
    """Run an application of the relay in two processes."""
    started = []
    try:
        for _ in range(2):
            name = f"{relay.__name__}:{make}"
            started.append(start(name, server, ROOT, "--factory", env={"REDIS_URL": url, "BUS_URL": url}))
        async with Sockets(started[0][1]) as one, Sockets(started[1][1]) as other:
            yield Stage(one, other)
    finally:
        for process, _ in started:
            process.terminate()
            process.communicate(timeout=60)


@pytest.mark.parametrize("server", ["websockets-sansio", OURS])
async def test_the_relay_over_redis_and_the_bus_reach_the_other_process(server: str, tmp_path: Path) -> None:
    found = {}
    with redis(tmp_path) as before, nats(tmp_path) as after:
        for make, url in (("before", before.url), ("after", after.url)):
            async with processes(make, server, url) as stage:
                found[make] = await relay.play(stage)
    assert found["before"] == found["after"] == relay.EXPECTED


async def test_unit_tests_with_mocks_and_with_fakes_observe_the_same() -> None:
    assert await mocks.before() == await mocks.with_mocks(ConnectionManager()) == await mocks.after() == mocks.EXPECTED


def test_every_program_of_the_folder_is_run() -> None:
    found = {file.stem for file in Path(__file__).parent.glob("*.py")} - {"__init__", "stage", "test_programs"}
    assert found == {name_of(program) for program in (*ON_ONE_PROCESS, relay, mocks)}
    assert len(found) == 15


async def test_control_a_class_that_ignores_an_argument_behaves_differently() -> None:
    class Forgetful(ConnectionManager):
        async def broadcast(self, message, *, topic=None, exclude=None):  # type: ignore[no-untyped-def,override]
            await super().broadcast(message, topic=topic)

    def wrong() -> FastAPI:
        return exclude_sender.app_of(Forgetful())

    assert await outcome(exclude_sender, wrong, OURS) != exclude_sender.EXPECTED
