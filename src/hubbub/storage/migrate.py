"""Brings a database to this version's schema: after a backup of the file, resumable, never backwards."""

import errno
import glob
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select

from hubbub.domain.model import LOBBY, SECURITY, SITE, room_topic
from hubbub.domain.names import skeleton
from hubbub.domain.text import timestamp
from hubbub.storage.atomic_files import create_file, make_folder, new_file, replace
from hubbub.storage.database import Database
from hubbub.storage.db_errors import disk_is_full
from hubbub.storage.schema import meta, metadata, rooms, topics

HEAD = "0003"
"""The newest revision, held against the scripts by a test: a start with nothing to migrate loads no Alembic."""
MIGRATIONS = Path(__file__).parent / "migrations"
versions = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
"""Alembic's own table: the revision a database is at."""


class TooNew(Exception):
    """The database was made by a newer Hubbub; the message says so."""


def current(connection: Connection) -> str | None:
    """The revision the database is at, None if it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(select(versions.c.version_num))
    return found


def upgrade(database: Database, *, epoch: str, now: int) -> tuple[str | None, str, Path | None]:
    """Migrates and, in an empty database, lays the first rows. Returns (revision before, after, the backup's path).

    `epoch` names the history of a database that is new; `now` is in milliseconds. Raises TooNew, Unavailable.
    """
    if database.path is not None:
        make_folder(database.path.parent)
        create_file(database.path)  # SQLite gives its log and index the mode of the file
    with database.migrating() as connection:
        before = current(connection)
        connection.rollback()
        backup = None
        if before != HEAD:
            if before is not None and not knows(before):
                raise TooNew(
                    "This database was made by a newer version of Hubbub: install that version, or restore a backup."
                )
            if before is None:
                _create(connection)
            else:
                backup = _back_up(database, before, now)
                run_scripts(connection)
        with connection.begin():
            _first_rows(connection, epoch, now)
    return before, HEAD, backup


def _create(connection: Connection) -> None:
    """A new database starts at the newest schema; a test holds it against what the scripts make."""
    metadata.create_all(connection)
    versions.create(connection, checkfirst=True)
    connection.execute(insert(versions).values(version_num=HEAD))
    connection.commit()


def knows(revision: str) -> bool:
    """Whether this version can work with, or migrate, what is at `revision`."""
    return any(path.name.partition("_")[0] == revision for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def run_scripts(connection: Connection) -> None:
    """All missing steps in one transaction."""
    run_steps(connection)
    connection.commit()


def run_steps(connection: Connection, to: str = "head") -> None:
    """The missing steps up to the revision `to`, within the caller's transaction, if there is one."""
    from alembic import command  # here: it takes longer to load than all else at a start
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _back_up(database: Database, revision: str, now: int) -> Path | None:
    """A consistent copy of the SQLite file beside it, before it is touched: whole under its name, or not there."""
    if database.path is None or not database.path.exists():
        return None
    folder = database.path.parent / "backups"
    make_folder(folder)
    for left in folder.glob(f"{glob.escape(database.path.stem)}-*.db.new"):  # of a migration that was killed
        left.unlink()
    target = folder / f"{database.path.stem}-{revision}-{timestamp(now)[:19].replace(':', '')}.db"
    with new_file(target) as fresh:
        try:
            with closing(sqlite3.connect(database.path)) as source, closing(sqlite3.connect(fresh)) as copy:
                source.backup(copy)
        except sqlite3.Error as error:
            if disk_is_full(error):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from error
            raise
        replace(fresh, target)
    return target


def _first_rows(connection: Connection, epoch: str, now: int) -> None:
    """What exists from the start: the name of this history, the site's topics and the lobby. Harmless when repeated."""
    if connection.scalar(select(meta.c.value).where(meta.c.key == "epoch")) is not None:
        return
    connection.execute(insert(meta).values(key="epoch", value=epoch))
    for topic in (SITE, SECURITY, room_topic(LOBBY)):
        connection.execute(insert(topics).values(topic=topic, head=0, floor=0, n=0))
    connection.execute(
        insert(rooms).values(
            id=LOBBY,
            kind="public",
            name="Lobby",
            skeleton=skeleton("Lobby"),
            created_by=None,
            created_at=now,
            members=0,
        )
    )
