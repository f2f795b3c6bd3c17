"""Metrics of requests, log-ins, limits and the database, in process."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection

from hubbub.domain.errors import Unavailable
from hubbub.domain.model import LOBBY
from hubbub.storage.database import READERS
from hubbub.version import __version__
from tests.metrics.reading import growth, samples
from tests.support.waiting import eventually, eventually_async
from tests.support.world import PASSWORD, World, world_at

SOON = 15.0
TRIES = 100


async def test_metrics_used_by_alerts_exist_from_the_start(world: World) -> None:
    """Prometheus never raises an alert on a series that does not exist yet."""
    found = samples(world.services.metrics)
    for name in (
        'hubbub_disconnects_total{code="4008",reason="slow"}', "hubbub_loop_stalls_total", "hubbub_messages_total",
        'hubbub_database_errors_total{thread="writer"}', 'hubbub_logins_total{outcome="refused"}',
    ):  # fmt: skip
        assert name in found
    assert found["hubbub_connections_limit"] == world.services.settings.connections_limit
    assert found[f'hubbub_info{{version="{__version__}"}}'] == 1


async def test_requests_are_counted_by_status_and_timed_by_route(world: World) -> None:
    alice = await world.program("alice")
    metrics = world.services.metrics
    before = samples(metrics)
    await alice.get(f"/api/rooms/{LOBBY}/messages")
    await alice.get("/api/rooms/12345/messages")
    await alice.get("/nowhere/at/all")
    await alice.ask("PUT", "/api/login")
    await alice.ask("MADE-UP", "/health")
    found = growth(before, samples(metrics))
    assert found['hubbub_http_requests_total{status="200"}'] == 1
    assert found['hubbub_http_requests_total{status="404"}'] == 2
    assert found['hubbub_http_requests_total{status="405"}'] == 2
    assert found['hubbub_refusals_total{code="not_found"}'] == 1
    seconds = "hubbub_http_request_seconds"
    assert found[f'{seconds}_count{{method="GET",route="/api/rooms/{{room}}/messages"}}'] == 2
    assert found[f'{seconds}_count{{method="other",route="other"}}'] == 3
    assert found[f'{seconds}_sum{{method="other",route="other"}}'] > 0


async def test_made_up_paths_and_methods_create_no_labels(world: World) -> None:
    visitor = world.visitor()

    async def ask(what: str) -> None:
        await visitor.get(f"/nowhere/{what}")
        await visitor.get(f"/assets/{what}")
        await visitor.ask(f"MADEUP{what}", "/health")

    await ask("first")
    before = samples(world.services.metrics).keys()
    for number in range(50):
        await ask(str(number))
    assert samples(world.services.metrics).keys() == before


async def test_log_ins_are_counted_by_their_outcome(world: World) -> None:
    await world.program("alice")
    metrics = world.services.metrics
    before = samples(metrics)
    for password in (PASSWORD, "another password", "a third password"):
        await world.visitor().post("/token", data={"username": "alice", "password": password})
    found = growth(before, samples(metrics))
    assert found['hubbub_logins_total{outcome="accepted"}'] == 1
    assert found['hubbub_logins_total{outcome="refused"}'] == 2


async def test_rate_limited_attempts_are_counted_by_their_bucket(tmp_path: Path) -> None:
    async with world_at(tmp_path / "data", rate_limits=True) as world:
        alice = await world.program("alice")
        before = samples(world.services.metrics)
        # This does not use HTTP: on a slow machine these buckets refill faster than requests can
        # empty them.
        for sending in (True, False):
            while world.services.limits.command(alice.id, sending=sending) is None:
                pass
        while world.services.limits.command(alice.id + 1, sending=False, founding=True) is None:
            pass
        # The password is too long to be hashed, so that only the limits are at work.
        wrong = {"username": "alice", "password": "x" * 2_000}
        addresses = (f"203.0.114.{number}" for number in range(TRIES))
        await _until_refused(lambda: world.visitor(address=next(addresses)).post("/token", data=wrong))
        eager = world.visitor(address="203.0.115.1")
        await _until_refused(lambda: eager.post("/token", data={**wrong, "username": "bob"}))
        visitor = world.visitor(address="203.0.113.1")
        await _until_refused(lambda: visitor.post("/api/invites/check", json={"token": "x"}))
        names = (f"new{number}" for number in range(TRIES))
        other = world.visitor(address="203.0.113.2")
        await _until_refused(lambda: other.post("/api/users", json={"username": next(names), "password": PASSWORD}))
        found = growth(before, samples(world.services.metrics))
    for bucket in (
        "sends", "commands", "rooms", "attempts_per_account", "attempts_per_account_in_all", "attempts_per_address",
        "signups_per_address",
    ):  # fmt: skip
        assert found[f'hubbub_rate_limited_total{{bucket="{bucket}"}}'] == 1, bucket


async def _until_refused(attempt: Callable[[], Awaitable[httpx.Response]]) -> None:
    for _ in range(TRIES):
        if (await attempt()).status_code == 429:
            return
    raise AssertionError(f"{TRIES} attempts, and none was rate limited")


async def test_a_locked_database_shows_in_the_queue_and_as_an_error(world: World) -> None:
    alice = await world.program("alice")
    metrics = world.services.metrics
    before = samples(metrics)
    assert world.services.database.path is not None
    other = sqlite3.connect(world.services.database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    url = f"/api/rooms/{LOBBY}/messages"
    states = [f'hubbub_journal_commands{{state="{state}"}}' for state in ("writing", "waiting")]
    posts: list[asyncio.Task[httpx.Response]] = []

    def queued() -> bool:
        posts.append(asyncio.create_task(alice.post(url, json={"key": str(len(posts)), "body": "x"})))
        found = samples(metrics)
        return all(found[state] for state in states) and found["hubbub_journal_bytes"] > 0

    try:
        await eventually(queued, SOON, "one command is being written, another waits", every=0.05)
        assert {(await post).status_code for post in posts} == {503}
        errors = 'hubbub_database_errors_total{thread="writer"}'
        await eventually(lambda: growth(before, samples(metrics)).get(errors, 0) >= 1, SOON, "the error is counted")
        assert "hubbub_database_recoveries_total" not in growth(before, samples(metrics))
    finally:
        other.execute("ROLLBACK")
        other.close()

    async def sent() -> bool:
        return (await alice.post(url, json={"key": "again", "body": "x"})).status_code == 201

    await eventually_async(sent, SOON, "messages are stored again")
    assert growth(before, samples(metrics))["hubbub_database_recoveries_total"] == 1
    await eventually(lambda: not any(samples(metrics)[state] for state in states), SOON, "the queue is empty again")


async def test_running_and_waiting_queries_are_counted(world: World) -> None:
    services = world.services
    let_go = threading.Event()

    def slow(_connection: Connection) -> None:
        assert let_go.wait(60)

    futures = [services.database.submit(slow) for _ in range(READERS + 3)]
    running, waiting = 'hubbub_reads{state="running"}', 'hubbub_reads{state="waiting"}'

    def reads() -> tuple[float, float]:
        found = samples(services.metrics)
        return found[running], found[waiting]

    try:
        await eventually(lambda: reads() == (READERS, 3), SOON, "all readers are busy, three queries wait")
    finally:
        let_go.set()
    await asyncio.gather(*map(asyncio.wrap_future, futures))
    await eventually(lambda: reads() == (0, 0), SOON, "no queries are left")


async def test_a_query_that_the_database_refuses_is_counted(world: World) -> None:
    before = samples(world.services.metrics)

    def write(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE readers_do_not_write (id INTEGER)")

    with pytest.raises(Unavailable):
        await world.services.read(write)
    reader = 'hubbub_database_errors_total{thread="reader"}'
    await eventually(
        lambda: growth(before, samples(world.services.metrics)).get(reader) == 1, SOON, "the error is counted"
    )
