"""Storage faults (locked, full, bad input) cause no false answers and no losses.

The server recovers.
"""

import asyncio
import contextlib
import json
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.faults.conftest import BOTH_DATABASES
from tests.faults.load import Crowd
from tests.faults.outage import RECOVERED_WITHIN, Outage, in_time, weathered
from tests.support.checker import History, Stored, violations
from tests.support.client import Connection, Frame, RefusedError
from tests.support.disk import fill, small_disk
from tests.support.server import Server
from tests.support.waiting import eventually, eventually_async

pytestmark = pytest.mark.faults

LOCKED_FOR = 5.0
BROKEN = ("-m", "tests.support.broken_server")


@contextlib.contextmanager
def locked(database: Path) -> Iterator[None]:
    """Hold SQLite's write lock, as another process would."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None, timeout=10)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")


async def works_for_readers(room: Crowd, connection: Connection) -> None:
    """Check history over REST, catching up and pings while nothing can be written."""
    page = await asyncio.to_thread(room.owner.get, f"/api/rooms/{room.room}/messages")
    assert page["messages"]
    caught_up = await connection.command("events.since", topic=room.topic, after=1)
    assert caught_up["events"]
    await connection.ping()


async def test_a_database_locked_for_seconds_loses_and_invents_no_messages(make_server: MakeServer) -> None:
    server = make_server()
    await asyncio.to_thread(server.start)

    @contextlib.asynccontextmanager
    async def held() -> AsyncIterator[None]:
        with locked(server.database):
            yield

    async def for_seconds(seen: Outage) -> None:
        began = time.monotonic()
        while time.monotonic() < began + LOCKED_FOR:
            await works_for_readers(seen.room, seen.prober)
            await seen.probe_in_vain()

    await in_time(lambda: weathered(server, held, for_seconds))


# -- a full disk


def integrity(database: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(database, timeout=10)) as connection:
        return [row[0] for row in connection.execute("PRAGMA integrity_check")]


async def until_refused(connection: Connection, history: History, author: int, messages: int) -> RefusedError | None:
    """Send two-kilobyte messages until the server refuses one.

    Return None if it took them all.
    """
    for number in range(len(history.sends), len(history.sends) + messages):
        send = history.sending(1, author, f"filling {number}", f"{number} " + "z" * 2_000)
        try:
            ok = await connection.command("message.send", room=1, key=send.key, body=send.body)
        except RefusedError as refused:
            return refused
        send.acknowledge(ok["seq"])
    return None


async def fill_up(
    server: Server, disk: Path, messages: int = 2_000, room_left: int = 256 * 1024
) -> tuple[History, Connection, Path, RefusedError | None]:
    """Start a server, fill its disk, and return how it refused."""
    await asyncio.to_thread(server.start)
    account = server.sign_up()
    history = History()
    connection = await Connection.open(server.websocket_url, account.token)
    filler = fill(disk, room_left)
    refused = await until_refused(connection, history, account.id, messages)
    return history, connection, filler, refused


async def test_a_full_disk_refuses_sends_and_recovers_when_freed(make_server: MakeServer, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "24m") as disk:
        server = make_server(data=disk / "data")
        server.log_path = tmp_path / "server.log"
        try:
            history, connection, filler, refused = await fill_up(server, disk)
            for _ in range(3):
                assert refused is not None, "the disk never filled up"
                assert refused.code == "unavailable"
                assert refused.retry_after is not None
                await connection.ping()
                assert (await connection.command("events.since", topic="room:1", after=2))["events"]
                # A checkpoint can make room in the log for a few more messages.
                refused = await until_refused(connection, history, history.sends[0].author, 2_000)
            await asyncio.to_thread(filler.unlink)
            last = history.sends[-1]
            assert not last.seqs
            await retry_until_stored(connection, last.key, last.body, history)
            assert connection.is_open
            await connection.close()
            assert not violations(history, Stored.read(server.database_url))
            await asyncio.to_thread(server.stop)
            assert integrity(server.database) == ["ok"]
        finally:
            server.kill()


async def retry_until_stored(connection: Connection, key: str, body: str, history: History) -> None:
    """Send the refused message again until it is acknowledged."""
    (send,) = [send for send in history.sends if send.key == key]

    async def is_stored() -> bool:
        reply = await (await connection.post("message.send", room=1, key=key, body=body))
        if "error" in reply:
            assert reply["error"]["code"] == "unavailable"
            return False
        send.acknowledge(reply["ok"]["seq"])
        return True

    await eventually_async(is_stored, RECOVERED_WITHIN, "the server recovers by itself")


async def test_control_acknowledging_before_the_commit_loses_messages_on_a_full_disk(
    make_server: MakeServer, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", "24m") as disk:
        server = make_server({"BROKEN": "ack-before-commit"}, BROKEN, disk / "data")
        server.log_path = tmp_path / "server.log"
        try:
            # This server never refuses: it acknowledges every message, and those without space are
            # not stored.
            history, connection, _, _ = await fill_up(server, disk, messages=100, room_left=64 * 1024)
            await connection.abort()
            assert any("I1 lost" in sentence for sentence in violations(history, Stored.read(server.database_url)))
        finally:
            server.kill()


# -- other processes open the file


def holds_a_lock(server: Server) -> bool:
    """Return whether the process holds SQLite's lock on the wal-index.

    That lock marks the file as in use.
    """
    index = os.stat(f"{server.database}-shm").st_ino  # noqa: PTH116
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return any(lock[1] == "POSIX" and lock[4] == str(server.pid) and lock[5].endswith(f":{index}") for lock in locks)


@pytest.mark.parametrize(("fault", "held"), [(None, True), ("drop-locks", False)])
async def test_the_server_keeps_its_sqlite_locks_so_that_other_processes_may_open_the_file(
    make_server: MakeServer, fault: str | None, held: bool
) -> None:
    """Closing any descriptor of a file drops its locks.

    See https://www.sqlite.org/howtocorrupt.html, 2.2. The next process to open the file then
    considers it abandoned and truncates what the server has mapped: SIGBUS.
    """
    server = make_server({"BROKEN": fault}, BROKEN) if fault else make_server()
    await asyncio.to_thread(server.start)
    account = server.sign_up()
    async with await Connection.open(server.websocket_url, account.token) as connection:
        await connection.command("message.send", room=1, key="first", body="a message")
        await eventually(lambda: connection.of_type("message.sent"), 20, "the batch is done")
        # The work after a batch comes a moment later, so the control waits for it and the other
        # checks several times.
        if not held:
            await eventually(lambda: not holds_a_lock(server), 20, "the locks are gone")
            return
        for number in range(20):
            await connection.command("message.send", room=1, key=f"k{number}", body="another")
            server.metrics()  # This reads the size of the log.
            assert holds_a_lock(server), "the server's locks are gone"
            assert Stored.read(server.database_url).messages, "another process can read"


# -- one failing command among valid ones


STRANGE = [
    r"\u0000 \\u0000", "%(rows)s %s", "'; DROP TABLE messages; --", '"]]\\', "\ufffe\uffff\U0010ffff", "e\u0301\u200b",
    "\u202eabc\u202c", "{}[]\x7f\x1f",
]  # fmt: skip
"""These must be stored unchanged; some have a meaning to a layer on the way."""


@BOTH_DATABASES
async def test_invalid_commands_among_fifty_valid_ones_affect_no_other(server: Server) -> None:
    account, stranger = server.sign_up(), server.sign_up()
    foreign = stranger.create_room(f"room of {stranger.name}")
    mine = account.create_room(f"room of {account.name}")
    bad: list[tuple[Frame, set[str]]] = [
        ({"room": 2**50, "key": "b1", "body": "to an unknown room"}, {"not_found"}),
        ({"room": foreign, "key": "b2", "body": "not a member"}, {"forbidden", "not_found"}),
        ({"room": mine, "key": "b3", "body": "ü" * 8_193}, {"too_large", "bad_request"}),
        ({"room": mine, "key": "b4", "body": " "}, {"bad_request"}),
        ({"room": mine, "key": "ключ", "body": "not ASCII"}, {"bad_request"}),
        ({"room": mine, "key": "g7", "body": "the key of another message"}, {"conflict"}),
    ]
    async with await Connection.open(server.websocket_url, account.token) as connection:
        good, refusals = [], []
        for number in range(50):
            fields = {"room": mine, "key": f"g{number}", "body": f"{number} {STRANGE[number % len(STRANGE)]}"}
            good.append(await connection.post("message.send", **fields))
            if number % 10 == 5:  # These are not valid frames; the server answers them under their id.
                for at, body in enumerate(("a\x00b", "a\ud800b")):
                    fields = {"id": 1_000 + 2 * number + at, "type": "message.send", "room": mine, "key": "no"}
                    await connection.socket.send(json.dumps({**fields, "body": body}))
            if number % 8 == 7:
                command, _ = bad[number // 8]
                refusals.append(await connection.post("message.send", **command))
        replies = await asyncio.gather(*good)
        errors = [(await reply)["error"]["code"] for reply in refusals]
        nameless = [frame["error"]["code"] for frame in connection.frames if "re" in frame]
    assert nameless == ["bad_request"] * 10
    assert all(code in allowed for code, (_, allowed) in zip(errors, bad, strict=True)), errors
    seqs = [reply["ok"]["seq"] for reply in replies]
    assert seqs == list(range(seqs[0], seqs[0] + 50)), "seqs are in order and gapless"
    stored = [row for row in Stored.read(server.database_url).messages if row.room == mine]
    assert [row.key for row in stored] == [f"g{number}" for number in range(50)]
    assert [row.body for row in stored] == [f"{number} {STRANGE[number % len(STRANGE)]}" for number in range(50)]


@BOTH_DATABASES
async def test_invalid_commands_on_other_connections_affect_no_other(server: Server) -> None:
    account = server.sign_up()
    mine = account.create_room(f"room of {account.name}")
    others = [await Connection.open(server.websocket_url, account.token) for _ in range(5)]
    posts = []
    for number in range(50):
        connection = others[number % 5]
        posts.append(await connection.post("message.send", room=mine, key=f"g{number}", body=f"good {number}"))
        await connection.post("message.send", room=2**50, key=f"b{number}", body="to nowhere")
        await connection.post("member.remove", room=mine, user=2**50)
        await connection.post("room.read", room=2**50, seq=1)
    replies = await asyncio.gather(*posts)
    assert sorted(reply["ok"]["seq"] for reply in replies) == list(range(3, 53))
    for connection in others:
        await connection.close()
    assert not violations(History(), Stored.read(server.database_url))
