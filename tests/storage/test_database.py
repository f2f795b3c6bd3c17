"""The store itself: durability settings, checkpoints, and errors that say whether to try again."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from hubbub.domain.errors import Unavailable
from hubbub.storage import migrate
from hubbub.storage.database import CHECKPOINT_PAGES, PAGE, Database, Refused, translated


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


def test_the_write_ahead_log_is_moved_before_it_grows_without_end(store: Database) -> None:
    most = 0
    with store.writer.connect() as connection:
        for n in range(40):
            with connection.begin():
                connection.execute(
                    text("INSERT INTO meta VALUES (:key, :value)"), {"key": str(n), "value": "x" * 2_000_000}
                )
            most = max(most, store.wal_bytes())
            store.checkpoint(connection)
    assert CHECKPOINT_PAGES * PAGE < most < 3 * CHECKPOINT_PAGES * PAGE
    assert store.wal_bytes() < CHECKPOINT_PAGES * PAGE + 3_000_000


def test_what_the_log_holds_is_what_sqlite_says(store: Database, tmp_path: Path) -> None:
    with store.writer.connect() as connection, connection.begin():
        connection.execute(text("INSERT INTO meta VALUES ('a', :value)"), {"value": "x" * 100_000})
    used = store.wal_bytes() // PAGE
    with closing(sqlite3.connect(tmp_path / "hubbub.db")) as other:
        _busy, in_log, _moved = other.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    assert used == in_log
    assert used > 20


def test_a_broken_constraint_is_told_from_a_store_that_does_not_answer(store: Database, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused, translated(), store.writer.connect() as connection, connection.begin():
        connection.execute(text("INSERT INTO meta VALUES ('epoch', 'again')"))
    assert refused.value.by_constraint
    with closing(sqlite3.connect(tmp_path / "hubbub.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable), translated(), store.writer.connect() as connection, connection.begin():
            connection.execute(text("INSERT INTO meta VALUES ('b', 'c')"))
