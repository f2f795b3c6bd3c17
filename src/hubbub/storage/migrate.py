"""Brings a database to this version's schema: after a backup of the file, resumable, never backwards."""

import sqlite3
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, select

from hubbub.domain.model import LOBBY, SECURITY, SITE, room_topic
from hubbub.domain.names import skeleton
from hubbub.domain.text import timestamp
from hubbub.storage.database import Database, translated
from hubbub.storage.schema import meta, metadata, rooms, topics


class TooNew(Exception):  # noqa: N818  reads as what it says
    """The database was made by a newer Hubbub; the message says so."""


def current(database: Database) -> str | None:
    """The revision the database is at, None if it is empty."""
    with translated(), database.reader.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database, *, epoch: str, now: int) -> tuple[str | None, str, Path | None]:
    """Migrates and, in an empty database, lays the first rows. Returns (revision before, after, the backup's path).

    `epoch` names the history of a database that is new; `now` is in milliseconds. Raises TooNew, Unavailable.
    """
    config = _config()
    head = ScriptDirectory.from_config(config).get_current_head()
    assert head is not None
    if database.path is not None:
        database.path.parent.mkdir(parents=True, exist_ok=True)
    with translated(), database.writer.connect() as connection:
        before = MigrationContext.configure(connection).get_current_revision()
        connection.rollback()
        if before is not None and before not in {
            s.revision for s in ScriptDirectory.from_config(config).walk_revisions()
        }:
            raise TooNew("This database was made by a newer version of Hubbub; install that one, or restore a backup.")
        backup = None
        if before != head:
            backup = _back_up(database, before, now) if before is not None else None
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
        with connection.begin():
            _first_rows(connection, epoch, now)
    return before, head, backup


def difference(connection: Connection) -> list[object]:
    """What the tables lack of the schema in the code; empty when the migrations are complete."""
    context = MigrationContext.configure(connection)
    return list(compare_metadata(context, metadata))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _back_up(database: Database, revision: str, now: int) -> Path | None:
    """A consistent copy of the SQLite file beside it, before it is touched."""
    if database.path is None or not database.path.exists():
        return None
    folder = database.path.parent / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / f"{database.path.stem}-{revision}-{timestamp(now)[:19].replace(':', '')}.db"
    target.touch(mode=0o600)
    source, copy = sqlite3.connect(database.path), sqlite3.connect(target)
    try:
        source.backup(copy)
    finally:
        copy.close()
        source.close()
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
