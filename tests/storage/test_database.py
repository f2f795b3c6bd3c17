"""SQLite: durability settings, checkpoints, and errors that say whether to retry."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from hubbub.domain.errors import Unavailable
from hubbub.storage import database, migrate
from hubbub.storage.database import (
    CHECKPOINT_PAGES,
    CUT_BYTES,
    ERASURE_INTERVAL,
    ERASURE_RETRY,
    Database,
    WriterConnection,
)
from hubbub.storage.db_errors import StatementRejected, translate_errors


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'hubbub.db'}")
    migrate.upgrade(made, epoch="first", now=1_790_000_000_000)
    yield made
    made.close()


def test_commits_are_durable_and_deleted_text_is_erased(store: Database) -> None:
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
    """Rewrite the same large rows: the log grows, the database does not."""
    writer = WriterConnection(store)
    for n in range(rounds):
        with writer.get().begin():
            values = {"key": str(n % 4), "value": chr(97 + n % 26) * megabytes * 1_000_000}
            writer.get().execute(text("INSERT OR REPLACE INTO meta VALUES (:key, :value)"), values)
        writer.checkpoint()
    writer.get().close()  # back to the pool: when the last connection ends, SQLite deletes the log


def test_the_write_ahead_log_is_checkpointed_before_it_grows_too_large(store: Database) -> None:
    grow(store, 40, 2)
    assert CHECKPOINT_PAGES * 4_096 < store.wal_bytes() < 2 * CHECKPOINT_PAGES * 4_096


def test_a_log_that_grew_during_a_read_is_truncated_after_it(store: Database) -> None:
    with store.reader.connect() as reader, reader.begin():
        reader.execute(text("SELECT * FROM meta")).all()
        grow(store, 16, 5)
        assert store.wal_bytes() > CUT_BYTES, "the reader must hold the log"
    grow(store, 1, 5)
    assert store.wal_bytes() == 0


def test_the_log_is_truncated_after_text_was_erased_but_not_after_each_command(
    store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(database, "monotonic", lambda: now)
    writer = WriterConnection(store)

    def commit() -> int:
        with writer.get().begin():
            writer.get().execute(text("INSERT OR REPLACE INTO meta VALUES ('a', 'b')"))
        writer.checkpoint()
        return store.wal_bytes()

    assert writer.erasure_due() == 0.0
    assert commit() == 0, "the last process may have left text"
    assert (commit() > 0, writer.erasure_due()) == (True, None)
    now += ERASURE_INTERVAL / 2
    writer.note_erasure()
    assert (commit() > 0, writer.erasure_due()) == (True, ERASURE_INTERVAL / 2)
    now += ERASURE_INTERVAL / 2
    with store.reader.connect() as reader, reader.begin():
        reader.execute(text("SELECT * FROM meta")).all()
        assert (commit() > 0, writer.erasure_due()) == (True, ERASURE_RETRY), "the reader needs the log"
    now += ERASURE_RETRY
    writer.checkpoint()
    assert (store.wal_bytes(), writer.erasure_due()) == (0, None)
    now += ERASURE_INTERVAL * 2
    writer.note_erasure()
    assert commit() == 0, "at once if the last time was long ago"
    writer.hang_up()


def test_a_failed_truncation_is_logged_and_tried_again_later(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = WriterConnection(store)
    with monkeypatch.context() as broken, capture_logs() as logs:
        broken.setattr(Database, "truncate_wal", lambda self, connection: 1 / 0)
        writer.checkpoint()
    assert [entry["event"] for entry in logs] == ["checkpoint_failed"]
    due = writer.erasure_due()
    assert due is not None
    assert ERASURE_RETRY < due <= ERASURE_INTERVAL
    writer.hang_up()


def test_a_violated_constraint_is_distinguished_from_an_unavailable_database(store: Database, tmp_path: Path) -> None:
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
