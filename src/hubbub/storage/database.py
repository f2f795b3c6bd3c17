"""Engines, transactions and the pool of reader threads, for SQLite and PostgreSQL.

This module knows nothing about chat. One thread writes, through the writer's engine.
`Database.read` reads in short transactions of its own. `storage.db_errors` translates the errors.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
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
ERASURE_INTERVAL = 10.0
"""The least number of seconds between two truncations of the write-ahead log that erase text."""
ERASURE_RETRY = 0.5
"""Seconds between two attempts, when readers need the write-ahead log."""
MINIMUM_SQLITE = (3, 38, 0)
READERS = 4
MAX_WAITING_READS = 2_000
REPLACED = (
    "The database file was moved or replaced while the server was running. Stop the server before you change files, "
    "or use `hubbub restore`."
)
MIGRATION_LOCK = 0x487562627562  # an arbitrary number that no other application is likely to use

logger = structlog.get_logger(__name__)


class Database:
    """One database: a writer's engine, a readers' engine, and the threads that read."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.path = Path(self.url.database) if self.is_sqlite and self.url.database else None
        self._wal = f"{self.path}-wal" if self.path is not None else None
        self._name = str(self.path)
        self._file: tuple[int, int] | None = None
        self._gate = threading.Condition()
        self._entered = 0
        self._is_shut = False
        if self.is_sqlite and sqlite3.sqlite_version_info < MINIMUM_SQLITE:
            wanted = ".".join(map(str, MINIMUM_SQLITE))
            raise RuntimeError(f"SQLite {sqlite3.sqlite_version} is too old. Hubbub needs {wanted} or newer.")
        self.writer = self._engine(writing=True)
        self.reader = self._engine(writing=False)
        self._reads: set[Future[Any]] = set()
        self._lock = threading.Lock()
        self.failed_reads = 0
        """The number of reads that failed because the store did not answer."""
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
            hide_parameters=True,  # they contain users' messages
            connect_args={"timeout": BUSY_TIMEOUT, "check_same_thread": False},
        )
        event.listen(engine, "connect", _pragmas if writing else _reading_pragmas)
        event.listen(engine, "begin", _begin_immediate if writing else _begin_snapshot)
        return engine

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Open a connection for migrations: one process at a time, without timeouts."""
        if self.is_sqlite:
            with translate_errors(), self.writer.connect() as connection:
                yield connection
            return
        engine = postgresql.patient_engine(self.url)
        with translate_errors(), engine.connect() as connection:
            # The session holds the lock beyond the transactions of the steps. PostgreSQL releases
            # it when the session ends.
            connection.execute(select(func.pg_advisory_lock(MIGRATION_LOCK)))
            connection.commit()
            yield connection

    def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``query(connection, …)`` in one read transaction on the calling thread.

        Raises Unavailable.
        """
        if self.path is None:
            with translate_errors(), self.reader.connect() as connection, connection.begin():
                return query(connection, *args, **kwargs)
        with self._gate:
            if self._is_shut:
                raise Unavailable(retry_after=1.0)
            self._entered += 1
        try:
            with translate_errors(), self.reader.connect() as connection, connection.begin():
                return query(connection, *args, **kwargs)
        finally:
            with self._gate:
                self._entered -= 1
                self._gate.notify_all()

    def submit(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run ``query(connection, …)`` on a reader thread.

        Raises Busy if too many reads are waiting.
        """
        if len(self._reads) >= MAX_WAITING_READS:
            raise Busy(retry_after=1.0)
        future = self._threads.submit(lambda: self.read(query, *args, **kwargs))
        self._reads.add(future)
        future.add_done_callback(self._read_ended)
        return future

    @property
    def reads(self) -> tuple[int, int]:
        """Return (waiting, running): the reads that wait for a thread or run on one."""
        running = self.reader.pool.checkedout()  # type: ignore[attr-defined]  # all pools used here count them
        return max(0, len(self._reads) - running), running

    def _read_ended(self, read: Future[Any]) -> None:
        """Count a failed read. Called on the reader thread."""
        self._reads.discard(read)
        if not read.cancelled() and isinstance(read.exception(), Unavailable):
            with self._lock:
                self.failed_reads += 1

    def is_replaced(self) -> bool:
        """Return whether SQLite's path names another file than the one that is open, or none."""
        return self._file is not None and self._stat() != self._file

    def leave_file(self, writer: Connection | None) -> None:
        """Refuse reads, and finish a SQLite file that was moved or replaced.

        What was committed goes into it: SQLite would apply a write-ahead log that is left to the
        new file. Called on the writer's thread with its connection, if it is open. Raises
        Unavailable if another process reads the file.
        """
        if not self._is_shut:
            logger.error("database_file_replaced", path=str(self.path), advice=REPLACED)
        with self._gate:
            self._is_shut = True
            if not self._gate.wait_for(lambda: self._entered == 0, timeout=BUSY_TIMEOUT):
                raise Unavailable(retry_after=1.0)
        if writer is not None and not self.truncate_wal(writer):
            raise Unavailable(retry_after=1.0)

    def reopen(self) -> None:
        """Let connections open the new file. Raises Unavailable if there is none."""
        self.reader.dispose()
        self.writer.dispose()
        self.note_file()
        if self._file is None:
            self._file = (0, 0)  # it is still replaced
            raise Unavailable(retry_after=1.0)
        with self._gate:
            self._is_shut = False

    def note_file(self) -> None:
        """Note which SQLite file the writer opens."""
        self._file = self._stat()

    def _stat(self) -> tuple[int, int] | None:
        """Return the device and inode of the SQLite file."""
        if self.path is None:
            return None
        try:
            found = os.stat(self._name)  # noqa: PTH116  before every batch
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def wal_bytes(self) -> int:
        """Return the size of SQLite's write-ahead log in bytes, 0 for PostgreSQL."""
        # The file must not be opened: closing a descriptor would drop the locks that SQLite holds
        # on its files (https://www.sqlite.org/howtocorrupt.html, section 2.2).
        try:
            return os.stat(self._wal).st_size if self._wal is not None else 0  # noqa: PTH116  after every batch
        except OSError:
            return 0

    def truncate_wal(self, connection: Connection) -> bool:
        """Move the write-ahead log into the database and truncate it.

        Called between two transactions of the writer. Returns False if a reader needs the log.
        """
        cursor = driver_cursor(connection)
        try:
            cursor.execute("PRAGMA busy_timeout=0")  # do not wait for readers: the next batch tries again
            ((busy, _, _),) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            cursor.execute(f"PRAGMA busy_timeout={round(BUSY_TIMEOUT * 1000)}")
        finally:
            cursor.close()
        return not busy

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
        self.reader.dispose()
        self.writer.dispose()


class WriterConnection:
    """The writer's one connection, opened when needed and closed after a failure.

    Must be used on the writer's thread only.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._erase_at: float | None = 0.0 if database.is_sqlite else None
        """When to erase deleted text from the write-ahead log. The last process may have left some."""
        self._erased_at = -ERASURE_INTERVAL
        self._is_leaving = False
        """Whether the write-ahead log must still go into a file that was replaced."""
        self.is_verified = False
        """Whether the database was checked since this connection was opened. The writer's user sets
        it."""

    def get(self) -> Connection:
        if self._database.is_replaced():
            self._is_leaving = True
            self._database.leave_file(self._connection)
            self._is_leaving = False
            self.hang_up()
            self._database.reopen()
        if self._connection is None:
            self._database.note_file()
            self._connection = self._database.writer.connect()
            self.is_verified = False
        return self._connection

    def note_erasure(self) -> None:
        """Note that the write-ahead log may contain text that was deleted."""
        if self._database.is_sqlite and self._erase_at is None:
            self._erase_at = max(monotonic(), self._erased_at + ERASURE_INTERVAL)

    def erasure_due(self) -> float | None:
        """Return in how many seconds `checkpoint` has to erase text; None if there is none to erase."""
        return None if self._erase_at is None else max(0.0, self._erase_at - monotonic())

    def checkpoint(self) -> None:
        """Truncate a write-ahead log that contains deleted text, or has grown because of long reads.

        Called between two transactions. SQLite makes the usual checkpoints itself: a COMMIT that
        finds CHECKPOINT_PAGES in the log moves what it can, but erases nothing.
        """
        due = self._erase_at is not None and self._erase_at <= monotonic()
        if not due and self._database.wal_bytes() <= CUT_BYTES:
            return
        try:
            done = self._database.truncate_wal(self.get())
        except Exception as error:  # the next batch finds out whether the database answers
            logger.warning("checkpoint_failed", reason=repr(error))
            self.hang_up()
            self._erase_at = monotonic() + ERASURE_INTERVAL
            return
        if done:
            self._erase_at, self._erased_at = None, monotonic()
        elif due:
            self._erase_at = monotonic() + ERASURE_RETRY

    def close(self) -> None:
        """Close for good."""
        if self._database.is_replaced():
            try:
                self._database.leave_file(self._connection)
            except Exception as error:
                logger.warning("file_not_finished", reason=repr(error))
        self._is_leaving = False
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connection after a failure."""
        if self._is_leaving:
            return
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.invalidate()
                connection.close()
            except Exception as error:
                logger.info("disconnect_failed", reason=repr(error))


class Statement:
    """A frequent statement: compiled once per dialect, run on the driver's own cursor.

    It is built with SQLAlchemy. Execution by SQLAlchemy costs about 60 µs, by the driver 7 µs.
    """

    def __init__(self, build: Callable[[Dialect], Executable]) -> None:
        self._build = build
        self._compiled: dict[str, tuple[str, tuple[str, ...] | None, dict[str, Any]]] = {}

    def run(self, connection: Connection, **parameters: Any) -> Any:
        """Execute with `parameters` and return the driver's cursor.

        Errors are the driver's.
        """
        text, order, constants = self.compiled(connection.dialect)
        values = constants | parameters
        cursor = driver_cursor(connection)
        cursor.execute(text, values if order is None else tuple(values[name] for name in order))
        return cursor

    def rows(self, connection: Connection, **parameters: Any) -> list[tuple[Any, ...]]:
        """Return all rows as plain tuples, in the order of the statement's columns."""
        cursor = self.run(connection, **parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.close()
        return found

    def row(self, connection: Connection, **parameters: Any) -> tuple[Any, ...] | None:
        """Return the first row as a plain tuple, None if there is none."""
        cursor = self.run(connection, **parameters)
        found: tuple[Any, ...] | None = cursor.fetchone()
        cursor.close()
        return found

    def compiled(self, dialect: Dialect) -> tuple[str, tuple[str, ...] | None, dict[str, Any]]:
        """Return the statement's text, parameter order and constant parameters.

        The order is None if the driver takes parameters by name.
        """
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
    driver.isolation_level = None  # transactions begin with our BEGIN, not where the driver would begin them
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
    driver_cursor(connection).execute("BEGIN IMMEDIATE")  # for every batch; SQLAlchemy is slower


def _begin_snapshot(connection: Connection) -> None:
    driver_cursor(connection).execute("BEGIN")
