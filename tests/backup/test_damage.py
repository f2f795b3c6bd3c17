"""Damaged backups are refused with a clear error and change nothing.

Replaced data is kept.
"""

import json
import os
import zipfile
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from hubbub.storage import migrate, restore
from hubbub.storage.backup import ordinary
from hubbub.storage.backup_format import BackupError
from hubbub.storage.database import Database
from tests.backup.conftest import Empty
from tests.backup.content import KEY, NOW, made, put_back, rows

Spoil = Callable[[Path], object]


def cut(share: float) -> Spoil:
    def spoil(file: Path) -> None:
        os.truncate(file, int(file.stat().st_size * share))

    return spoil


def flip(file: Path) -> None:
    """Flip one bit in the middle of the largest member."""
    with zipfile.ZipFile(file) as found:
        largest = max(found.infolist(), key=lambda info: info.compress_size)
    content = bytearray(file.read_bytes())
    content[largest.header_offset + largest.compress_size // 2] ^= 1
    file.write_bytes(content)


def rewrite(member: str, change: Callable[[bytes], bytes], honest: bool = False) -> Spoil:
    """Return a function that replaces a member under a valid CRC.

    `honest` updates the manifest, too.
    """

    def spoil(file: Path) -> None:
        with zipfile.ZipFile(file) as found:
            members = {name: found.read(name) for name in found.namelist()}
        members[member] = change(members[member])
        if honest:
            manifest = json.loads(members["manifest.json"])
            content = members[member]
            manifest["parts"][member] = {"bytes": len(content), "sha256": sha256(content).hexdigest()}
            members["manifest.json"] = json.dumps(manifest).encode()
        with zipfile.ZipFile(file, "w") as made:
            for name, content in members.items():
                made.writestr(name, content)

    return spoil


def manifest(**changes: object) -> Spoil:
    return rewrite("manifest.json", lambda content: json.dumps({**json.loads(content), **changes}).encode())


def another_zip(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("letter.txt", "Dear diary")


USERS = "tables/users.jsonl"
SPOILT: dict[str, tuple[Spoil, str]] = {
    "empty": (lambda file: file.write_bytes(b""), "not a backup"),
    "a text": (lambda file: file.write_text("hello " * 1_000), "not a backup"),
    "another zip": (another_zip, "not a backup"),
    "its first byte": (lambda file: os.truncate(file, 1), "not a backup"),
    "cut by one byte": (lambda file: os.truncate(file, file.stat().st_size - 1), "damaged"),
    "cut in half": (cut(0.5), "damaged"),
    "cut after the first bytes": (lambda file: os.truncate(file, 100), "damaged"),
    "a flipped bit": (flip, "damaged"),
    "other rows": (rewrite(USERS, lambda content: content.replace(b"plain", b"plein")), "damaged"),
    "another key": (rewrite("secret.key", lambda content: bytes(32)), "damaged"),
    "fewer rows": (rewrite(USERS, lambda content: content[: content.rindex(b"[")], honest=True), "damaged"),
    "no rows": (rewrite(USERS, lambda content: b"\n", honest=True), "damaged"),
    "shorter rows": (rewrite(USERS, lambda content: content.replace(b"[1000,", b"["), honest=True), "damaged"),
    "a row twice": (rewrite(USERS, lambda c: c.replace(b"[1001,", b"[1000,"), honest=True), "refuses rows of users"),
    "no JSON": (rewrite("manifest.json", lambda content: b"{"), "manifest cannot be read"),
    "an empty manifest": (rewrite("manifest.json", lambda content: b"{}"), "manifest cannot be read"),
    "a manifest of nothing": (manifest(parts={}), "manifest is inconsistent"),
    "a newer format": (manifest(format=2, tables=None), "newer version"),
    "a newer schema": (manifest(revision="9999", hubbub="7.0"), "newer version of Hubbub (7.0)"),
    "an unknown table": (manifest(tables={"pets": {"columns": ["id"], "rows": 0}}), "damaged"),
}


@pytest.fixture
def file(whole: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "chat.zip"
    copy.write_bytes(whole.read_bytes())
    return copy


@pytest.mark.parametrize("how", SPOILT)
def test_a_damaged_backup_is_refused_with_a_sentence_and_changes_nothing(tmp_path: Path, file: Path, how: str) -> None:
    data = tmp_path / "data"
    with closing(made(f"sqlite:///{data / 'hubbub.db'}", 2)) as database:
        before = rows(database)
    (data / "secret.key").write_bytes(b"k" * 32)
    there = sorted(data.rglob("*"))
    spoil, word = SPOILT[how]
    spoil(file)
    with pytest.raises(BackupError) as refused:
        put_back(file, f"sqlite:///{data / 'hubbub.db'}", data)
    assert word in str(refused.value)
    assert str(refused.value).startswith(str(file))
    assert str(refused.value).endswith(".")
    assert sorted(data.rglob("*")) == there
    assert (data / "secret.key").read_bytes() == b"k" * 32
    with closing(Database(f"sqlite:///{data / 'hubbub.db'}")) as database:
        assert rows(database) == before


@pytest.mark.parametrize("how", ["a flipped bit", "a row twice"])
def test_a_damaged_backup_changes_nothing_on_postgresql(tmp_path: Path, file: Path, empty: Empty, how: str) -> None:
    address = empty("postgresql")
    with closing(made(address, 2)) as database:
        before = rows(database)
        spoil, word = SPOILT[how]
        spoil(file)
        database.writer.dispose()
        database.reader.dispose()
        with pytest.raises(BackupError, match=word):
            put_back(file, address, tmp_path / "data")
        assert rows(database) == before
        assert database.read(migrate.current) == migrate.HEAD
    assert not list((tmp_path / "data").rglob("*"))


# -- replacing


def test_a_replaced_folder_is_kept_with_its_key_and_its_last_commits(tmp_path: Path, file: Path) -> None:
    data = tmp_path / "data"
    address = f"sqlite:///{data / 'hubbub.db'}"
    writer = made(address, 2)  # It stays open, as after a kill: the last commits are in the write-ahead log.
    before = rows(writer)
    (data / "secret.key").write_bytes(b"k" * 32)
    writer.reader.dispose()
    assert (data / "hubbub.db-wal").stat().st_size > 0
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for path in data.iterdir():
        (crashed / path.name).write_bytes(path.read_bytes())
    writer.close()

    kept = put_back(file, f"sqlite:///{crashed / 'hubbub.db'}", crashed)
    assert kept == str(crashed / "backups" / "before-restore-2026-09-21T141320")
    assert sorted(path.name for path in crashed.iterdir()) == ["backups", "hubbub.db", "secret.key"]
    assert (crashed / "secret.key").read_bytes() == KEY
    assert (Path(kept) / "secret.key").read_bytes() == b"k" * 32
    with closing(Database(f"sqlite:///{Path(kept) / 'hubbub.db'}")) as database:
        assert rows(database) == before
    with closing(Database(f"sqlite:///{crashed / 'hubbub.db'}")) as database:
        assert len(rows(database)["users"]) == 12


def test_data_replaced_on_postgresql_is_kept_in_a_schema_of_its_own(tmp_path: Path, file: Path, empty: Empty) -> None:
    address = empty("postgresql")
    with closing(made(address, 2)) as database:
        users = rows(database)["users"]
    kept = put_back(file, address, tmp_path / "data")
    assert kept == "the schema before_restore_20260921t141320 of the database"
    again = put_back(file, address, tmp_path / "data", now=NOW + 1_000)
    assert again == "the schema before_restore_20260921t141321 of the database"
    with closing(Database(address)) as database:
        assert len(rows(database)["users"]) == 12
        aside_ = "SELECT * FROM before_restore_20260921t141320.users ORDER BY id"
        found = database.read(lambda c: [tuple(row) for row in c.exec_driver_sql(aside_)])
    assert sorted(found, key=repr) == users


def test_a_damaged_database_can_be_replaced_and_is_kept_unchanged(tmp_path: Path, file: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "hubbub.db").write_bytes(b"no database at all " * 1_000)
    (data / "hubbub.db-wal").write_bytes(b"nor a log")
    with closing(Database(f"sqlite:///{data / 'hubbub.db'}")) as database:
        assert restore.is_used(database)
    kept = put_back(file, f"sqlite:///{data / 'hubbub.db'}", data)
    assert kept is not None
    assert (Path(kept) / "hubbub.db").read_bytes().startswith(b"no database")
    assert not (data / "hubbub.db-wal").exists()
    with closing(Database(f"sqlite:///{data / 'hubbub.db'}")) as database:
        assert len(rows(database)["users"]) == 12


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_database_counts_as_used_once_it_has_users(empty: Empty, engine: str) -> None:
    address = empty(engine)
    with closing(Database(address)) as database:
        assert not restore.is_used(database)
        migrate.upgrade(database, epoch="first", now=NOW)
        assert not restore.is_used(database)
    with closing(made(address, 1)) as database:
        assert restore.is_used(database)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_a_database_of_another_application_is_not_touched(empty: Empty, engine: str) -> None:
    address = empty(engine)
    with closing(Database(address)) as database:
        if database.path is not None:
            database.path.parent.mkdir()
        with database.writer.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE pets (id integer)")
        with pytest.raises(BackupError, match="another application"):
            restore.is_used(database)


def test_on_postgresql_restore_refuses_to_move_tables_of_another_application(
    tmp_path: Path, file: Path, empty: Empty
) -> None:
    address = empty("postgresql")
    with closing(Database(address)) as database:
        with database.writer.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE pets (id integer)")
        database.writer.dispose()
        with pytest.raises(BackupError, match="another application"):
            put_back(file, address, tmp_path / "data")
        assert database.read(ordinary) == {"pets"}


def test_if_the_last_step_of_a_restore_fails_the_old_database_and_key_remain(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    address = f"sqlite:///{data / 'hubbub.db'}"
    with closing(made(address, 2)) as database:
        before = rows(database)
    (data / "secret.key").write_bytes(b"k" * 32)
    replace = Path.replace

    def fail(fresh: Path, path: Path) -> Path:
        if path.name == "hubbub.db":
            assert (data / "secret.key").read_bytes() == b"k" * 32
            assert (data / "secret.key.next").read_bytes() == KEY
            raise OSError(5, "Input/output error")
        return replace(fresh, path)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="Input/output"):
        put_back(file, address, data)
    assert (data / "secret.key").read_bytes() == b"k" * 32
    assert not [*data.glob("*.new"), *data.glob("*.next")]
    with closing(Database(address)) as database:
        assert rows(database) == before
