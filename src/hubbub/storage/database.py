"""Engines, transactions and the pool of readers; knows two databases and nothing about chat.

Writing happens on one thread, on the writer's engine; reading through `Database.read`, in short transactions of its
own. Errors leave as what `storage.failures` makes of them.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection, Dialect, Engine, Executable, create_engine, event, func, select
from sqlalchemy.engine import make_url

from hubbub.domain.errors import Busy, Unavailable
from hubbub.storage import postgresql
from hubbub.storage.db_errors import translate_errors

P = ParamSpec("P")
T = TypeVar("T")

BUSY_TIMEOUT = 1.5
CHECKPOINT_PAGES = 4_000
CUT_BYTES = 64 * 2**20
MINIMUM_SQLITE = (3, 38, 0)
READERS = 4
MAX_WAITING_READS = 2_000
MIGRATION_LOCK = 0x487562627562  # any number that nobody else takes

logger = structlog.get_logger(__name__)


class Database:
    """One database: a writer's engine, a readers' engine, and the threads that read."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.path = Path(self.url.database) if self.is_sqlite and self.url.database else None
        self._wal = f"{self.path}-wal" if self.path is not None else None
        if self.is_sqlite and sqlite3.sqlite_version_info < MINIMUM_SQLITE:
            wanted = ".".join(map(str, MINIMUM_SQLITE))
            raise RuntimeError(f"SQLite {sqlite3.sqlite_version} is too old: Hubbub needs {wanted} or newer")
        self.writer = self._engine(writing=True)
        self.reader = self._engine(writing=False)
        self._reads: set[Future[Any]] = set()
        self._lock = threading.Lock()
        self.failed_reads = 0
        """Reads that ended because the store did not answer."""
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="hubbub-reader")

    @property
    def dialect(self) -> Dialect:
        return self.writer.dialect

    def _engine(self, *, writing: bool) -> Engine:
        if not self.is_sqlite:
            return postgresql.engine(self.url, 1 if writing else READERS, writing=writing)
        engine = create_engine(
            self.url,
            pool_size=1 if writing else READERS,
            max_overflow=0,
            pool_timeout=2,
            hide_parameters=True,  # they are what people said
            connect_args={"timeout": BUSY_TIMEOUT, "check_same_thread": False},
        )
        event.listen(engine, "connect", _pragmas if writing else _reading_pragmas)
        event.listen(engine, "begin", _begin_immediate if writing else _begin_snapshot)
        return engine

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """A connection for migrations: one process at a time, with all the time they need."""
        if self.is_sqlite:
            with translate_errors(), self.writer.connect() as connection:
                yield connection
            return
        engine = postgresql.patient_engine(self.url)
        with translate_errors(), engine.connect() as connection:
            # Held by the session, beyond the transactions of the steps; let go by the server when the session ends.
            connection.execute(select(func.pg_advisory_lock(MIGRATION_LOCK)))
            connection.commit()
            yield connection

    def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs ``query(connection, …)`` in one read transaction, on the calling thread. Raises Unavailable."""
        with translate_errors(), self.reader.connect() as connection, connection.begin():
            return query(connection, *args, **kwargs)

    def submit(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """The same on a reader's thread. Raises Busy if too many reads are waiting already."""
        if len(self._reads) >= MAX_WAITING_READS:
            raise Busy(retry_after=1.0)
        future = self._threads.submit(lambda: self.read(query, *args, **kwargs))
        self._reads.add(future)
        future.add_done_callback(self._read_ended)
        return future

    @property
    def reads(self) -> tuple[int, int]:
        """(waiting, running): what the readers' threads have to do."""
        running = self.reader.pool.checkedout()  # type: ignore[attr-defined]  # every pool of ours counts them
        return max(0, len(self._reads) - running), running

    def _read_ended(self, read: Future[Any]) -> None:
        """On the reader's thread."""
        self._reads.discard(read)
        if not read.cancelled() and isinstance(read.exception(), Unavailable):
            with self._lock:
                self.failed_reads += 1

    def wal_bytes(self) -> int:
        """The size of SQLite's write-ahead log, 0 elsewhere."""
        # Only looked at, never opened: closing a descriptor would drop the locks that SQLite holds on its files
        # (https://www.sqlite.org/howtocorrupt.html, section 2.2).
        try:
            return os.stat(self._wal).st_size if self._wal is not None else 0  # noqa: PTH116  after every batch
        except OSError:
            return 0

    def checkpoint(self, connection: Connection) -> None:
        """Cuts a write-ahead log that readers have let grow; between two transactions of the writer.

        The usual checkpoints are SQLite's own: a COMMIT that finds CHECKPOINT_PAGES in the log moves what it can.
        """
        if self.wal_bytes() <= CUT_BYTES:
            return
        cursor = driver_cursor(connection)
        try:
            cursor.execute("PRAGMA busy_timeout=0")  # whoever still reads is not waited for: the next batch tries again
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            cursor.execute(f"PRAGMA busy_timeout={round(BUSY_TIMEOUT * 1000)}")
        finally:
            cursor.close()

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
        self.reader.dispose()
        self.writer.dispose()


class WriterConnection:
    """The writer's one connection: opened when needed, hung up after a failure. Belongs to the writer's thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    def get(self) -> Connection:
        if self._connection is None:
            self._connection = self._database.writer.connect()
        return self._connection

    def checkpoint(self) -> None:
        if self._connection is not None:
            self._database.checkpoint(self._connection)

    def hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.invalidate()
                connection.close()
            except Exception as error:
                logger.info("disconnect_failed", reason=repr(error))


class Statement:
    """A hot statement: built with SQLAlchemy, compiled once per dialect, run on the driver's own cursor.

    SQLAlchemy's execution costs about 60 µs a statement, the driver's 7.
    """

    def __init__(self, build: Callable[[Dialect], Executable]) -> None:
        self._build = build
        self._compiled: dict[str, tuple[str, tuple[str, ...] | None, dict[str, Any]]] = {}

    def run(self, connection: Connection, **parameters: Any) -> Any:
        """Executes with `parameters` and returns the driver's cursor; errors are the driver's."""
        text, order, constants = self.compiled(connection.dialect)
        values = constants | parameters
        cursor = driver_cursor(connection)
        cursor.execute(text, values if order is None else tuple(values[name] for name in order))
        return cursor

    def rows(self, connection: Connection, **parameters: Any) -> list[tuple[Any, ...]]:
        """All rows as plain tuples, in the order of the statement's columns."""
        cursor = self.run(connection, **parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.close()
        return found

    def row(self, connection: Connection, **parameters: Any) -> tuple[Any, ...] | None:
        """The first of them."""
        cursor = self.run(connection, **parameters)
        found: tuple[Any, ...] | None = cursor.fetchone()
        cursor.close()
        return found

    def compiled(self, dialect: Dialect) -> tuple[str, tuple[str, ...] | None, dict[str, Any]]:
        """The statement's text, the order of its parameters where they go by position, and those that are constant."""
        return self._compiled.get(dialect.name) or self._compile(dialect)

    def _compile(self, dialect: Dialect) -> tuple[str, tuple[str, ...] | None, dict[str, Any]]:
        compiled = self._build(dialect).compile(dialect=dialect)  # type: ignore[attr-defined]
        order = tuple(compiled.positiontup) if compiled.positional else None
        done = (str(compiled), order, dict(compiled.params))
        self._compiled[dialect.name] = done
        return done


def driver_cursor(connection: Connection) -> Any:
    driver = connection.connection.driver_connection
    assert driver is not None
    return driver.cursor()


def _pragmas(driver: Any, _record: Any) -> None:
    driver.isolation_level = None  # transactions begin where we say so, not where the driver guesses
    for pragma in (
        "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "trusted_schema=OFF",
        f"wal_autocheckpoint={CHECKPOINT_PAGES}", "cache_size=-65536", "temp_store=MEMORY",
    ):  # fmt: skip
        driver.execute(f"PRAGMA {pragma}")


def _reading_pragmas(driver: Any, _record: Any) -> None:
    driver.isolation_level = None
    for pragma in ("query_only=ON", "trusted_schema=OFF", "cache_size=-16384"):
        driver.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    driver_cursor(connection).execute("BEGIN IMMEDIATE")  # not through SQLAlchemy: it happens with every batch


def _begin_snapshot(connection: Connection) -> None:
    driver_cursor(connection).execute("BEGIN")
