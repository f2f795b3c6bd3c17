"""The store itself: durability settings, checkpoints, and errors that say whether to try again."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from hubbub.domain.errors import Unavailable
from hubbub.storage import migrate
from hubbub.storage.database import CHECKPOINT_PAGES, CUT_BYTES, Database
from hubbub.storage.db_errors import StatementRejected, translate_errors


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'hubbub.db'}")
    migrate.upgrade(database, epoch="first", now=1_790_000_000_000)
    yield database
    database.close()


def test_a_commit_waits_for_the_disk_and_deleted_text_leaves_it(store: Database) -> None:
    with store.writer.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "secure_delete", "foreign_keys", "trusted_schema")
        }
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "foreign_keys": 1,
        "trusted_schema": 0,
    }


def test_readers_cannot_write(store: Database) -> None:
    with pytest.raises(Unavailable):
        store.read(lambda connection: connection.execute(text("DELETE FROM meta")))


def grow(store: Database, rounds: int, megabytes: int) -> None:
    """Rewrites the same large rows: the log grows, the database does not."""
    with store.writer.connect() as connection:
        for n in range(rounds):
            with connection.begin():
                values = {"key": str(n % 4), "value": chr(97 + n % 26) * megabytes * 1_000_000}
                connection.execute(text("INSERT OR REPLACE INTO meta VALUES (:key, :value)"), values)
            store.checkpoint(connection)


def test_the_write_ahead_log_is_moved_before_it_grows_without_end(store: Database) -> None:
    grow(store, 40, 2)
    assert CHECKPOINT_PAGES * 4_096 < store.wal_bytes() < 2 * CHECKPOINT_PAGES * 4_096


def test_a_log_that_a_reader_has_let_grow_is_cut_when_he_is_done(store: Database) -> None:
    with store.reader.connect() as reader, reader.begin():
        reader.execute(text("SELECT * FROM meta")).all()
        grow(store, 16, 5)
        assert store.wal_bytes() > CUT_BYTES, "the reader was meant to hold it"
    grow(store, 1, 5)
    assert store.wal_bytes() == 0


def test_a_broken_constraint_is_told_from_a_store_that_does_not_answer(store: Database, tmp_path: Path) -> None:
    with (
        pytest.raises(StatementRejected) as refused,
        translate_errors(),
        store.writer.connect() as connection,
        connection.begin(),
    ):
        connection.execute(text("INSERT INTO meta VALUES ('epoch', 'again')"))
    assert refused.value.by_constraint
    with closing(sqlite3.connect(tmp_path / "hubbub.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable), translate_errors(), store.writer.connect() as connection, connection.begin():
            connection.execute(text("INSERT INTO meta VALUES ('b', 'c')"))
