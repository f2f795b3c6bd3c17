"""What keeps distributed databases possible: Citus, CockroachDB, YugabyteDB.

Rows are spread over machines by the id of a room, a topic or a user. So that a transaction and a
unique constraint concern one machine, that id is part of every key. Sequences, triggers and stored
procedures would be bottlenecks, or are missing there.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import BigInteger, Column, Dialect, Index, MetaData, Table, Text, UniqueConstraint, text
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateTable

from hubbub import storage
from hubbub.storage import migrate
from hubbub.storage.database import Database, Statement
from hubbub.storage.schema import metadata
from tests.support.postgres import Postgres

BY = {
    "topics": "topic", "log": "topic",
    "rooms": "id", "members": "room", "participants": "room", "messages": "room", "edits": "room", "pins": "room",
    "reactions": "room", "mentions": "room", "bans": "room",
    "follower_positions": "topic", "dead_letters": "topic", "webhook_attempts": "webhook",
    "users": "id", "sessions": "user", "statuses": "user", "answers": "author",
}  # fmt: skip
"""The column by which the rows of a table are spread."""
EVERYWHERE = {
    "meta": "a few rows about the whole site",
    "identities": "looked up by the host application's name before the user is known; one row per user",
    "host_rooms": "looked up by the host application's key before the room is known; one row per room",
    "invites": "looked up by its token before the room is known; few, and they end",
    "followers": "a few rows about the whole site",
    "webhooks": "at most a thousand rows, some of the whole site",
    "search_state": "one row",
    "site_settings": "a few rows about the whole site",
    "search_recent": "at most some thousand rows, which become blocks",
    "search_blocks": "the index is of the whole site; one transaction at a time changes it, in the background",
    "search_chunks": "as search_blocks",
    "links": "looked up by its token before the user is known; few, and they end",
}
"""Small tables that each machine has as a whole, and why they can't be spread."""
EXCEPTIONS = {
    "users (skeleton)": "names are unique on the whole site; only sign-ups write it",
    "rooms (skeleton)": "names of public rooms are unique on the whole site; only their creation writes it",
    "rooms (direct_key)": "one direct room for the same users; only its creation writes it",
    "sessions (id)": "looked up by the credential before the user is known; only log-ins write it",
    "sessions (token_hash)": "looked up by the credential before the user is known; only log-ins write it",
}
"""Unique keys without the table's column, and why. With Citus `users`, `rooms` and `sessions` are
reference tables, which every machine has as a whole; CockroachDB and YugabyteDB have global keys."""
FORBIDDEN = re.compile(
    r"\b(NEXTVAL|CURRVAL|SETVAL|BIGSERIAL|SERIAL|IDENTITY|SKIP LOCKED|NOWAIT|LOCK TABLE|LISTEN|NOTIFY"
    r"|PG_ADVISORY\w*|PG_TRY\w*|FOR SHARE|FOR KEY SHARE|FOR NO KEY UPDATE|CREATE TRIGGER|CREATE FUNCTION)\b",
    re.IGNORECASE,
)
BY_ID = {
    "history.ROWS_OF": "results of a search, which is about all rooms of a user",
    "followers.WITH_RETRIES": "a page of followers, in the background",
    "search_index.TEXTS_OF": "messages that the index is built of, in the background",
    "search_index.TEXTS_BELOW": "messages that the index is built of, in the background",
}
"""Prepared statements that find rows of spread tables by their id, and why."""
LOCKS = {
    "followers.LOCK": "rows of followers, in the background; sends do not take it",
}
"""Prepared statements other than `transaction.LOCK` that lock rows, and why."""
ADVISORY = {
    "database.py": "orders migrations, before the server starts",
    "host_outbox.py": "in the host application's database, held by the connection that takes posts over; tried only",
    "ids.py": "the number of a node, tried once for each connection of its writer; nothing waits for it",
    "postgresql_lock.py": "held by one session for the whole life of the server; no transaction waits for it",
}
"""The files that may take advisory locks."""

SQLITE, POSTGRESQL = [make_url(f"{name}://").get_dialect()() for name in ("sqlite", "postgresql+psycopg")]


def keys(table: Table) -> Iterator[tuple[str, set[str]]]:
    """Yield the primary key and all unique constraints and indexes, by a name for people."""
    found = [table.primary_key.columns.keys()]
    found += [each.columns.keys() for each in table.constraints if isinstance(each, UniqueConstraint)]
    found += [each.columns.keys() for each in table.indexes if each.unique]
    for columns in found:
        yield f"{table.name} ({', '.join(columns)})", set(columns)


def statements() -> Iterator[tuple[str, Statement]]:
    """Yield the prepared statements of all modules, which are those of the hot path."""
    for found in pkgutil.iter_modules(storage.__path__):
        if found.name != "migrations":
            module = importlib.import_module(f"hubbub.storage.{found.name}")
            for name, value in vars(module).items():
                if isinstance(value, Statement):
                    yield f"{found.name}.{name}", value


def test_every_table_says_how_it_is_spread() -> None:
    assert metadata.tables.keys() == BY.keys() | EVERYWHERE.keys(), "classify the new table here"
    assert not BY.keys() & EVERYWHERE.keys()
    assert all(column in metadata.tables[name].columns for name, column in BY.items())


def test_every_unique_key_contains_the_column_by_which_its_table_is_spread() -> None:
    without = {
        name for table, column in BY.items() for name, columns in keys(metadata.tables[table]) if column not in columns
    }
    assert without == EXCEPTIONS.keys(), "add the room or the user to the key, or say here why not"


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL], ids=["sqlite", "postgresql"])
def test_ids_are_made_by_the_application(dialect: Dialect) -> None:
    for table in metadata.sorted_tables:
        assert not FORBIDDEN.search(str(CreateTable(table).compile(dialect=dialect)))
        assert all(column.server_default is None or column.name != "id" for column in table.columns)
        assert all(column.identity is None and column.computed is None for column in table.columns)


def test_a_migrated_database_has_no_sequences_triggers_and_procedures(
    postgres_server: Postgres, tmp_path: Path
) -> None:
    counts = [
        "SELECT count(*) FROM pg_class WHERE relkind = 'S'",
        "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal",
        "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    ]
    with closing(Database(postgres_server.empty())) as database:
        with database.migrating() as connection:
            migrate.run_scripts(connection)
        assert database.read(lambda c: [c.scalar(text(each)) for each in counts]) == [0, 0, 0]
    with closing(Database(f"sqlite:///{tmp_path / 'hubbub.db'}")) as database:
        migrate.upgrade(database, epoch="first", now=0)
        others = "SELECT name FROM sqlite_master WHERE type NOT IN ('table', 'index') OR name = 'sqlite_sequence'"
        assert database.read(lambda c: c.execute(text(others)).all()) == []


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL], ids=["sqlite", "postgresql"])
def test_prepared_statements_use_nothing_that_needs_one_machine(dialect: Dialect) -> None:
    found = dict(statements())
    assert len(found) > 30
    for name, statement in found.items():
        sql = statement.compiled(dialect)[0]
        assert not FORBIDDEN.search(sql), f"{name}: {sql}"
        tables = set(re.findall(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+\"?(\w+)", sql)) & BY.keys()
        inserted = re.findall(r"\w+", sql.partition(")")[0]) if sql.startswith("INSERT") else []
        compared = re.findall(r"(\w+)\"? (?:=|IN|>|<|>=|<=) ", sql)
        compared += re.findall(r"\w+", " ".join(re.findall(r"\(([^()]+)\) IN ", sql)))
        spread = {BY[table] for table in tables}
        if name not in BY_ID:
            assert not tables or spread & {*inserted, *compared}, f"{name} names no room, topic or user: {sql}"


def test_rows_are_locked_by_their_full_key_alone() -> None:
    locking = {
        name: statement.compiled(POSTGRESQL)[0]
        for name, statement in statements()
        if "FOR UPDATE" in statement.compiled(POSTGRESQL)[0]
    }
    assert locking.keys() == {"transaction.LOCK", *LOCKS}, "only the topics of a batch are locked, in one statement"
    sql = " ".join(locking["transaction.LOCK"].split())
    assert re.search(r"FROM topics WHERE topics\.topic IN \(SELECT .*\) ORDER BY topics\.topic FOR UPDATE$", sql)


def test_only_migrations_and_locks_that_nothing_waits_for_are_advisory() -> None:
    folder = Path(storage.__path__[0]).parent
    found = {path.name for path in folder.rglob("*.py") if "advisory" in path.read_text()}
    assert found == ADVISORY.keys()
    others = re.compile(r"with_for_update\(.+\)|skip_locked|nowait|\bSequence\(|\bIdentity\(|nextval", re.IGNORECASE)
    wrong = {str(path) for path in (folder / "storage").rglob("*.py") if others.search(path.read_text())}
    assert wrong == set()


def test_a_key_without_its_room_and_a_sequence_are_noticed() -> None:
    """The negative control."""
    made = Table(
        "made", MetaData(), Column("id", BigInteger, primary_key=True), Column("room", BigInteger),
        Column("name", Text, unique=True), Index("made_both", "room", "name", unique=True),
    )  # fmt: skip
    assert [name for name, columns in keys(made) if "room" not in columns] == ["made (id)", "made (name)"]
    assert FORBIDDEN.search(str(CreateTable(made).compile(dialect=POSTGRESQL)))
    assert FORBIDDEN.search("SELECT topic FROM topics FOR UPDATE SKIP LOCKED")
