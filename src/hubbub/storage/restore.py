"""Restores a backup: all of it or nothing, into SQLite or PostgreSQL, brought up to this version's schema.

The restored database is a new history: its epoch is new, so that a client which saw more than the backup holds is told
to load everything anew. What was there before is put aside, never deleted. The caller holds the locks on the data
folder and the database; a SQLite database that any other program has open is refused as well.

One step decides: the rename that puts the SQLite file in place, or PostgreSQL's COMMIT. Everything that step needs is
synced before it, and what follows it is finished by the next start if the machine stops (`storage.signing_key`).
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
from hubbub.domain.text import timestamp
from hubbub.storage import backup, migrate, signing_key
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
"""How long the connections of a server that was killed may take to go away, in seconds."""
OF_PROCESSES = ("nodes",)
"""Entries of `meta` that belong to the processes which ran on the old database."""

OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'hubbub' AND pid <> pg_backend_pid()"
)


@contextmanager
def locked(database: Database) -> Iterator[None]:
    """Keeps every server and command off the database. Raises DatabaseInUse, Unavailable."""
    if database.path is not None:
        with sqlite_lock(database.path, create=False):
            try:
                yield
            finally:  # SQLite closes the file before its lock is given back
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
    """Whether there is anything in the database that somebody could miss. Raises Unusable, Unavailable."""
    if database.path is not None and not database.path.exists():
        return False
    try:
        with backup.snapshot(database) as connection:
            return _holds_something(connection)
    except Unavailable:
        if database.path is None:
            raise
        return True  # damaged: whoever is to replace it shall say so
    finally:
        database.reader.dispose()  # nobody is to have the file open when it is replaced


def _holds_something(connection: Connection) -> bool:
    if _revision(connection) is None:
        return False
    return any(connection.execute(text(f"SELECT 1 FROM {table} LIMIT 1")).first() for table in ("users", "log"))  # noqa: S608


def _revision(connection: Connection) -> str | None:
    """The revision of what is there, None for nothing. Raises Unusable for tables of somebody else."""
    revision = migrate.current(connection)
    if revision is None and backup.ordinary(connection):
        raise BackupError("There are tables in the database that are not Hubbub's: give it one of its own.")
    return revision


def restore(reader: Reader, database: Database, data: Path, *, epoch: str, now: int, progress: Progress) -> str | None:
    """Puts a backup in place; returns where that is kept which was there before, None if there was nothing.

    `epoch` names the new history; `now` is in milliseconds. If it raises Unusable, Unavailable or OSError, nothing has
    changed.
    """
    revision = reader.manifest.revision
    if not migrate.knows(revision):
        made_by = reader.manifest.hubbub
        raise BackupError(f"{reader.path} was made by a newer version of Hubbub ({made_by}): install that version.")
    reader.check()
    stamp = timestamp(now)[:19].replace(":", "")
    folder = data / "backups" / f"before-restore-{stamp}"
    key = reader.read(signing_key.KEY)
    make_folder(data)
    if database.path is None:
        schema = f"before_restore_{stamp}".replace("-", "").lower()
        with _alone_on(database) as connection:
            moved = _move(connection, schema)
            _fill(connection, reader, key, epoch, progress)
            with _key_kept(data, key, folder, always=False), signing_key.waiting(data, key):
                connection.commit()
        signing_key.finish_restore(data, None if key is None else signing_key.fingerprint(key))
        return f"the schema {schema} of the database" if moved else None
    with new_file(database.path) as fresh:
        with _loading(fresh) as connection:
            _fill(connection, reader, key, epoch, progress)
        sync(fresh)  # what takes long and may fail, before anything is moved
        kept = _key_kept(data, key, folder, always=database.path.exists())
        with kept, signing_key.waiting(data, key):
            swap(database.path, fresh, folder)
    signing_key.finish_restore(data, None if key is None else signing_key.fingerprint(key))
    return str(folder) if folder.exists() else None


@contextmanager
def _key_kept(data: Path, key: bytes | None, folder: Path, *, always: bool) -> Iterator[None]:
    """Keeps the key that is replaced in `folder`; with `always` any key, so that the folder can be served as it is."""
    path, kept = data / signing_key.KEY, folder / signing_key.KEY
    wanted = path.exists() and (always or (key is not None and path.read_bytes() != key))
    if wanted:
        second_name(path, kept)
    try:
        yield
    except BaseException:
        if wanted:
            kept.unlink()
            with suppress(OSError):  # there is more in it
                folder.rmdir()
        raise


def swap(database: Path, fresh: Path, aside: Path) -> None:
    """The SQLite file `fresh`, which is synced, becomes the database; the one that was there goes to `aside`.

    Raises Unusable if another program has the database open, OSError; then what was there is there.
    """
    with _sole_user(database):
        if database.exists():
            second_name(database, aside / database.name)
        moved: list[Path] = []
        try:
            for suffix in ("-wal", "-shm", "-journal"):
                # Left in place, SQLite would take it for the new file's; also where the old file itself is gone.
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
    """SQLite's exclusive lock, with the write-ahead log emptied into the file. A damaged file is kept as it is.

    Leaving WAL mode is what SQLite refuses as long as any other connection is open, also one that does nothing.
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
                raise BackupError(f"Another program has the database {database} open: end it first.") from None
        yield


@contextmanager
def _loading(fresh: Path) -> Iterator[Connection]:
    """A transaction on a new SQLite file, which nobody misses if it fails."""
    engine = create_engine(f"sqlite:///{fresh}", hide_parameters=True)

    @event.listens_for(engine, "connect")
    def pragmas(driver: Any, _record: Any) -> None:
        driver.isolation_level = None
        driver.execute("PRAGMA journal_mode=MEMORY")
        driver.execute("PRAGMA synchronous=OFF")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        driver_cursor(connection).execute("BEGIN")

    try:
        with translate_errors(), engine.begin() as connection:
            yield connection
            if connection.execute(text("PRAGMA foreign_key_check")).first():
                raise BackupError("The backup does not fit together: rows refer to others that are not there.")
    except Unavailable as error:
        if disk_is_full(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(fresh)) from error
        raise
    finally:
        engine.dispose()


@contextmanager
def _alone_on(database: Database) -> Iterator[Connection]:
    """A connection to PostgreSQL while no server works on it, and none starts; the caller commits."""
    with database.migrating() as connection:
        deadline = time.monotonic() + PATIENCE
        while connection.scalar(OTHERS):
            if time.monotonic() > deadline:
                raise BackupError("Another Hubbub process is connected to this database: stop it first.")
            connection.rollback()  # within a transaction the answer stays the same
            time.sleep(0.1)
        for setting in ("statement_timeout = 0", "idle_in_transaction_session_timeout = 0", "lock_timeout = '10s'"):
            connection.execute(text(f"SET LOCAL {setting}"))
        yield connection


def _move(connection: Connection, schema: str) -> bool:
    """Puts the tables of PostgreSQL aside, into a schema of their own; False if there are none."""
    names = {table.name for table in backup.tables(connection, _revision(connection))} | {migrate.versions.name}
    there = sorted(names & backup.ordinary(connection))
    quote = connection.dialect.identifier_preparer.quote
    if there:
        connection.execute(text(f"CREATE SCHEMA {quote(schema)}"))
    for name in there:
        connection.execute(text(f"ALTER TABLE {quote(name)} SET SCHEMA {quote(schema)}"))
    return bool(there)


def _fill(connection: Connection, reader: Reader, key: bytes | None, epoch: str, progress: Progress) -> None:
    """Makes the schema as it was, loads the rows, and takes the steps that came since; then a new history begins."""
    manifest = reader.manifest
    migrate.run_steps(connection, manifest.revision)
    found = backup.reflected(connection)
    for name, content in manifest.tables.items():
        if name not in found.tables or not set(content.columns) <= set(found.tables[name].columns.keys()):
            raise BackupError(f"{reader.path} has a table {name} that this version does not know.")
    done = 0
    for table in found.sorted_tables:
        if table.name in manifest.tables:
            connection.execute(delete(table))  # what a migration may have put there
            done = _load(connection, reader, table, progress, done)
    migrate.run_steps(connection)
    connection.execute(delete(meta).where(meta.c.key.in_(("epoch", *OF_PROCESSES))))
    connection.execute(insert(meta).values(key="epoch", value=epoch))
    signing_key.record(connection, key)
    if connection.dialect.name == "postgresql":
        quote = connection.dialect.identifier_preparer.quote
        names = ", ".join(map(quote, sorted(backup.ordinary(connection))))
        connection.execute(text(f"ANALYZE {names}"))  # or plans are made for empty tables until somebody does


def _load(connection: Connection, reader: Reader, table: Table, progress: Progress, done: int) -> int:
    """Copies the rows of one table, by what is fastest in each driver."""
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
        raise BackupError(f"{reader.path} does not fit: the database refuses rows of {table.name}.") from error
    return done
