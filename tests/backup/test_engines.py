"""Backup and restore are lossless on and between both engines."""

import stat
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import BigInteger, Boolean, Computed, Identity, Integer, LargeBinary, Text, insert, select, text

from hubbub.storage import backup, backup_format, log, migrate
from hubbub.storage.database import Database
from hubbub.storage.ids import Ids
from hubbub.storage.schema import INDEX, meta, metadata
from tests.backup.conftest import Empty
from tests.backup.content import KEY, NOW, TABLES, back_up, made, put_back, row_of, rows

ENGINES = ("sqlite", "postgresql")
KINDS = (Text, BigInteger, Integer, Boolean, LargeBinary)


@pytest.mark.parametrize(("source", "target"), list(product(ENGINES, ENGINES)))
def test_every_row_of_every_table_is_restored(empty: Empty, tmp_path: Path, source: str, target: str) -> None:
    with closing(made(empty(source))) as database:
        with database.writer.begin() as connection:
            Ids.load(connection)  # This takes a node number, where there are nodes.
        manifest = back_up(database, tmp_path / "data", tmp_path / "chat.zip")
        before = rows(database)
    assert manifest.database == source
    assert manifest.tables.keys() == metadata.tables.keys() - INDEX
    assert manifest.rows == sum(map(len, before.values())) + (2 if source == "postgresql" else 1)

    address = empty(target)
    assert put_back(tmp_path / "chat.zip", address, tmp_path / "other") is None
    with closing(Database(address)) as database:
        assert rows(database) == before
        assert database.read(migrate.current) == migrate.HEAD
        entries = dict(map(tuple, database.read(lambda c: c.execute(select(meta)).all())))
        assert entries.pop("signing_key")
        assert entries == {"epoch": "second"}
        assert migrate.upgrade(database, epoch="third", now=NOW) == (migrate.HEAD, migrate.HEAD, None)
        assert database.read(log.epoch) == "second"
    key = tmp_path / "other" / "secret.key"
    assert key.read_bytes() == KEY
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_every_column_type_is_known_to_backups_and_no_column_fills_itself() -> None:
    """An unknown type needs a way into the backup and back.

    A serial column would start anew.
    """
    for table in metadata.tables.values():
        assert table.autoincrement_column is None, table.name
        for column in table.columns:
            assert isinstance(column.type, KINDS), column
            assert not isinstance(column.server_default, Computed | Identity), column


def test_bytes_survive_encoding_as_a_line_of_text() -> None:
    row = [b"", bytes(range(256)), "text", None, True, 2**63 - 1]
    assert backup_format.decode(backup_format.encode(row)) == row


# -- backups of older versions


@pytest.mark.parametrize(("source", "target"), [("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_a_backup_of_the_first_schema_is_restored_into_the_current_one(
    empty: Empty, tmp_path: Path, source: str, target: str
) -> None:
    with closing(Database(empty(source))) as database:
        if database.path is not None:
            database.path.parent.mkdir()
        with database.migrating() as connection:
            migrate.run_steps(connection, "0001")
            connection.commit()
            connection.execute(insert(meta).values(key="epoch", value="first"))
            person = "'Zoë 😀', 'zoe', 'owner', NULL"
            connection.execute(
                text(f"INSERT INTO users VALUES (1000, {person}, true, 7), (1001, 'b', 'b', 'admin', '', false, 8)")
            )
            connection.commit()
        manifest = back_up(database, tmp_path / "data", tmp_path / "old.zip")
    assert manifest.revision == "0001"
    address = empty(target)
    put_back(tmp_path / "old.zip", address, tmp_path / "other")
    with closing(Database(address)) as database:
        assert database.read(migrate.current) == migrate.HEAD
        assert rows(database)["users"] == [
            (1000, "Zoë 😀", "zoë 😀", "owner", None, True, 7, None, "\x1fzoe 😀", False),
            (1001, "b", "b", "admin", "", False, 8, None, "\x1fb", False),
        ]


NEXT = '''
"""A step that is yet to be written: it looks at what is there."""
import sqlalchemy as sa
from alembic import op
revision = "9998"
down_revision = "{head}"

def upgrade() -> None:
    with op.batch_alter_table("rooms") as batch:
        batch.add_column(sa.Column("heads", sa.BigInteger()))
    op.execute("UPDATE rooms SET heads = (SELECT count(*) FROM members WHERE members.room = rooms.id)")
'''


@pytest.mark.parametrize("target", ENGINES)
def test_migrations_newer_than_the_backup_see_its_rows(
    empty: Empty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Path, target: str
) -> None:
    scripts = tmp_path / "migrations"
    (scripts / "versions").mkdir(parents=True)
    for path in (*migrate.MIGRATIONS.glob("*.py"), *migrate.MIGRATIONS.glob("versions/0*.py")):
        (scripts / path.relative_to(migrate.MIGRATIONS)).write_text(path.read_text())
    (scripts / "versions" / "9998_next.py").write_text(NEXT.format(head=migrate.HEAD))
    monkeypatch.setattr(migrate, "MIGRATIONS", scripts)
    address = empty(target)
    put_back(whole, address, tmp_path / "other")
    with closing(Database(address)) as database:
        assert database.read(migrate.current) == "9998"
        counted = database.read(lambda c: c.execute(text("SELECT id, heads FROM rooms ORDER BY id")).all())
    assert [tuple(row) for row in counted][1:4] == [(1000, 1), (1001, 1), (1002, 1)]


# -- consistency


@pytest.mark.parametrize("torn", [False, True])
def test_a_transaction_committed_during_a_backup_is_in_it_completely_or_not_at_all(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: bool
) -> None:
    """While the backup reads the first table, a writer inserts into all tables.

    The control reads without a snapshot.
    """
    if torn:
        monkeypatch.setattr("hubbub.storage.database._begin_snapshot", lambda connection: None)
        monkeypatch.setattr("hubbub.storage.backup.SNAPSHOT", "READ COMMITTED")
    monkeypatch.setattr(backup, "PROGRESS_ROWS", 1)
    with closing(made(database_url, 3)) as database:
        before = {name: len(some) for name, some in rows(database).items()}
        said: list[int] = []

        def write(done: int, total: int) -> None:
            if not said:
                said.append(done)
                with database.writer.begin() as connection:
                    for table in TABLES:
                        connection.execute(insert(table).values(row_of(table, 5)))

        with (tmp_path / "chat.zip").open("wb") as stream:
            manifest = backup.write(database, tmp_path, stream, version="0.1.0", now=NOW, progress=write)
        assert said, "the writer wrote during the backup"
        assert len(rows(database)["users"]) == before["users"] + 1
    counts = {name: table.rows for name, table in manifest.tables.items()}
    entries = counts.pop("meta") - before.pop("meta")  # The backup adds the epoch and a node number.
    assert (counts != before or entries > 1) == torn
