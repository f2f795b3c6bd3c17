"""Migrates a database to this version's schema.

A SQLite file is backed up first. A migration that was interrupted is resumed. There are no
migrations backwards.
"""

import errno
import glob
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, inspect, select

from hubbub.domain.model import LOBBY, SECURITY, SITE, room_topic
from hubbub.domain.names import search_key, skeleton
from hubbub.domain.text import timestamp
from hubbub.storage.atomic_files import create_file, make_folder, new_file, replace
from hubbub.storage.database import Database
from hubbub.storage.db_errors import disk_is_full
from hubbub.storage.schema import meta, metadata, rooms, topics

HEAD = "0015"
"""The newest revision, so that a start with nothing to migrate need not load Alembic. A test
compares it with the scripts."""
OLDEST = "0015"
"""The oldest revision with nodes that may run beside nodes of this version, on tables at HEAD. It is
set by hand, see CONTRIBUTING.md: a migration that only adds leaves it, any other one sets it to its
own revision. A test checks what the migrations after it do."""
MIGRATIONS = Path(__file__).parent / "migrations"
versions = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
"""Alembic's own table with the revision of the database."""


class TooNew(Exception):
    """The database was made by a newer version.

    The message is a sentence for the operator.
    """


def current(connection: Connection) -> str | None:
    """Return the revision of the database, None if it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(select(versions.c.version_num))
    return found


def upgrade(database: Database, *, epoch: str, now: int) -> tuple[str | None, str, Path | None]:
    """Migrate, and insert the first rows into an empty database.

    Returns (revision before, revision after, path of the backup). `epoch` identifies the history of
    a new database; `now` is in milliseconds. Raises TooNew, Unavailable, NotPermitted (the database
    user may not create tables).
    """
    if database.path is not None:
        make_folder(database.path.parent)
        create_file(database.path)  # SQLite creates its log and index with the mode of this file
    with database.migrating() as connection:
        before = current(connection)
        connection.rollback()
        backup = None
        if before != HEAD:
            if before is not None and not knows(before):
                raise TooNew(
                    "This database was made by a newer version of Hubbub. Install that version, or restore a backup."
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
    """Create the newest schema in a new database.

    A test compares it with the result of the scripts.
    """
    metadata.create_all(connection)
    versions.create(connection, checkfirst=True)
    connection.execute(insert(versions).values(version_num=HEAD))
    connection.commit()


def knows(revision: str) -> bool:
    """Return whether this version can use or migrate a database at `revision`."""
    return any(path.name.partition("_")[0] == revision for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def run_scripts(connection: Connection) -> None:
    """Run all missing steps in one transaction.

    It begins here: in a transaction of its own, Alembic would commit after each step on SQLite.
    """
    if not connection.in_transaction():
        connection.begin()
    run_steps(connection)
    connection.commit()


def run_steps(connection: Connection, to: str = "head") -> None:
    """Run the missing steps up to the revision `to`.

    They run within the caller's transaction, if there is one.
    """
    from alembic import command  # imported here, since it takes longer to load than everything else at a start
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _back_up(database: Database, revision: str, now: int) -> Path | None:
    """Copy the SQLite file into `backups` beside it before it is changed.

    The copy is consistent. Under its final name it is always complete.
    """
    if database.path is None or not database.path.exists():
        return None
    folder = database.path.parent / "backups"
    make_folder(folder)
    for leftover in folder.glob(f"{glob.escape(database.path.stem)}-*.db.new"):  # of a migration that was killed
        leftover.unlink()
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
    """Insert the id of the history, the site's topics and the lobby. Idempotent."""
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
            search_key=search_key("Lobby"),
            created_by=None,
            created_at=now,
            members=0,
        )
    )
