"""Makes a backup: everything that is committed at one moment, read in one transaction, while others write.

On SQLite it must not run in the server's process: closing a descriptor of the database's files would drop the locks
that the server holds on them. A process of its own may come and go.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, MetaData, Table, func, inspect, select, text

from hubbub.storage import log, migrate, postgresql, signing_key
from hubbub.storage.backup_format import BackupError, Cell, Manifest, Sink, Writer
from hubbub.storage.database import Database
from hubbub.storage.db_errors import translate_errors
from hubbub.storage.schema import metadata

Progress = Callable[[int, int], None]
"""Is told how many rows are done, and of how many."""

SNAPSHOT = "REPEATABLE READ"  # on SQLite every transaction is one
AT_ONCE = 2_000
BEAT = 10_000


def write(database: Database, data: Path, sink: Sink, *, version: str, now: int, progress: Progress) -> Manifest:
    """Writes a backup of the database and of the folder `data`. `now` is in milliseconds.

    Raises Unusable if there is nothing to back up, KeyUnusable, Unavailable, OSError.
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
    """One read transaction that takes its time. Raises Unavailable."""
    if database.is_sqlite:
        with translate_errors(), database.reader.connect() as connection, connection.begin():
            yield connection
        return
    engine = postgresql.patient_engine(database.url).execution_options(isolation_level=SNAPSHOT)
    with translate_errors(), engine.connect() as connection, connection.begin():
        connection.execute(text("SET TRANSACTION READ ONLY"))
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):  # somebody may have set them
            connection.execute(text(f"SET LOCAL {limit} = 0"))
        yield connection


def tables(connection: Connection, revision: str | None) -> list[Table]:
    """The tables of a database at `revision`, those first that others refer to."""
    found = metadata if revision == migrate.HEAD else reflected(connection)
    return [table for table in found.sorted_tables if table.name != migrate.versions.name]


def reflected(connection: Connection) -> MetaData:
    """The tables as they are in the database, without what an engine keeps beside them (views, search indexes)."""
    found = MetaData()
    names = ordinary(connection)
    found.reflect(connection, only=lambda name, _: name in names)
    return found


def ordinary(connection: Connection) -> set[str]:
    """The names of all tables that are nothing but tables."""
    if connection.dialect.name != "sqlite":
        return set(inspect(connection).get_table_names())
    listed = connection.execute(text("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"))
    return {name for name in listed.scalars() if not name.startswith("sqlite_")}


def _rows(connection: Connection, table: Table) -> Iterator[list[Cell]]:
    """All rows in the order of their keys, a few at a time."""
    query = select(table).order_by(*table.primary_key.columns)
    for some in connection.execute(query, execution_options={"yield_per": AT_ONCE}).partitions():
        for row in some:
            yield list(row)


def _counted(rows: Iterator[list[Cell]], done: int, total: int, progress: Progress) -> Iterator[list[Cell]]:
    for row in rows:
        yield row
        done += 1
        if done % BEAT == 0:
            progress(done, total)
