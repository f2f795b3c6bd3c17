"""Migrations: complete, repeatable, with a backup, never on newer databases."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from hubbub.storage import log, migrate
from hubbub.storage.database import Database
from hubbub.storage.schema import metadata

NOW = 1_790_000_000_000


def database(folder: Path) -> Database:
    return Database(f"sqlite:///{folder / 'hubbub.db'}")


def test_the_scripts_create_the_schema_of_the_code(tmp_path: Path) -> None:
    store = database(tmp_path)
    with store.writer.connect() as connection:
        migrate.run_scripts(connection)
    with store.reader.connect() as connection:
        assert migrate.current(connection) == migrate.HEAD
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    store.close()


def test_a_new_database_equals_the_result_of_the_scripts(tmp_path: Path) -> None:
    def statements(store: Database) -> dict[str, str]:
        query = text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return store.read(lambda connection: {row.name: " ".join(row.sql.split()) for row in connection.execute(query)})

    (tmp_path / "scripts").mkdir()
    scripted, fresh = database(tmp_path / "scripts"), database(tmp_path)
    with scripted.writer.connect() as connection:
        migrate.run_scripts(connection)
    assert migrate.upgrade(fresh, epoch="first", now=NOW) == (None, migrate.HEAD, None)
    made, expected = statements(fresh), statements(scripted)
    assert made.keys() == expected.keys()
    for store in (scripted, fresh):
        store.close()


def test_the_newest_script_is_the_revision_that_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


def test_migrating_again_changes_nothing_and_keeps_the_epoch(tmp_path: Path) -> None:
    store = database(tmp_path)
    migrate.upgrade(store, epoch="first", now=NOW)
    assert migrate.upgrade(store, epoch="second", now=NOW) == (migrate.HEAD, migrate.HEAD, None)
    assert store.read(log.epoch) == "first"
    store.close()


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    store = database(tmp_path)
    migrate.upgrade(store, epoch="first", now=NOW)
    with closing(sqlite3.connect(tmp_path / "hubbub.db")) as other:
        other.execute("UPDATE alembic_version SET version_num = '9999'")
        other.commit()
    with pytest.raises(migrate.TooNew):
        migrate.upgrade(store, epoch="first", now=NOW)
    store.close()


def test_an_older_database_is_backed_up_before_it_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = database(tmp_path)
    migrate.upgrade(store, epoch="first", now=NOW)
    # This stands for a future migration: nothing runs, but the database is behind.
    monkeypatch.setattr(migrate, "HEAD", f"{int(migrate.HEAD) + 1:04}")
    _, _, backup = migrate.upgrade(store, epoch="first", now=NOW)
    assert backup is not None
    assert backup.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(backup)) as copy:
        assert copy.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchall() == [("first",)]
    store.close()
