"""A backup under load is complete and slows no sends."""

import asyncio
import itertools
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.backup.content import NOW, put_back
from tests.conftest import MakeServer
from tests.faults.load import Crowd, crowd
from tests.support import depth
from tests.support.checker import History, Stored, duplicated, gaps, lost
from tests.support.entries import ENTRIES
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults

ATTEMPTS = 3
ROOM_TO_BREATHE = 0.25
TIMES_SLOWER = 4


def fill(database: Path, count: int) -> None:
    """Insert old messages into the lobby, so that there is something to back up."""
    with closing(sqlite3.connect(database)) as connection:
        author = connection.execute("SELECT min(id) FROM users").fetchone()[0]
        body = "x" * 200
        (head,) = connection.execute("SELECT head FROM topics WHERE topic = 'room:1'").fetchone()
        numbers = range(1, count + 1)
        connection.executemany(
            "INSERT INTO messages (room, seq, n, at, id, author, key, digest, body) VALUES (1, ?, ?, ?, 0, ?, ?, 0, ?)",
            ((head + n, n, NOW, author, f"old {n}", f"{n} {body}") for n in numbers),
        )
        connection.execute("UPDATE topics SET head = head + ?, n = ? WHERE topic = 'room:1'", (count, count))
        connection.commit()


def p99(history: History, start: float, end: float) -> float:
    """Return the 99th percentile of acknowledgement times of a period, in seconds."""
    took = sorted(
        send.acked_at - send.sent_at for send in history.sends if send.acked_at and start <= send.sent_at <= end
    )
    assert len(took) > 20, "there was load"
    return took[len(took) * 99 // 100]


def unlike(copy: Path) -> list[str]:
    """Return inconsistencies of heads, log and messages in a restored copy."""
    with closing(sqlite3.connect(copy)) as connection:
        heads = dict(connection.execute("SELECT topic, head FROM topics WHERE head > 0").fetchall())
        tops = dict(connection.execute(f"SELECT topic, max(seq) FROM {ENTRIES} GROUP BY topic").fetchall())
        strays = connection.execute(
            "SELECT count(*) FROM messages LEFT JOIN topics ON topic = 'room:' || room AND head >= seq"
            " WHERE topic IS NULL"
        ).fetchone()[0]
        numbers = dict(connection.execute("SELECT 'room:' || room, max(n) FROM messages GROUP BY room").fetchall())
        counted = dict(connection.execute("SELECT topic, n FROM topics WHERE n > 0").fetchall())
    found = [] if heads == tops else [f"heads are {heads}, the log ends at {tops}"]
    found += [f"{strays} messages are not in the log"] if strays else []
    return found + ([] if numbers == counted else [f"messages end at {numbers}, topics at {counted}"])


async def backed_up(room: Crowd, file: Path) -> tuple[float, float]:
    """Run `hubbub backup` in its own process; return when it started and ended."""
    command = ["-m", "hubbub", "backup", str(file), "--quiet", "--data", str(room.server.data)]
    start = time.monotonic()
    process = await asyncio.create_subprocess_exec(sys.executable, *command, env=room.server.environment)
    assert await process.wait() == 0
    return start, time.monotonic()


async def test_a_backup_under_load_holds_everything_acknowledged_before_it_and_keeps_sends_fast(
    make_server: MakeServer, tmp_path: Path
) -> None:
    server = make_server()
    await asyncio.to_thread(server.command_line, "migrate")
    await asyncio.to_thread(server.command_line, "user", "create", "old", "--password-stdin", stdin="long enough\n")
    old = depth.rounds("messages", short=10_000, long=1_000_000)
    fill(server.database, old)
    await asyncio.to_thread(server.start)
    async with crowd(server, followers=2) as room:
        room.start_writing()
        for attempt in itertools.count(1):
            begin, quiet = time.monotonic(), len(room.history.acked) + 200
            await eventually(lambda: len(room.history.acked) > quiet, 30, "messages flow")  # noqa: B023
            file = tmp_path / f"{attempt}.zip"
            start, end = await backed_up(room, file)
            before, during = p99(room.history, begin, start), p99(room.history, start, end)
            if during <= TIMES_SLOWER * before + ROOM_TO_BREATHE:
                break
            assert attempt < ATTEMPTS, f"p99 {before * 1000:.0f} ms before, {during * 1000:.0f} ms during a backup"
        acknowledged = len(room.history.acked)
        await eventually(lambda: len(room.history.acked) > acknowledged, 30, "messages flow after the backup")
        await room.stop_writing()
        await room.caught_up()
        assert not room.verdict() + room.convergence()

    copy = tmp_path / "copy" / "hubbub.db"
    put_back(file, f"sqlite:///{copy}", tmp_path / "copy")
    stored = Stored.read(f"sqlite:///{copy}")
    earlier = History([send for send in room.history.sends if send.acked_at and send.acked_at <= start])
    assert len(earlier.sends) > 200
    assert len(stored.messages) >= old + len(earlier.sends)
    assert not lost(earlier, stored) + gaps(earlier, stored) + duplicated(room.history, stored) + unlike(copy)
    # Control: the same check misses messages sent after the backup.
    assert any("I1 lost" in sentence for sentence in lost(room.history, stored))
