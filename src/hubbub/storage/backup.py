"""Makes a backup of everything that is committed at one moment.

The backup is read in one transaction while the server goes on writing. On SQLite it must not run in
the server's process: closing a descriptor of the database's files would drop the locks that the
server holds on them. A separate process may open and close the files.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, MetaData, Table, func, inspect, select, text

from hubbub.storage import log, migrate, postgresql, signing_key
from hubbub.storage.backup_format import BackupError, Cell, Manifest, Sink, Writer
from hubbub.storage.database import Database
from hubbub.storage.db_errors import translate_errors
from hubbub.storage.schema import INDEX, metadata

Progress = Callable[[int, int], None]
"""Called with the number of rows done and their total."""

SNAPSHOT = "REPEATABLE READ"  # on SQLite every transaction is a snapshot
AT_ONCE = 2_000
LEFT_OUT = INDEX | {migrate.versions.name}
PROGRESS_ROWS = 10_000
"""Rows between two reports of progress."""


def write(database: Database, data: Path, sink: Sink, *, version: str, now: int, progress: Progress) -> Manifest:
    """Write a backup of the database and of the folder `data`.

    `now` is in milliseconds. Raises BackupError if there is nothing to back up, KeyUnusable,
    Unavailable, OSError.
    """
    if database.path is not None and not database.path.exists():
        raise BackupError(f"There is no database at {database.path}: nothing to back up.")
    with snapshot(database) as connection, Writer(sink, now) as out:
        revision = migrate.current(connection)
        if revision is None:
            raise BackupError("The database is empty: nothing to back up.")
        key = signing_key.of_database(data, signing_key.known(connection))
        if key is not None:
            out.add(signing_key.KEY, [key])
        found = tables(connection, revision)
        done, total = 0, sum(connection.scalar(select(func.count()).select_from(table)) or 0 for table in found)
        for table in found:
            rows = _counted(_rows(connection, table), done, total, progress)
            done += out.add_table(table.name, table.columns.keys(), rows)
        epoch, kind = log.epoch(connection), connection.dialect.name
        return out.finish(version=version, revision=revision, epoch=epoch, database=kind)


@contextmanager
def snapshot(database: Database) -> Iterator[Connection]:
    """Open one read transaction without timeouts. Raises Unavailable."""
    if database.is_sqlite:
        with translate_errors(), database.reader.connect() as connection, connection.begin():
            yield connection
        return
    engine = postgresql.patient_engine(database.url).execution_options(isolation_level=SNAPSHOT)
    with translate_errors(), engine.connect() as connection, connection.begin():
        connection.execute(text("SET TRANSACTION READ ONLY"))
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):  # the operator may have set them
            connection.execute(text(f"SET LOCAL {limit} = 0"))
        yield connection


def tables(connection: Connection, revision: str | None) -> list[Table]:
    """Return the tables of a database at `revision`, in order of their references.

    Each table comes after the tables that it refers to.
    """
    found = metadata if revision == migrate.HEAD else reflected(connection)
    return [table for table in found.sorted_tables if table.name not in LEFT_OUT]


def reflected(connection: Connection) -> MetaData:
    """Return the tables as they are in the database.

    Views and the internal tables of search indexes are left out.
    """
    found = MetaData()
    names = ordinary(connection)
    found.reflect(connection, only=lambda name, _: name in names)
    return found


def ordinary(connection: Connection) -> set[str]:
    """Return the names of all ordinary tables.

    Views, virtual tables and SQLite's own tables are left out.
    """
    if connection.dialect.name != "sqlite":
        return set(inspect(connection).get_table_names())
    listed = connection.execute(text("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"))
    return {name for name in listed.scalars() if not name.startswith("sqlite_")}


def _rows(connection: Connection, table: Table) -> Iterator[list[Cell]]:
    """Yield all rows in the order of their keys, reading AT_ONCE of them at a time."""
    query = select(table).order_by(*table.primary_key.columns)
    for some in connection.execute(query, execution_options={"yield_per": AT_ONCE}).partitions():
        for row in some:
            yield list(row)


def _counted(rows: Iterator[list[Cell]], done: int, total: int, progress: Progress) -> Iterator[list[Cell]]:
    for row in rows:
        yield row
        done += 1
        if done % PROGRESS_ROWS == 0:
            progress(done, total)
