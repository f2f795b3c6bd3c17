"""`hubbub serve --workers N`: one site on one port, with real processes on PostgreSQL."""

import asyncio
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from hubbub.workers import FAILURES, SHORT_LIFE, Child
from tests.conftest import MakeServer
from tests.faults.load import Crowd, crowd
from tests.nodes.conftest import BROKEN
from tests.support import depth, forked
from tests.support.client import Connection
from tests.support.follower import Follower
from tests.support.nats import nats
from tests.support.postgres import Postgres
from tests.support.server import PASSWORD, Server
from tests.support.stubborn import Stubborn, ended, loud_room, tell
from tests.support.waiting import eventually, eventually_blocking
from tests.support.workers import Workers, connect_to_each, process_of, runs

pytestmark = pytest.mark.faults

DEADLINE = 60.0
# A broken server fails in the first or second round. If this many rounds find nothing, the control
# fails.
CONTROL_ROUNDS = 8
MakeWorkers = Callable[..., Workers]


@pytest.fixture
def make_workers(kind: str, postgres_server: Postgres, tmp_path: Path) -> Iterator[MakeWorkers]:
    """Return `make_workers(count, broken)`: a server that is not started, with each kind of bus."""
    with _maker(kind, postgres_server, tmp_path) as make:
        yield make


@pytest.fixture
def make_simple(postgres_server: Postgres, tmp_path: Path) -> Iterator[MakeWorkers]:
    """Like `make_workers`, with PostgreSQL as the bus, for tests in which it does not matter."""
    with _maker("postgresql", postgres_server, tmp_path) as make:
        yield make


@contextmanager
def _maker(kind: str, postgres_server: Postgres, folder: Path) -> Iterator[MakeWorkers]:
    url = postgres_server.empty()
    made: list[Workers] = []
    with nats(folder) as bus:

        def make(count: int = 2, broken: str | None = None) -> Workers:
            settings = {"HUBBUB_DATABASE_URL": url, "HUBBUB_BUS_URL": bus.url if kind == "nats" else "postgresql"}
            if broken is None:
                server = Workers(folder / "data", settings, count)
            else:
                server = Workers(folder / "data", {**settings, "BROKEN": broken}, count, BROKEN)
            made.append(server)
            return server

        yield make
        for server in made:
            server.end()
    postgres_server.drop(url)


async def heard(connection: Connection, body: str) -> None:
    await eventually(
        lambda: any(frame.get("body") == body for frame in connection.frames), DEADLINE, f"{body!r} arrives"
    )


async def test_three_workers_are_one_chat(make_workers: MakeWorkers) -> None:
    server = make_workers(3)
    await asyncio.to_thread(server.start)
    await asyncio.to_thread(server.wait_serving)
    member = await asyncio.to_thread(server.sign_up, "member")
    room = await asyncio.to_thread(member.create_room, "A room")
    sockets = await connect_to_each(server, member.token, 3)
    for number, sender in enumerate(sockets.values()):
        await sender.command("message.send", room=room, key=f"k{number}", body=f"from {number}")
        for socket in sockets.values():
            await heard(socket, f"from {number}")
    answer = await asyncio.to_thread(member.request, "POST", "/api/logout")
    assert answer.status_code == 204
    for socket in sockets.values():
        assert await socket.wait_closed(DEADLINE) == 4503


async def test_control_workers_that_ignore_the_bus_do_not_show_messages_of_others(make_simple: MakeWorkers) -> None:
    server = make_simple(2, "deaf no-positions")
    await asyncio.to_thread(server.start)
    await asyncio.to_thread(server.wait_serving)
    member = await asyncio.to_thread(server.sign_up, "member")
    room = await asyncio.to_thread(member.create_room, "A room")
    first, second = (await connect_to_each(server, member.token)).values()
    await first.command("message.send", room=room, key="k", body="unheard")
    await heard(first, "unheard")
    await second.ping()
    assert not [frame for frame in second.frames if frame.get("body") == "unheard"]
    for socket in (first, second):
        await socket.abort()


def test_the_address_and_the_link_are_printed_once_and_every_worker_has_a_number(make_simple: MakeWorkers) -> None:
    server = make_simple(2)
    server.by_fork = False
    server.start()
    server.wait_serving()
    assert psutil.Process(server.pid).num_threads() == 1, "a fork of a process with threads can hang"
    token = server.setup_link().partition("#")[2]
    body = {"username": "owner", "password": PASSWORD, "setup": token}
    answer = httpx.post(f"{server.url}/api/users", json=body, trust_env=False)
    assert (answer.status_code, answer.json()["role"]) == (201, "owner")
    text = server.log_text()
    assert len(re.findall("/setup#", text)) == len(re.findall("^Hubbub is at ", text, re.MULTILINE)) == 1
    assert sorted(line["worker"] for line in server.log_lines("listening")) == [0, 1]
    assert {line["port"] for line in server.log_lines("listening")} == {server.port}
    assert len(server.log_lines("migrated")) == 1


def test_the_link_of_the_owner_stays_the_same_on_every_node_and_after_a_restart(
    make_simple: MakeWorkers, make_server: MakeServer
) -> None:
    server = make_simple(2)
    server.start()
    link = server.setup_link()
    shared = ("HUBBUB_DATABASE_URL", "HUBBUB_BUS_URL")
    other = make_server({name: server.settings[name] for name in shared}).start()
    assert other.setup_link().partition("#")[2] == link.partition("#")[2]
    server.stop()
    server.start()
    eventually_blocking(lambda: server.log_text().count(link) == 2, DEADLINE, "the link is printed again")
    body = {"username": "owner", "password": PASSWORD, "setup": link.partition("#")[2]}
    for node, status in ((other, 201), (server, 403)):
        assert httpx.post(f"{node.url}/api/users", json=body, trust_env=False).status_code == status


def test_one_page_has_the_metrics_of_all_workers(make_simple: MakeWorkers) -> None:
    server = make_simple(2)
    server.start()
    server.wait_serving()
    text = httpx.get(f"{server.url}/metrics", trust_env=False).text
    for worker in (0, 1):
        assert f'hubbub_bus_connected{{worker="{worker}"}} 1.0' in text
        assert re.search(rf'^hubbub_info{{version=".*",worker="{worker}"}} 1.0$', text, re.MULTILINE)
        assert f'hubbub_commit_seconds_bucket{{le="0.01",worker="{worker}"}}' in text
    families = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
    assert len(families) == len(set(families))
    assert all("worker=" in line for line in text.splitlines() if not line.startswith("#"))


async def killed_workers(server: Workers, rounds: int) -> list[str]:
    """Kill a worker with a follower under load, again and again; return what was wrong."""
    await asyncio.to_thread(server.start)
    await asyncio.to_thread(server.wait_serving)
    async with crowd(server, writers=4, followers=4) as room:
        room.start_writing()
        for _ in range(rounds):
            await acknowledged(room, 40)
            follower = room.followers[0]
            assert isinstance(follower, Follower)
            assert follower.connection is not None
            victim = process_of(server, follower.connection)
            others = {process.pid for process in server.processes()} - {victim.pid}
            victim.kill()
            listed = await asyncio.to_thread(server.command_line, "user", "list")
            assert room.owner.name in listed, "another worker acts for the command line"
            await acknowledged(room, 40)
            await eventually(
                lambda: len({process.pid for process in server.processes()} - others) == 1,  # noqa: B023
                DEADLINE,
                "the worker was started again",
            )
            if found := room.verdict():
                return found
        await room.stop_writing()
        await room.caught_up(DEADLINE)
        assert sum(follower.welcomes > 1 for follower in room.followers) >= 1
        return room.verdict() + room.convergence()


async def acknowledged(room: Crowd, count: int) -> None:
    wanted = len(room.history.acked) + count
    await eventually(lambda: len(room.history.acked) >= wanted, DEADLINE, "there is load")


async def test_a_killed_worker_loses_nothing_and_starts_again(make_workers: MakeWorkers) -> None:
    server = make_workers(2)
    found = await killed_workers(server, depth.rounds("kills of workers", short=2, long=50))
    assert not found, "\n".join(found)
    assert all(line["code"] == -signal.SIGKILL for line in server.log_lines("worker_ended"))

    def connected() -> list[float]:
        return [value for name, value in server.metrics().items() if name.startswith("hubbub_bus_connected{")]

    await eventually(lambda: connected() == [1.0, 1.0], DEADLINE, "both workers are on the bus")


async def test_control_a_killed_worker_that_answers_before_the_commit_loses_messages(make_simple: MakeWorkers) -> None:
    found = await killed_workers(make_simple(2, "ack-before-commit"), CONTROL_ROUNDS)
    assert any("I1 lost" in sentence or "reset" in sentence for sentence in found), found


async def stopped_under_load(server: Workers, rounds: int, *, by_group: bool = False) -> list[str]:
    """Stop the server by SIGTERM under load and start it, again and again; return what was wrong.

    With `by_group`, the workers get the signal, too, as from a terminal or from systemd.
    """
    await asyncio.to_thread(server.start)
    async with crowd(server, writers=4, followers=4) as room:
        room.start_writing()
        for _ in range(rounds):
            await acknowledged(room, 40)
            process, server.process = server.process, None
            assert process is not None
            for each in (*(psutil.Process(process.pid).children() if by_group else ()), process):
                each.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, DEADLINE) == 0
            await asyncio.to_thread(server.start)
            if found := room.verdict():
                return found
        await room.stop_writing()
        await room.caught_up(DEADLINE)
        return room.verdict() + room.convergence()


async def test_sigterm_under_load_loses_no_acknowledged_message(make_workers: MakeWorkers) -> None:
    server = make_workers(2)
    found = await stopped_under_load(server, depth.rounds("stops of workers", short=2, long=50))
    assert not found, "\n".join(found)
    assert not server.log_lines("worker_ended")


async def test_a_signal_to_parent_and_workers_lets_the_workers_drain(make_simple: MakeWorkers) -> None:
    server = make_simple(2)
    found = await stopped_under_load(server, 2, by_group=True)
    assert not found, "\n".join(found)
    assert not server.log_lines("worker_failed")


async def test_a_second_signal_ends_workers_that_drain(make_simple: MakeWorkers) -> None:
    server = make_simple(2)
    server.settings["HUBBUB_DRAIN_SECONDS"] = "60"
    await asyncio.to_thread(server.start)
    await asyncio.to_thread(server.wait_serving)
    account, room = await loud_room(server)
    workers = server.processes()
    async with Stubborn(server, account, room):
        process = tell(server)
        await eventually(lambda: server.log_lines("draining"), DEADLINE, "a worker drains")
        process.send_signal(signal.SIGTERM)
        assert await ended(process) == 128 + signal.SIGTERM
    assert not any(map(runs, workers))


async def test_control_a_parent_that_kills_its_workers_loses_messages(make_simple: MakeWorkers) -> None:
    found = await stopped_under_load(make_simple(2, "ack-before-commit kill-workers"), CONTROL_ROUNDS)
    assert any("I1 lost" in sentence or "reset" in sentence for sentence in found), found


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_parent_and_workers_with_0(make_simple: MakeWorkers, how: signal.Signals) -> None:
    server = make_simple(2)
    server.start()
    process, workers = server.process, server.processes()
    assert process is not None
    process.send_signal(how)
    assert process.wait(DEADLINE) == 0
    server.process = None
    assert not any(map(runs, workers))
    assert not list(server.data.glob("control*.sock"))


def test_a_worker_that_is_told_to_end_drains_and_is_replaced(make_simple: MakeWorkers) -> None:
    server = make_simple(2)
    server.start()
    server.wait_serving()
    before = server.processes()
    before[0].terminate()
    eventually_blocking(lambda: len(server.log_lines("listening")) == 3, DEADLINE, "another worker serves")
    (line,) = server.log_lines("worker_ended")
    assert (line["code"], line["level"]) == (0, "info")
    assert before[1] in server.processes()
    assert before[0] not in server.processes()


def test_workers_end_when_their_parent_was_killed(make_simple: MakeWorkers) -> None:
    server = make_simple(2)
    server.start()
    workers, process = server.processes(), server.process
    assert process is not None
    process.kill()
    process.wait(DEADLINE)
    server.process = None
    eventually_blocking(lambda: not any(map(runs, workers)), DEADLINE, "the workers have ended")
    server.start()
    assert server.sign_up().id


def test_workers_that_end_at_once_are_started_later_and_later_and_then_given_up(make_simple: MakeWorkers) -> None:
    server = make_simple(2, "short-lived impatient-parent")
    server.launch()
    process = server.process
    assert process is not None
    assert process.wait(DEADLINE) == 1
    server.process = None
    (line,) = server.log_lines("workers_given_up")
    assert line["advice"].startswith("Every worker has ended within 10 s, 5 times in a row.")
    for worker in (0, 1):
        waits = [line["restart_seconds"] for line in server.log_lines("worker_ended") if line["worker"] == worker]
        assert waits[:4] == sorted(waits[:4])
        assert waits[1] > waits[0]


def test_a_worker_that_has_served_for_long_since_it_failed_keeps_the_server_running() -> None:
    failed = Child(0, failures=FAILURES)
    assert failed.is_failing(now=100.0)
    assert not Child(0, failures=FAILURES - 1).is_failing(now=100.0)
    failed.serving_since = 100.0
    assert failed.is_failing(now=100.0 + SHORT_LIFE / 2)
    assert not failed.is_failing(now=100.0 + SHORT_LIFE)


def test_a_worker_that_cannot_start_ends_the_server_with_one_sentence(
    make_simple: MakeWorkers, postgres_server: Postgres, tmp_path: Path
) -> None:
    server = make_simple(3)
    server.settings["HUBBUB_DATABASE_URL"] = postgres_server.url("of_no_site")
    server.launch()
    process = server.process
    assert process is not None
    assert process.wait(DEADLINE) == 2
    server.process = None
    assert server.log_text().count("PostgreSQL refuses the connection") == 1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "2 workers need a PostgreSQL database and a bus: set HUBBUB_DATABASE_URL and HUBBUB_BUS_URL."),
        (
            {"HUBBUB_DATABASE_URL": "postgresql+psycopg://db/hubbub"},
            "2 workers need a bus: set HUBBUB_BUS_URL, for example to postgresql.",
        ),
        ({"HUBBUB_BUS_URL": "postgresql"}, "2 workers need a PostgreSQL database and a bus"),
    ],
)
def test_workers_that_would_not_be_one_site_are_refused(
    tmp_path: Path, settings: dict[str, str], sentence: str
) -> None:
    server = Server(tmp_path / "data", settings)
    command = [sys.executable, "-m", "hubbub", *server.where, "--workers", "2"]
    done = forked.run(command, env=server.environment)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not server.data.exists()


def test_a_port_of_another_server_is_refused_also_if_that_has_workers(make_simple: MakeWorkers, tmp_path: Path) -> None:
    server = make_simple(2)
    server.start()
    command = [sys.executable, "-m", "hubbub", *server.where[:-1], str(tmp_path / "other")]
    done = forked.run(command, env=server.environment)
    assert done.returncode == 1
    assert f"Port {server.port} on 127.0.0.1 is already in use." in done.stderr


async def test_clients_that_arrive_at_once_are_distributed_over_the_workers(make_simple: MakeWorkers) -> None:
    server = make_simple(2)
    await asyncio.to_thread(server.start)
    await asyncio.to_thread(server.wait_serving)
    account = await asyncio.to_thread(server.sign_up)
    sockets = await asyncio.gather(*(Connection.open(server.websocket_url, account.token) for _ in range(100)))
    metrics = await asyncio.to_thread(server.metrics)
    counts = [metrics[f'hubbub_connections{{state="live",worker="{worker}"}}'] for worker in (0, 1)]
    assert sum(counts) == 100
    assert min(counts) >= 20  # less than once in 10^9 for a fair coin
    for socket in sockets:
        await socket.abort()
