"""The signing key on disk and its fingerprint in the database."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hubbub.storage import migrate, signing_key
from hubbub.storage.database import Database
from hubbub.storage.signing_key import KEY, NEXT, SIZE, KeyUnusable, obtain, obtain_shared

OTHER = b"o" * SIZE


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(f"sqlite:///{tmp_path / 'hubbub.db'}")) as made:
        migrate.upgrade(made, epoch="first", now=1_790_000_000_000)
        yield made


@pytest.mark.parametrize(("content", "word"), [(b"", "is empty"), (b"k" * 31, "31 bytes"), (bytes(SIZE), "only zeros")])
def test_a_damaged_key_is_refused_with_instructions_and_not_overwritten(
    tmp_path: Path, database: Database, content: bytes, word: str
) -> None:
    obtain(tmp_path, database, serving=True)
    (tmp_path / KEY).write_bytes(content)
    with pytest.raises(KeyUnusable, match=f"secret.key is damaged: it .*{word}.*delete it.*logged out"):
        obtain(tmp_path, database, serving=True)
    assert (tmp_path / KEY).read_bytes() == content
    (tmp_path / KEY).unlink()
    assert obtain(tmp_path, database, serving=True) == (tmp_path / KEY).read_bytes()


def test_the_key_of_another_database_is_refused_unless_the_host_application_authenticates(
    tmp_path: Path, database: Database
) -> None:
    obtain(tmp_path, database, serving=True)
    (tmp_path / KEY).write_bytes(OTHER)
    with pytest.raises(KeyUnusable, match="does not match this database"):
        obtain(tmp_path, database, serving=True)
    assert obtain(tmp_path, database, serving=True, signs=False) == OTHER
    assert obtain(tmp_path, database, serving=True) == OTHER


def test_a_command_creates_the_first_key_and_never_replaces_one(tmp_path: Path, database: Database) -> None:
    key = obtain(tmp_path, database, serving=False)
    assert (tmp_path / KEY).read_bytes() == key
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    obtain(elsewhere, database, serving=False)
    assert not (elsewhere / KEY).exists()
    assert obtain(tmp_path, database, serving=True) == key


@pytest.mark.parametrize("restored", [True, False])
def test_an_interrupted_restore_is_finished_if_its_database_is_in_place(
    tmp_path: Path, database: Database, restored: bool
) -> None:
    key = obtain(tmp_path, database, serving=True)
    (tmp_path / NEXT).write_bytes(OTHER)
    if restored:
        with database.migrating() as connection, connection.begin():
            signing_key.record(connection, OTHER)
    wanted = OTHER if restored else key
    assert signing_key.of_database(tmp_path, database.read(signing_key.known)) == wanted
    assert obtain(tmp_path, database, serving=True) == wanted == (tmp_path / KEY).read_bytes()
    assert not (tmp_path / NEXT).exists()


# --- several nodes ---------------------------------------------------------------------------------------------------


def _shared(database: Database) -> bytes | None:
    return database.read(signing_key._shared)


def test_a_new_node_takes_the_key_from_the_database(tmp_path: Path, database: Database) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    key = obtain_shared(first, database, in_database=True)
    assert obtain_shared(second, database, in_database=True) == key == (second / KEY).read_bytes()
    assert (second / KEY).stat().st_mode & 0o077 == 0


def test_the_key_of_a_server_without_a_bus_is_kept_when_it_gets_one(tmp_path: Path, database: Database) -> None:
    key = obtain(tmp_path, database, serving=True)
    assert _shared(database) is None, "a server without a bus stores the fingerprint alone"
    assert obtain_shared(tmp_path, database, in_database=True) == key == _shared(database)


def test_without_the_key_in_the_database_a_new_node_is_refused_and_the_stored_key_removed(
    tmp_path: Path, database: Database
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    key = obtain_shared(first, database, in_database=True)
    assert obtain_shared(first, database, in_database=False) == key
    assert _shared(database) is None
    for in_database in (True, False):
        with pytest.raises(KeyUnusable, match=r"Copy secret\.key from another node"):
            obtain_shared(second, database, in_database=in_database)
    assert not (second / KEY).exists()


def test_a_node_with_the_key_of_another_site_is_refused(tmp_path: Path, database: Database) -> None:
    (tmp_path / "first").mkdir()
    obtain_shared(tmp_path / "first", database, in_database=True)
    (tmp_path / KEY).write_bytes(OTHER)
    with pytest.raises(KeyUnusable, match="does not match this database"):
        obtain_shared(tmp_path, database, in_database=True)
    assert (tmp_path / KEY).read_bytes() == OTHER


def test_a_new_key_removes_the_shared_one(tmp_path: Path, database: Database) -> None:
    obtain_shared(tmp_path, database, in_database=True)
    (tmp_path / KEY).unlink()
    new = obtain(tmp_path, database, serving=True)
    assert _shared(database) is None
    assert obtain_shared(tmp_path, database, in_database=True) == new == _shared(database)
