"""A database of revision 0004 gets checks, participants and `deleted_at`, whatever it contains."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hubbub.domain.errors import Unavailable
from hubbub.domain.model import LOBBY
from hubbub.storage import accounts, invites, migrate, rooms, sessions
from hubbub.storage.database import Database
from tests.backup.content import back_up, put_back
from tests.support import depth, disk
from tests.support.postgres import Postgres

NOW = 1_790_000_000_000
DAY = 86_400_000
ALICE, BOB, GONE, ROOM, PAIR, THREE = 1_000, 2_000, 3_000, 4_000, 5_000, 6_000
GOOD = f"""
INSERT INTO meta VALUES ('epoch', 'long ago');
INSERT INTO users VALUES ({ALICE}, 'alice', 'alice', 'owner', 'hash', FALSE, {NOW}),
    ({BOB}, 'bob', 'bob', 'member', 'hash', TRUE, {NOW}),
    ({GONE}, 'deleted-{GONE}', '#{GONE}', 'member', NULL, TRUE, {NOW}),
    (3001, 'guest', '#3001', 'guest', NULL, TRUE, {NOW});
INSERT INTO rooms (id, kind, name, skeleton, created_by, created_at, members, people) VALUES
    ({LOBBY}, 'public', 'Lobby', 'lobby', NULL, {NOW}, 2, NULL),
    ({ROOM}, 'private', 'Room', NULL, {ALICE}, {NOW}, 1, NULL),
    ({PAIR}, 'direct', '', NULL, {ALICE}, {NOW}, 1, '{ALICE},{GONE}'),
    ({THREE}, 'direct', '', NULL, {BOB}, {NOW}, 3, '{ALICE},{BOB},999');
INSERT INTO topics (topic, head, floor, n) VALUES ('site', 0, 0, 0), ('security', 0, 0, 0), ('room:{LOBBY}', 2, 0, 0),
    ('room:{ROOM}', 2, 0, 0), ('room:{PAIR}', 2, 0, 0), ('room:{THREE}', 2, 0, 0), ('user:{ALICE}', 0, 0, 0),
    ('user:{BOB}', 0, 0, 0);
INSERT INTO members (room, "user", role, joined_seq, joined_at, read_seq, read_n) VALUES
    ({LOBBY}, {ALICE}, 'member', 1, {NOW}, 0, 0), ({LOBBY}, {BOB}, 'member', 2, {NOW}, 1, 0),
    ({ROOM}, {ALICE}, 'owner', 1, {NOW}, 0, 0), ({PAIR}, {ALICE}, 'member', 1, {NOW}, 0, 0),
    ({THREE}, {ALICE}, 'member', 1, {NOW}, 0, 0), ({THREE}, {BOB}, 'member', 2, {NOW}, 0, 0);
INSERT INTO identities VALUES ('issuer', 'subject', {BOB}, 'bob', 3);
INSERT INTO sessions VALUES ('s1', {ALICE}, TRUE, '{"a" * 64}', 0, {NOW}, '', {NOW}, {NOW}, {NOW}),
    ('s2', {ALICE}, FALSE, NULL, 2, {NOW}, '', {NOW}, {NOW}, {NOW});
INSERT INTO pins VALUES ({ROOM}, 3, 5, {ALICE}, {NOW});
INSERT INTO reactions VALUES ({ROOM}, 3, '👍', {ALICE}, 6, 6), ({ROOM}, 3, '👍', {BOB}, 7, 6);
INSERT INTO mentions VALUES (0, {ROOM}, 3, {ALICE}), ({BOB}, {ROOM}, 4, {ALICE});
INSERT INTO bans VALUES ({ROOM}, {BOB}, {ALICE}, {NOW}, 'reason');
INSERT INTO statuses VALUES ({ALICE}, 'dnd', 'Busy', NULL, NULL);
INSERT INTO answers VALUES ({ALICE}, 'room.create', 'k', 'hash', '{{}}');
INSERT INTO invites (id, token_hash, uses, max_uses, created_by, created_at, room) VALUES
    ('i1', 'h1', 0, 1, {ALICE}, {NOW}, {ROOM}), ('i2', 'h2', 1, 1, 0, {NOW}, NULL);
INSERT INTO links VALUES ('l1', 'reset', {ALICE}, {NOW}, NULL), ('l2', 'setup', NULL, {NOW}, NULL)
"""
BAD = f"""
INSERT INTO users VALUES (9001, 'x', 'x', 'emperor', NULL, FALSE, {NOW});
INSERT INTO identities VALUES ('issuer', 'negative', NULL, '', -5);
INSERT INTO sessions VALUES ('bad1', {ALICE}, TRUE, NULL, 0, {NOW}, '', {NOW}, {NOW}, {NOW}),
    ('bad2', {ALICE}, FALSE, NULL, -1, {NOW}, '', {NOW}, {NOW}, {NOW});
INSERT INTO rooms (id, kind, name, skeleton, created_at, members, history, people) VALUES
    (9001, 'secret', 'A', NULL, {NOW}, 0, 'some', NULL), (9002, 'public', 'B', NULL, {NOW}, 0, 'all', NULL),
    (9003, 'private', 'C', 'c', {NOW}, -3, 'all', NULL), (9004, 'direct', '', NULL, {NOW}, 0, 'all', NULL),
    (9005, 'direct', '', NULL, {NOW}, 0, 'all', '7,x'), (9006, 'direct', '', 'd', {NOW}, 0, 'all', '{ALICE}');
INSERT INTO members (room, "user", role, joined_seq, joined_at, read_seq, read_n) VALUES
    (9003, {ALICE}, 'emperor', 0, {NOW}, -1, -2);
INSERT INTO pins VALUES ({ROOM}, 0, 5, {ALICE}, {NOW}), ({ROOM}, 9, 5, {ALICE}, {NOW});
INSERT INTO reactions VALUES ({ROOM}, 0, '👍', {ALICE}, 6, 6), ({ROOM}, 8, '👍', {ALICE}, 9, 10);
INSERT INTO mentions VALUES (-1, {ROOM}, 3, {ALICE}), ({BOB}, {ROOM}, 0, {ALICE});
INSERT INTO statuses VALUES ({BOB}, 'sleeping', '', NULL, NULL);
INSERT INTO invites (id, token_hash, uses, max_uses, created_by, created_at, room) VALUES
    ('b1', 'b1', 5, 1, {ALICE}, 77, NULL), ('b2', 'b2', -1, 1, {ALICE}, {NOW}, NULL),
    ('b3', 'b3', 0, 0, {ALICE}, {NOW}, NULL), ('b4', 'b4', 0, 1, {ALICE}, {NOW}, 12345);
INSERT INTO links VALUES ('b1', 'login', NULL, {NOW}, NULL), ('b2', 'reset', NULL, {NOW}, NULL),
    ('b3', 'setup', {ALICE}, {NOW}, NULL), ('b4', 'reset', 12345, {NOW}, NULL)
"""
UNCHANGED = ("meta", "topics", "log", "messages", "edits", "bans", "pins", "reactions", "mentions", "statuses", "links")


BASE = "0005"
"""The revision before the review."""
Prepare = Callable[[], str]


@pytest.fixture(params=["sqlite", "postgresql"])
def prepare(request: pytest.FixtureRequest, tmp_path: Path) -> Prepare:
    """Return a factory of databases of revision BASE with valid rows."""
    numbers = count(1)

    def prepared() -> str:
        if request.param == "postgresql":
            server: Postgres = request.getfixturevalue("postgres_server")
            address = server.empty()
        else:
            address = f"sqlite:///{tmp_path / f'hubbub{next(numbers)}.db'}"
        with closing(Database(address)) as database, database.migrating() as connection:
            migrate.run_steps(connection, BASE)
            run(connection, GOOD)
            connection.commit()
        return address

    return prepared


@pytest.fixture
def earlier(prepare: Prepare) -> Iterator[Database]:
    with closing(Database(prepare())) as database:
        yield database


def run(connection: Any, statements: str) -> None:
    for statement in statements.split(";\n"):
        connection.exec_driver_sql(statement)


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    def ask(connection: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in connection.execute(text(query))]

    return database.read(ask)


def everything(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    return {name: sorted(rows(database, f"SELECT * FROM {name}"), key=repr) for name in UNCHANGED}


def test_valid_rows_stay_and_codes_in_texts_become_columns_and_rows(earlier: Database) -> None:
    before = everything(earlier)
    migrate.upgrade(earlier, epoch="another", now=NOW)
    assert everything(earlier) == before
    people = rows(earlier, "SELECT id, skeleton, role, deleted_at IS NOT NULL FROM users ORDER BY id")
    assert [(*row[:3], bool(row[3])) for row in people] == [
        (ALICE, "alice", "owner", False), (BOB, "bob", "member", False), (GONE, None, "member", True),
        (3_001, None, "guest", True),
    ]  # fmt: skip
    gone = earlier.read(accounts.find, GONE)
    assert gone is not None
    assert gone.is_deleted
    assert earlier.read(accounts.guests, 2**52) == []
    for members_, room in (([ALICE, GONE], PAIR), ([ALICE, BOB, 999], THREE)):
        assert earlier.read(rooms_direct, rooms.direct_key(members_)) == room, "the next attempt finds the room"
    assert rows(earlier, "SELECT * FROM participants ORDER BY 1, 2") == [
        (PAIR, ALICE), (PAIR, GONE), (THREE, ALICE), (THREE, BOB)
    ]  # fmt: skip
    (pair,) = [room for room in earlier.read(rooms.joined, ALICE) if room.id == PAIR]
    assert pair.members is not None
    assert [person.name for person in pair.members] == ["alice", f"deleted-{GONE}"]
    for reference in ("s2", "a" * 64):
        found = earlier.read(sessions.find_by_reference, reference)
        assert found is not None
        assert found.user == ALICE
    assert rows(earlier, "SELECT id, used_at FROM invites ORDER BY id") == [("i1", None), ("i2", NOW)]
    assert rows(earlier, "SELECT created_at > 0 FROM answers") == [(True,)]
    assert len(rows(earlier, "SELECT * FROM members")) == 6
    assert len(rows(earlier, "SELECT * FROM identities")) == 1


def rooms_direct(connection: Any, key: str) -> int | None:
    return rooms.direct(connection, key)


def test_rows_that_break_a_check_are_mended_or_deleted(earlier: Database) -> None:
    with earlier.migrating() as connection:
        if earlier.is_sqlite:  # it doesn't check the type
            run(connection, f"INSERT INTO users VALUES (9002, 'y', 'y', 'member', NULL, 'perhaps', {NOW})")
        run(connection, BAD)
        connection.commit()
    migrate.upgrade(earlier, epoch="another", now=NOW)
    assert rows(earlier, "SELECT role FROM users WHERE id = 9001") == [("member",)]
    assert rows(earlier, "SELECT revoked FROM identities ORDER BY revoked") == [(0,), (3,)]
    assert rows(earlier, "SELECT id FROM sessions ORDER BY id") == [("s1",), ("s2",)]
    found = rows(earlier, "SELECT id, kind, skeleton, members, history FROM rooms WHERE id > 9000 ORDER BY id")
    assert found == [
        (9001, "private", None, 0, "joined"), (9002, "private", None, 0, "all"), (9003, "private", None, 1, "all"),
        (9004, "private", None, 0, "all"), (9005, "private", None, 0, "all"), (9006, "direct", None, 0, "all"),
    ]  # fmt: skip
    assert rows(earlier, "SELECT role, joined_seq, read_seq, read_n FROM members WHERE room = 9003") == [
        ("member", 1, 0, 0)
    ]
    for name, left in (("pins", 1), ("reactions", 2), ("mentions", 2), ("statuses", 1), ("links", 2)):
        assert len(rows(earlier, f"SELECT * FROM {name}")) == left, name
    assert rows(earlier, "SELECT id, uses, used_at FROM invites WHERE id LIKE 'b%' ORDER BY id") == [
        ("b1", 1, 77), ("b2", 0, None)
    ]  # fmt: skip
    if earlier.is_sqlite:
        assert rows(earlier, "SELECT disabled FROM users WHERE id = 9002") == [(1,)]
    assert earlier.read(lambda c: invites.grant(c, "b2", NOW)) is not None


def test_a_backup_of_this_revision_is_restored(
    earlier: Database, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The other way round: from SQLite into PostgreSQL, and from PostgreSQL into SQLite."""
    manifest = back_up(earlier, tmp_path / "data", tmp_path / "old.zip")
    assert manifest.revision == BASE
    before = everything(earlier)
    address = f"sqlite:///{tmp_path / 'restored' / 'hubbub.db'}"
    if earlier.is_sqlite:
        address = request.getfixturevalue("postgres_server").empty()
    put_back(tmp_path / "old.zip", address, tmp_path / "other")
    with closing(Database(address)) as database:
        assert database.read(migrate.current) == migrate.HEAD
        after = everything(database)
        assert {name: after[name] for name in UNCHANGED if name != "meta"} == {
            name: before[name] for name in UNCHANGED if name != "meta"
        }
        assert len(rows(database, "SELECT * FROM participants")) == 4
        assert len(rows(database, "SELECT * FROM members")) == 6


KILLED = """
import os, signal, sys
from sqlalchemy import event
from hubbub.storage import migrate
from hubbub.storage.database import Database

database, left = Database(sys.argv[1]), int(sys.argv[2])

def count(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

with database.migrating() as connection:
    event.listen(connection, "before_cursor_execute", count)
    event.listen(connection, "commit", lambda _: count())
    migrate.run_scripts(connection)
    print(int(sys.argv[2]) - left)
"""


def migrated_until(address: str, statement: int) -> subprocess.CompletedProcess[str]:
    """Migrate in a process that kills itself before that statement, or before COMMIT."""
    return subprocess.run(
        [sys.executable, "-c", KILLED, address, str(statement)],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip


def test_a_migration_that_is_killed_changes_nothing_and_can_be_repeated(prepare: Prepare) -> None:
    """`kill -9` before a statement or before COMMIT; before each of them in `make prove`."""

    def content(database: Database) -> dict[str, list[tuple[Any, ...]]]:
        return everything(database) | {"users": rows(database, "SELECT * FROM users ORDER BY id")}

    done = migrated_until(prepare(), -1)
    assert done.returncode == 0, done.stderr
    last = int(done.stdout)
    kills = depth.rounds("killed migrations", short=5, long=last)
    address = prepare()
    with closing(Database(address)) as database:
        before = content(database)
        for step in sorted({1 + number * (last - 1) // (kills - 1) for number in range(kills)}):
            done = migrated_until(address, step)
            assert done.returncode == -signal.SIGKILL, f"{step} of {last}: {done.stderr}"
            assert rows(database, "SELECT version_num FROM alembic_version") == [(BASE,)]
            assert content(database) == before
        migrate.upgrade(database, epoch="another", now=NOW)
        assert everything(database) == {name: before[name] for name in UNCHANGED}


def test_a_migration_on_a_full_disk_changes_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    with (
        disk.small_disk(tmp_path / "disk", "6m") as small,
        closing(Database(f"sqlite:///{small / 'h.db'}")) as database,
    ):
        with database.migrating() as connection:
            migrate.run_steps(connection, BASE)
            run(connection, GOOD)
            many = [(50_000 + n, f"user{n}", f"user{n}", "x" * 200, NOW) for n in range(4_000)]
            connection.exec_driver_sql("INSERT INTO users VALUES (?, ?, ?, 'member', ?, FALSE, ?)", many)
            connection.commit()
        filler = disk.fill(small, 1_200_000)
        before = everything(database)
        with pytest.raises(Unavailable), database.migrating() as connection:
            migrate.run_scripts(connection)
        assert rows(database, "SELECT version_num FROM alembic_version") == [(BASE,)]
        assert everything(database) == before
        filler.unlink()
        with database.migrating() as connection:
            migrate.run_scripts(connection)
        assert everything(database) == before
        assert rows(database, "SELECT count(*) FROM users WHERE skeleton IS NOT NULL") == [(4_002,)]
