"""A host application on several workers of an ASGI server: one chat with a bus, a refusal without."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.load import crowd
from tests.support import depth
from tests.support.client import Connection
from tests.support.follower import Follower
from tests.support.mounted import WORKERS, MountedServer
from tests.support.nats import nats
from tests.support.postgres import Postgres
from tests.support.waiting import eventually, eventually_async
from tests.support.workers import connect_to_each, process_of

pytestmark = pytest.mark.faults

DEADLINE = 60.0
APP = "examples.mounted:app"
MakeWorkers = Callable[..., MountedServer]
ON_SERVERS = pytest.mark.parametrize("asgi_server", [name for name in WORKERS if name != "uvicorn-reload"])
RESTARTING = pytest.mark.parametrize("asgi_server", ["uvicorn", "gunicorn", "gunicorn-asgi"])
"""The servers that start a killed worker again."""


@pytest.fixture
def make_workers(postgres_server: Postgres, tmp_path: Path) -> Iterator[MakeWorkers]:
    """Return `make_workers("gunicorn", bus="nats", …)`: two workers that are not started."""
    url = postgres_server.empty()
    made: list[MountedServer] = []
    with nats(tmp_path) as broker:

        def make(
            asgi_server: str, bus: str = "postgresql", settings: dict[str, str] | None = None, app: str = APP
        ) -> MountedServer:
            server = MountedServer(tmp_path / "app", asgi_server, app, WORKERS)
            address = broker.url if bus == "nats" else bus
            server.settings.update({"HUBBUB_DATABASE_URL": url, "HUBBUB_BUS_URL": address, **(settings or {})})
            made.append(server)
            return server

        yield make
        for server in made:
            server.kill()
    postgres_server.drop(url)


async def heard(connection: Connection, body: str) -> None:
    await eventually(
        lambda: any(frame.get("body") == body for frame in connection.frames), DEADLINE, f"{body!r} arrives"
    )


def on_the_bus(server: MountedServer) -> bool:
    """Return whether the metrics show two workers on the bus."""
    metrics = server.metrics()
    return [metrics.get(f'hubbub_bus_connected{{worker="{worker}"}}') for worker in (0, 1)] == [1.0, 1.0]


@ON_SERVERS
async def test_two_workers_are_one_chat_and_a_log_out_ends_the_connections_of_both(
    make_workers: MakeWorkers, asgi_server: str
) -> None:
    server = make_workers(asgi_server, "nats")
    await asyncio.to_thread(server.start)
    member = await asyncio.to_thread(server.sign_up)
    room = await asyncio.to_thread(member.create_room, "A room")
    sockets = await connect_to_each(server, member.token)
    for number, sender in enumerate(sockets.values()):
        await sender.command("message.send", room=room, key=f"k{number}", body=f"from {number}")
        for socket in sockets.values():
            await heard(socket, f"from {number}")
    await asyncio.to_thread(server.log_out, member)
    for socket in sockets.values():
        assert await socket.wait_closed(DEADLINE) == 4503
    assert await asyncio.to_thread(on_the_bus, server)
    await asyncio.to_thread(server.stop)
    assert not list(server.data.glob("control*.sock"))


async def test_control_workers_that_ignore_the_bus_do_not_show_messages_of_others(make_workers: MakeWorkers) -> None:
    server = make_workers("uvicorn", settings={"BROKEN": "deaf no-positions"}, app="tests.support.broken_mounted:app")
    await asyncio.to_thread(server.start)
    member = await asyncio.to_thread(server.sign_up)
    room = await asyncio.to_thread(member.create_room, "A room")
    first, second = (await connect_to_each(server, member.token)).values()
    await first.command("message.send", room=room, key="k", body="unheard")
    await heard(first, "unheard")
    await second.ping()
    assert not [frame for frame in second.frames if frame.get("body") == "unheard"]
    for socket in (first, second):
        await socket.abort()


@RESTARTING
async def test_a_killed_worker_starts_again_and_nothing_is_lost(make_workers: MakeWorkers, asgi_server: str) -> None:
    server = make_workers(asgi_server)
    await asyncio.to_thread(server.start)
    async with crowd(server, writers=4, followers=4) as room:
        room.start_writing()
        for _ in range(depth.rounds("kills of mounted workers", short=1, long=20)):
            wanted = len(room.history.acked) + 40
            await eventually(lambda: len(room.history.acked) >= wanted, DEADLINE, "there is load")  # noqa: B023
            follower = room.followers[0]
            assert isinstance(follower, Follower)
            assert follower.connection is not None
            process_of(server, follower.connection).kill()
            await eventually_async(
                lambda: asyncio.to_thread(on_the_bus, server), DEADLINE, "both workers are on the bus"
            )
        await room.stop_writing()
        await room.caught_up(DEADLINE)
        found = room.verdict() + room.convergence()
    assert not found, "\n".join(found)


@ON_SERVERS
def test_without_a_bus_the_second_worker_ends_the_server_with_the_name_of_the_setting(
    make_workers: MakeWorkers, asgi_server: str
) -> None:
    server = make_workers(asgi_server, settings={"HUBBUB_BUS_URL": ""})
    server.launch()
    process = server.process
    assert process is not None
    with suppress(subprocess.TimeoutExpired):
        process.wait(DEADLINE)
    assert process.poll() is not None, server.log_text()
    server.process = None
    text = server.log_text()
    assert "set HUBBUB_BUS_URL" in text
    assert "storage/locks.py" not in text
    assert text.count("Another Hubbub process already uses the data folder") <= 4, "it was not started again and again"


async def test_a_reload_of_the_host_application_starts_the_chat_again(
    make_workers: MakeWorkers, tmp_path: Path
) -> None:
    source = tmp_path / "watched" / "reloaded.py"
    source.parent.mkdir()
    source.write_text("from examples.mounted import app\n")
    server = make_workers("uvicorn-reload", app="reloaded:app")
    server.where += ["--app-dir", str(source.parent), "--reload-dir", str(source.parent)]
    await asyncio.to_thread(server.start)
    member = await asyncio.to_thread(server.sign_up)
    follower = await Follower(server.websocket_url, member.token).start(DEADLINE)
    assert follower.connection is not None
    before = process_of(server, follower.connection).pid
    source.write_text("from examples.mounted import app  # changed\n")
    await eventually(lambda: follower.welcomes == 2, DEADLINE, "the client is connected again")
    assert process_of(server, follower.connection).pid != before
    assert not follower.resets
    await follower.stop()
