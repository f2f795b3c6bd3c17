"""Restores a backup into SQLite or PostgreSQL, all of it or nothing.

The schema is migrated to this version. The restored database is a new history: its epoch is new, so
that a client which has seen more than the backup contains must load everything again. The previous
database is kept, never deleted. The caller holds the locks on the data folder and the database. A
SQLite database that any other program has open is refused as well.

One step decides: the rename that puts the SQLite file in place, or PostgreSQL's COMMIT. Everything
that this step needs is synced before it. If the machine stops after it, the next start finishes
what is left (`storage.signing_key`).
"""

import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, create_engine, delete, event, insert, text

from hubbub.domain.errors import Unavailable
from hubbub.domain.model.webhooks import WEBHOOK
from hubbub.domain.text import timestamp
from hubbub.storage import backup, epochs, migrate, signing_key, webhooks
from hubbub.storage.atomic_files import make_folder, new_file, second_name, sync, sync_folder
from hubbub.storage.backup import Progress
from hubbub.storage.backup_format import BackupError, Reader
from hubbub.storage.database import Database, driver_cursor
from hubbub.storage.db_errors import StatementRejected, disk_is_full, translate_errors
from hubbub.storage.locks import sqlite_lock
from hubbub.storage.postgresql_lock import PostgresLock
from hubbub.storage.schema import meta

AT_ONCE = 2_000
PATIENCE = 3.0
"""Seconds within which the connections of a server that was killed must end."""
RESTORED = "A backup was restored. Resume the webhook if this server takes the place of the one before."
"""Why webhooks are paused: a copy that is only looked at must not send events."""
PROCESS_ENTRIES = ("nodes", epochs.RUN, epochs.CLUSTER, epochs.NUMBER)
"""Entries of `meta` that belong to the processes which ran on the old database."""

OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'hubbub' AND pid <> pg_backend_pid()"
)


@contextmanager
def locked(database: Database) -> Iterator[None]:
    """Lock the database against servers and commands.

    Raises DatabaseInUse, Unavailable.
    """
    if database.path is not None:
        with sqlite_lock(database.path, create=False):
            try:
                yield
            finally:  # SQLite must close the file before the lock is released
                database.reader.dispose()
                database.writer.dispose()
        return
    lock = PostgresLock(database.url, "restore")
    lock.acquire()
    try:
        yield
    finally:
        lock.close()


def is_used(database: Database) -> bool:
    """Return whether the database contains anything worth keeping.

    Raises BackupError, Unavailable.
    """
    if database.path is not None and not database.path.exists():
        return False
    try:
        with backup.snapshot(database) as connection:
            return _has_content(connection)
    except Unavailable:
        if database.path is None:
            raise
        return True  # a damaged database may only be replaced on request
    finally:
        database.reader.dispose()  # the file must not be open when it is replaced


def _has_content(connection: Connection) -> bool:
    if _revision(connection) is None:
        return False
    return any(connection.execute(text(f"SELECT 1 FROM {table} LIMIT 1")).first() for table in ("users", "log"))  # noqa: S608


def _revision(connection: Connection) -> str | None:
    """Return the revision of the database, None if it is empty.

    Raises BackupError if it contains tables of another application.
    """
    revision = migrate.current(connection)
    if revision is None and backup.ordinary(connection):
        raise BackupError("The database contains tables of another application. Use a separate database for Hubbub.")
    return revision


def restore(reader: Reader, database: Database, data: Path, *, epoch: str, now: int, progress: Progress) -> str | None:
    """Restore a backup.

    Returns where the previous database is kept, None if there was none. `epoch` identifies the new
    history; `now` is in milliseconds. If this raises BackupError, Unavailable or OSError, nothing
    has changed.
    """
    revision = reader.manifest.revision
    if not migrate.knows(revision):
        made_by = reader.manifest.hubbub
        raise BackupError(f"{reader.path} was made by a newer version of Hubbub ({made_by}). Install that version.")
    reader.check()
    stamp = timestamp(now)[:19].replace(":", "")
    folder = data / "backups" / f"before-restore-{stamp}"
    key = reader.read(signing_key.KEY)
    make_folder(data)
    if database.path is None:
        schema = f"before_restore_{stamp}".replace("-", "").lower()
        with _exclusive_connection(database) as connection:
            moved = _move_aside(connection, schema)
            _fill(connection, reader, key, epoch, progress)
            with _key_kept(data, key, folder, always=False), signing_key.waiting(data, key):
                connection.commit()
        signing_key.finish_restore(data, None if key is None else signing_key.fingerprint(key))
        epochs.forget(data)
        return f"the schema {schema} of the database" if moved else None
    with new_file(database.path) as fresh:
        with _loading(fresh) as connection:
            _fill(connection, reader, key, epoch, progress)
        sync(fresh)  # it takes long and may fail, so it comes before anything is moved
        kept = _key_kept(data, key, folder, always=database.path.exists())
        with kept, signing_key.waiting(data, key):
            swap(database.path, fresh, folder)
    signing_key.finish_restore(data, None if key is None else signing_key.fingerprint(key))
    epochs.forget(data)
    return str(folder) if folder.exists() else None


@contextmanager
def _key_kept(data: Path, key: bytes | None, folder: Path, *, always: bool) -> Iterator[None]:
    """Keep the key that is replaced in `folder`.

    With `always` the key is kept even if it is not replaced, so that a server can run from the
    folder as it is.
    """
    path, kept = data / signing_key.KEY, folder / signing_key.KEY
    wanted = path.exists() and (always or (key is not None and path.read_bytes() != key))
    if wanted:
        second_name(path, kept)
    try:
        yield
    except BaseException:
        if wanted:
            kept.unlink()
            with suppress(OSError):  # the folder may contain other files
                folder.rmdir()
        raise


def swap(database: Path, fresh: Path, aside: Path) -> None:
    """Replace a SQLite database by the synced file `fresh`.

    The old database is kept in the folder `aside`. Raises BackupError if another program has the
    database open, OSError. The old database is then in place.
    """
    with _sole_user(database):
        if database.exists():
            second_name(database, aside / database.name)
        moved: list[Path] = []
        try:
            for suffix in ("-wal", "-shm", "-journal"):
                # SQLite would apply a file that is left here to the new database, even if the old
                # database itself is gone.
                beside = database.with_name(database.name + suffix)
                if beside.exists():
                    make_folder(aside)
                    beside.rename(aside / beside.name)
                    moved.append(beside)
            if moved:
                sync_folder(database.parent)
            fresh.replace(database)
        except BaseException:
            for beside in moved:
                (aside / beside.name).rename(beside)
            if (aside / database.name).exists():
                (aside / database.name).unlink()
            raise
        sync_folder(database.parent)


@contextmanager
def _sole_user(database: Path) -> Iterator[None]:
    """Take SQLite's exclusive lock and move the write-ahead log into the file.

    SQLite refuses to leave WAL mode as long as any other connection is open, even an idle one. A
    damaged file is kept as it is.
    """
    if not database.exists():
        yield
        return
    with closing(sqlite3.connect(database, isolation_level=None, timeout=PATIENCE)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE").fetchone()
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise BackupError(f"Another program has the database {database} open. Stop it first.") from None
        yield


@contextmanager
def _loading(fresh: Path) -> Iterator[Connection]:
    """Open a transaction on a new SQLite file. Nothing is lost if it fails."""
    engine = create_engine(f"sqlite:///{fresh}", hide_parameters=True)

    @event.listens_for(engine, "connect")
    def pragmas(driver: Any, _record: Any) -> None:
        driver.isolation_level = None
        driver.execute("PRAGMA journal_mode=MEMORY")
        driver.execute("PRAGMA synchronous=OFF")
        driver.execute("PRAGMA secure_delete=ON")  # a migration must leave no texts in free pages

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        driver_cursor(connection).execute("BEGIN")

    try:
        with translate_errors(), engine.begin() as connection:
            yield connection
            if connection.execute(text("PRAGMA foreign_key_check")).first():
                raise BackupError("The backup is inconsistent: some rows refer to rows that do not exist.")
    except Unavailable as error:
        if disk_is_full(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(fresh)) from error
        raise
    finally:
        engine.dispose()


@contextmanager
def _exclusive_connection(database: Database) -> Iterator[Connection]:
    """Open a connection to PostgreSQL while no server runs on it and none can start.

    The caller commits.
    """
    with database.migrating() as connection:
        deadline = time.monotonic() + PATIENCE
        while connection.scalar(OTHERS):
            if time.monotonic() > deadline:
                raise BackupError("Another Hubbub process is connected to this database. Stop it first.")
            connection.rollback()  # within one transaction the answer would stay the same
            time.sleep(0.1)
        for setting in ("statement_timeout = 0", "idle_in_transaction_session_timeout = 0", "lock_timeout = '10s'"):
            connection.execute(text(f"SET LOCAL {setting}"))
        yield connection


def _move_aside(connection: Connection, schema: str) -> bool:
    """Move the tables of PostgreSQL into a new schema; return False if there are none."""
    names = {table.name for table in backup.tables(connection, _revision(connection))} | backup.LEFT_OUT
    existing = sorted(names & backup.ordinary(connection))
    quote = connection.dialect.identifier_preparer.quote
    if existing:
        connection.execute(text(f"CREATE SCHEMA {quote(schema)}"))
    for name in existing:
        connection.execute(text(f"ALTER TABLE {quote(name)} SET SCHEMA {quote(schema)}"))
    return bool(existing)


def _fill(connection: Connection, reader: Reader, key: bytes | None, epoch: str, progress: Progress) -> None:
    """Load the backup and begin a new history.

    Creates the schema of the backup, loads the rows, and migrates to this version.
    """
    manifest = reader.manifest
    migrate.run_steps(connection, manifest.revision)
    found = backup.reflected(connection)
    for name, content in manifest.tables.items():
        if name not in found.tables or not set(content.columns) <= set(found.tables[name].columns.keys()):
            raise BackupError(f"{reader.path} is damaged: its table {name} does not match its schema.")
    done = 0
    for table in found.sorted_tables:
        if table.name in manifest.tables:
            connection.execute(delete(table))  # a migration may have inserted rows
            done = _load(connection, reader, table, progress, done)
    migrate.run_steps(connection)
    connection.execute(delete(meta).where(meta.c.key.in_(("epoch", *PROCESS_ENTRIES))))
    connection.execute(insert(meta).values(key="epoch", value=epoch))
    webhooks.pause_all(connection, WEBHOOK, RESTORED)
    signing_key.record(connection, key)
    if connection.dialect.name == "postgresql":
        quote = connection.dialect.identifier_preparer.quote
        names = ", ".join(map(quote, sorted(backup.ordinary(connection))))
        # Without statistics the planner would treat the tables as empty until the next automatic
        # ANALYZE.
        connection.execute(text(f"ANALYZE {names}"))


def _load(connection: Connection, reader: Reader, table: Table, progress: Progress, done: int) -> int:
    """Copy the rows of one table by the driver's fastest way; return the new `done`."""
    columns, rows = reader.manifest.tables[table.name].columns, reader.rows(table.name)
    preparer = connection.dialect.identifier_preparer
    into = f"{preparer.format_table(table)} ({', '.join(map(preparer.quote, columns))})"
    try:
        with translate_errors(), closing(driver_cursor(connection)) as cursor:
            while some := list(islice(rows, AT_ONCE)):
                if connection.dialect.name == "sqlite":
                    cursor.executemany(f"INSERT INTO {into} VALUES ({', '.join('?' * len(columns))})", some)  # noqa: S608
                else:
                    with cursor.copy(f"COPY {into} FROM STDIN") as copy:
                        for row in some:
                            copy.write_row(row)
                done += len(some)
                progress(done, reader.manifest.rows)
    except StatementRejected as error:
        raise BackupError(f"{reader.path} cannot be restored: the database refuses rows of {table.name}.") from error
    return done
