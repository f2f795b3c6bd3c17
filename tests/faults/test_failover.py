"""A database that went back in time: a failover, or an older copy of the file.

Clients that know more than the database are told to reset, once, and agree with the server then.
"""

import asyncio
import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from hubbub.storage import epochs
from tests.backup.test_clients import Client, say
from tests.client.quick import DEADLINE, Consumer, QuickClient
from tests.conftest import MakeServer
from tests.support.client import Connection, RefusedError
from tests.support.server import Account, Server
from tests.support.standby import Standby, standby
from tests.support.waiting import eventually, eventually_async, eventually_blocking
from tests.support.wire import Wire, wire

pytestmark = pytest.mark.faults

NEVER_LOOKING = ("-m", "tests.support.broken_server")


@dataclass
class Site:
    """A server on a PostgreSQL that can fail over, and a room with a member."""

    server: Server
    between: Wire
    standby: Standby
    account: Account
    room: int

    def epoch(self) -> str:
        return str(self.account.get(f"/api/topics/room:{self.room}/events", after=0)["epoch"])

    def fail_over(self) -> None:
        self.standby.take_over()
        self.between.turn_to(self.standby.socket)


@pytest.fixture
def make_site(make_server: MakeServer) -> Iterator[Callable[..., Site]]:
    with standby() as pair, wire(pair.primary.socket) as between:
        made: list[Server] = []

        def make(**settings: str) -> Site:
            launcher = NEVER_LOOKING if "BROKEN" in settings else ("-m", "hubbub")
            url = between.url(pair.primary.empty())
            server = make_server({"HUBBUB_DATABASE_URL": url, **settings}, launcher).start()
            made.append(server)
            account = server.sign_up("ann")
            return Site(server, between, pair, account, account.create_room("General"))

        yield make
        for server in made:
            server.end()  # before its database


async def answers(server: Server) -> None:
    async def is_ready() -> bool:
        return await asyncio.to_thread(server.is_ready)

    await eventually_async(is_ready, 60, "the server answers again")


async def sends(connection: Connection, room: int, *bodies: str) -> None:
    """Send messages, each until it is acknowledged: the database may just be failing over."""
    for body in bodies:
        while True:
            try:
                await say(connection, room, body)
                break
            except RefusedError as error:
                if error.code != "unavailable":
                    raise


def stored(account: Account, room: int) -> list[tuple[int, str]]:
    return [(message["seq"], message["body"]) for message in account.history(room)]


async def converged(account: Account, clients: dict[str, Client], within: float) -> list[str]:
    """Return what is wrong after all clients reconnected, the first of them before the others.

    Its messages have passed the positions of the others when they come back.
    """
    wrong: list[str] = []
    connections: list[Connection] = []
    for name, client in clients.items():
        connections.append(await client.connect(account))
        await sends(connections[-1], client.room, *(f"after {name} {number}" for number in range(7)))
    there = stored(account, next(iter(clients.values())).room)
    for name, client in clients.items():
        try:
            await eventually(lambda: client.view() == there, within, "the view is the server's")  # noqa: B023
        except AssertionError:
            wrong.append(f"{name}: sees {client.view()}, stored is {there}")
        if client.resets != Counter(dict.fromkeys(client.have, 1)):
            wrong.append(f"{name}: resets {client.resets}, topics {list(client.have)}")
    for connection in connections:
        await connection.close()
    return wrong


async def lost_messages(site: Site) -> tuple[dict[str, Client], Connection]:
    """Send messages that the standby gets and then others that it does not; all are acknowledged.

    One client has left meanwhile, the other one is connected.
    """
    clients = {"connected": Client(site.room), "late": Client(site.room)}
    connected, late = [await client.connect(site.account) for client in clients.values()]
    await sends(connected, site.room, *(f"kept {number}" for number in range(5)))
    await asyncio.to_thread(site.standby.catch_up)
    await asyncio.to_thread(site.standby.disconnect)
    await sends(connected, site.room, *(f"lost {number}" for number in range(5)))
    for client in clients.values():
        await eventually(lambda: len(client.messages) == 10, 10, "both have all messages")  # noqa: B023
    await late.close()
    return clients, connected


async def test_after_a_failover_that_lost_messages_all_clients_reset_once_and_agree(
    make_site: Callable[..., Site],
) -> None:
    site = await asyncio.to_thread(make_site)
    before = await asyncio.to_thread(site.epoch)
    async with QuickClient(site.server.url, token=site.account.token) as program, Consumer(program) as consumer:
        clients, connected = await lost_messages(site)
        await eventually(lambda: "lost 4" in consumer.bodies(site.room), DEADLINE, "the program has all messages")
        reset_at = max(event["at"] for event in consumer.events[f"room:{site.room}"])
        await asyncio.to_thread(site.fail_over)
        await eventually(lambda: connected.close_code is not None, 60, "the connection ends")
        assert connected.close_code == 4000, connected.close_reason
        assert 0 < json.loads(connected.close_reason)["retry_after"] <= 5
        await answers(site.server)
        assert not await converged(site.account, clients, 15)
        assert await asyncio.to_thread(site.epoch) != before
        last = await program.send(site.room, "and on it goes")
        topic = f"room:{site.room}"
        await eventually(lambda: consumer.events[topic][-1]["seq"] == last.seq, DEADLINE, "the program goes on")
        (reset,) = [found for found in consumer.resets if found.topic == topic]
        after = [event["seq"] for event in consumer.events[topic] if event["at"] > reset_at]
        assert after == list(range(reset.head + 1, last.seq + 1)), "without a gap and without lost events"
    assert site.server.metrics()["hubbub_new_epochs_total"] == 1
    (line,) = site.server.log_lines("new_epoch")
    assert line["level"] == "error"
    assert "Failover" in line["advice"]


async def test_control_a_server_that_never_looks_back_leaves_clients_wrong_after_a_failover(
    make_site: Callable[..., Site],
) -> None:
    site = await asyncio.to_thread(make_site, BROKEN="never-look-back")
    clients, connected = await lost_messages(site)
    await asyncio.to_thread(site.fail_over)
    await answers(site.server)
    await connected.close()
    wrong = await converged(site.account, clients, 1)
    assert any(sentence.startswith("late: sees") and "'lost 4'" in sentence for sentence in wrong), wrong


async def test_a_failover_without_loss_keeps_the_epoch_and_the_connections(make_site: Callable[..., Site]) -> None:
    site = await asyncio.to_thread(make_site)
    before = await asyncio.to_thread(site.epoch)
    client = Client(site.room)
    connection = await client.connect(site.account)
    await sends(connection, site.room, "before")
    await asyncio.to_thread(site.standby.catch_up)
    await asyncio.to_thread(site.fail_over)
    await answers(site.server)
    await eventually(lambda: site.server.log_lines("database_lock_regained"), 60, "the lock is taken again")

    async def is_sent() -> bool:
        answer = await asyncio.to_thread(
            site.account.request, "POST", f"/api/rooms/{site.room}/messages", json={"body": "after", "key": "after"}
        )
        return answer.status_code in (200, 201)

    await eventually_async(is_sent, 60, "a message is stored")
    await eventually(lambda: len(client.messages) == 2, 10, "the connection still receives")
    assert connection.close_code is None
    assert await asyncio.to_thread(site.epoch) == before
    await connection.close()
    # The new timeline is known now: neither a normal restart nor a crash changes the epoch.
    for end in (site.server.stop, site.server.kill):
        await asyncio.to_thread(end)
        await asyncio.to_thread(site.server.start)
        assert await asyncio.to_thread(site.epoch) == before
    assert not site.server.log_lines("new_epoch")


async def test_a_failover_while_the_server_is_stopped_changes_the_epoch_if_it_may_have_lost_something(
    make_site: Callable[..., Site],
) -> None:
    """A clean stop proves what was committed, a crash does not."""
    site = await asyncio.to_thread(make_site)
    before = await asyncio.to_thread(site.epoch)
    clients, connected = await lost_messages(site)
    await connected.close()
    await asyncio.to_thread(site.server.stop)
    await asyncio.to_thread(site.fail_over)
    await asyncio.to_thread(site.server.start)
    assert await asyncio.to_thread(site.epoch) != before
    (line,) = site.server.log_lines("new_epoch")
    assert line["reason"] == "older_than_high_water_mark"
    assert not await converged(site.account, clients, 15)


@pytest.mark.parametrize("clean", [True, False])
def test_a_failover_without_loss_while_the_server_is_stopped_keeps_the_epoch_after_a_clean_stop_only(
    make_site: Callable[..., Site], clean: bool
) -> None:
    site = make_site()
    before = site.epoch()
    if clean:
        site.server.stop()
    else:
        site.server.kill()
    site.standby.catch_up()
    site.fail_over()
    site.server.start()
    assert (site.epoch() == before) is clean
    reasons = [line["reason"] for line in site.server.log_lines("new_epoch")]
    assert reasons == ([] if clean else ["another_timeline"])


# --- SQLite ----------------------------------------------------------------------------------------------------------


def copy(server: Server, target: Path) -> None:
    """Copy the database consistently, as a file-system snapshot does."""
    with closing(sqlite3.connect(server.database)) as source, closing(sqlite3.connect(target)) as made:
        source.backup(made)


def epoch_of(account: Account, room: int) -> str:
    return str(account.get(f"/api/topics/room:{room}/events", after=0)["epoch"])


async def talked(server: Server, target: Path) -> tuple[Account, dict[str, Client], Connection]:
    """Copy the database, then go on. One client has left at the end, the other is connected."""
    account = await asyncio.to_thread(server.sign_up, "ann")
    room = await asyncio.to_thread(account.create_room, "General")
    clients = {"connected": Client(room), "late": Client(room)}
    connected, late = [await client.connect(account) for client in clients.values()]
    await sends(connected, room, *(f"kept {number}" for number in range(5)))
    await asyncio.to_thread(copy, server, target)
    await sends(connected, room, *(f"lost {number}" for number in range(5)))
    for client in clients.values():
        await eventually(lambda: len(client.messages) == 10, 10, "both have all messages")  # noqa: B023
    await late.close()
    return account, clients, connected


@pytest.mark.parametrize("writes", [True, False], ids=["busy", "idle"])
async def test_an_older_file_put_in_place_of_an_open_one_resets_all_clients_once(
    make_server: MakeServer, tmp_path: Path, writes: bool
) -> None:
    server = await asyncio.to_thread(make_server().start)
    account, clients, connected = await talked(server, tmp_path / "copy.db")
    room = clients["late"].room
    before = await asyncio.to_thread(epoch_of, account, room)
    kept = tmp_path / "moved.db"
    server.database.rename(kept)
    (tmp_path / "copy.db").rename(server.database)
    if writes:
        message = {"body": "during", "key": "during"}
        await asyncio.to_thread(account.request, "POST", f"/api/rooms/{room}/messages", json=message)
    await eventually(lambda: connected.close_code is not None, 60, "the connection ends")
    assert connected.close_code == 4000
    assert not await converged(account, clients, 15)
    assert await asyncio.to_thread(epoch_of, account, room) != before
    assert server.log_lines("database_file_replaced")
    assert server.metrics()["hubbub_new_epochs_total"] == 1
    for path in (kept, server.database):  # the write-ahead log of one was not applied to the other
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            bodies = {body for (body,) in connection.execute("SELECT body FROM messages")}
        assert ("lost 4" in bodies) is (path == kept)


async def test_an_older_file_put_in_place_while_the_server_is_stopped_resets_all_clients_once(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = await asyncio.to_thread(make_server().start)
    account, clients, connected = await talked(server, tmp_path / "copy.db")
    before = await asyncio.to_thread(epoch_of, account, clients["late"].room)
    await connected.close()
    await asyncio.to_thread(server.stop)
    shutil.copy(tmp_path / "copy.db", server.database)
    await asyncio.to_thread(server.start)
    assert await asyncio.to_thread(epoch_of, account, clients["late"].room) != before
    assert not await converged(account, clients, 15)
    (line,) = server.log_lines("new_epoch")
    assert line["reason"] == "older_than_high_water_mark"


async def test_control_a_server_that_never_looks_back_serves_the_older_file_without_a_reset(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = await asyncio.to_thread(make_server({"BROKEN": "never-look-back"}, NEVER_LOOKING).start)
    account, clients, connected = await talked(server, tmp_path / "copy.db")
    await connected.close()
    await asyncio.to_thread(server.stop)
    shutil.copy(tmp_path / "copy.db", server.database)
    await asyncio.to_thread(server.start)
    wrong = await converged(account, clients, 1)
    assert any(sentence.startswith("late: sees") and "'lost 4'" in sentence for sentence in wrong), wrong


def test_a_database_file_that_is_missing_for_a_moment_is_unavailable_and_nothing_is_lost(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server().start()
    account = server.sign_up("ann")
    room = account.create_room("General")
    before = epoch_of(account, room)

    def send(key: str) -> httpx.Response:
        return account.request("POST", f"/api/rooms/{room}/messages", json={"body": key, "key": key})

    assert send("one").status_code in (200, 201)
    server.database.rename(tmp_path / "away.db")
    assert send("two").status_code == 503
    assert account.request("GET", f"/api/rooms/{room}/messages").status_code == 503
    assert not server.database.exists(), "no empty database was created"
    (tmp_path / "away.db").rename(server.database)
    eventually_blocking(lambda: send("two").status_code in (200, 201), 30, "the server opens the file again")
    assert [body for _, body in stored(account, room)] == ["one", "two"]
    assert epoch_of(account, room) == before


def test_restarts_crashes_and_backups_keep_the_epoch(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server().start()
    account = server.sign_up("ann")
    room = account.create_room("General")
    before = epoch_of(account, room)
    account.request("POST", f"/api/rooms/{room}/messages", json={"body": "one", "key": "one"})
    server.command_line("backup", str(tmp_path / "chat.zip"))
    for end in (server.stop, server.kill):
        end()
        server.command_line("invite", "create")
        server.start()
        assert epoch_of(account, room) == before
    (server.data / epochs.FILE).write_text("{damaged")
    server.kill()
    server.start()
    assert epoch_of(account, room) == before
    assert not server.log_lines("new_epoch")


def test_migrate_with_new_epoch_begins_a_new_history(make_server: MakeServer) -> None:
    server = make_server().start()
    account = server.sign_up("ann")
    room = account.create_room("General")
    before = epoch_of(account, room)
    server.stop()
    assert "new history" in server.command_line("migrate", "--new-epoch")
    server.start()
    after = epoch_of(account, room)
    assert after != before
    server.stop()
    server.command_line("migrate")
    server.start()
    assert epoch_of(account, room) == after
