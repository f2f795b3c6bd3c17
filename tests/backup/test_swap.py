"""Replacing a database file: files beside it must be neither applied nor lost."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hubbub.storage.backup_format import BackupError
from hubbub.storage.restore import swap


def made(path: Path, said: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE said (what TEXT)")
        connection.execute("INSERT INTO said VALUES (?)", [said])
        connection.commit()
    return path


def say(connection: sqlite3.Connection, what: str) -> None:
    connection.execute("INSERT INTO said VALUES (?)", [what])
    connection.commit()


def said(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [what for (what,) in connection.execute("SELECT what FROM said")]


def killed(folder: Path) -> Path:
    """Return a database as a killed process leaves it.

    Its last writes are only in the write-ahead log.
    """
    alive, dead = folder / "alive.db", folder / "hubbub.db"
    made(alive, "old")
    with closing(sqlite3.connect(alive)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        say(connection, "old, in the log")
        for suffix in ("", "-wal", "-shm"):
            dead.with_name(dead.name + suffix).write_bytes(alive.with_name(alive.name + suffix).read_bytes())
    return dead


@pytest.mark.parametrize("file_is_lost", [False, True])
def test_the_write_ahead_log_of_a_killed_database_is_not_applied_to_the_new_one(
    tmp_path: Path, file_is_lost: bool
) -> None:
    database = killed(tmp_path)
    if file_is_lost:
        database.unlink()
    swap(database, made(tmp_path / "fresh.db", "new"), tmp_path / "backups" / "before")
    assert said(database) == ["new"]
    if not file_is_lost:
        assert said(tmp_path / "backups" / "before" / database.name) == ["old", "old, in the log"]


def test_a_database_with_an_open_reader_is_not_replaced(tmp_path: Path) -> None:
    database, fresh = killed(tmp_path), made(tmp_path / "fresh.db", "new")
    with closing(sqlite3.connect(database)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM said").fetchone()
        with closing(sqlite3.connect(database)) as writer:
            say(writer, "more")
        with pytest.raises(BackupError, match="Another program has the database"):
            swap(database, fresh, tmp_path / "backups" / "before")
    assert said(database) == ["old", "old, in the log", "more"]
    assert said(fresh) == ["new"]
