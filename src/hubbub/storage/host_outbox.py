"""The outbox table in the host application's database, as Hubbub reads it.

One connection, used by one thread. All transactions are single statements or a few short ones: none
is open while a post is on its way, so that the host application never waits for Hubbub.

Several processes may take over the same rows: each does so in the order of `seq`, and the key of a
message makes the second attempt harmless, so neither repeats nor reorders messages. The lock only
spares the work. On PostgreSQL it belongs to the session; on SQLite it is on a file of the data folder.
"""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, bindparam, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from hubbub.outbox import table as tables
from hubbub.storage import postgresql
from hubbub.storage.database import driver_cursor
from hubbub.storage.db_errors import translate_errors
from hubbub.storage.locks import InUse, try_lock

BUSY_TIMEOUT = 1.5
LOCK_KEY = 0x68756262_6F757462
"""The advisory lock of PostgreSQL, in the host's database: "hubboutb" in ASCII."""
MOST_DEAD = 10_000
"""Rows that were given up and are kept. The oldest ones are deleted."""

NO_ADDRESS = "an outbox that is taken over needs the address of a PostgreSQL database, or of a file of SQLite"

WaitingRow = tuple[str, str, str, int]
"""Id, room, content, and the time in milliseconds since 1970."""


class HostOutbox:
    """The rows of one outbox. Must be used on one thread at a time.

    `lock` is a file that the processes of a site share if there are several, else None: then there is
    no lock. Raises ValueError for an address that leads to no shared database, Unavailable without
    a driver. The methods raise what `translate_errors` raises; the caller then calls `hang_up`.
    """

    def __init__(self, database: str | URL, schema: str | None, lock: Path | None) -> None:
        try:
            url = make_url(database)
        except ArgumentError:
            raise ValueError(NO_ADDRESS) from None
        self._kind = url.get_backend_name()
        self._lock_file = lock
        self._name = tables.qualified(schema)
        self._engine = _engine(url)
        self._connection: Connection | None = None
        self._locked = ExitStack()
        self._owns = lock is None

    def own(self, *, by_force: bool = False) -> bool:
        """Return whether this process takes the rows over. With `by_force` it does so without the lock."""
        if self._owns or by_force:
            self._owns = True
        elif self._kind == "postgresql":
            with translate_errors():
                query = text("SELECT pg_try_advisory_lock(:key)")
                self._owns = bool(self._get().execute(query, {"key": LOCK_KEY}).scalar())
        else:
            assert self._lock_file is not None
            try:
                self._locked.enter_context(try_lock(self._lock_file))
                self._owns = True
            except InUse:
                self._owns = False
        return self._owns

    def read(self, limit: int, held: Sequence[str] = ()) -> list[WaitingRow]:
        """Return the oldest rows that wait, in their order, without those of the rooms `held`."""
        others = " AND room NOT IN :held" if held else ""
        query = f"SELECT id, room, post, created_at FROM {self._name} WHERE dead_at IS NULL{others}"  # noqa: S608
        statement = text(f"{query} ORDER BY seq LIMIT :limit")
        parameters: dict[str, object] = {"limit": limit}
        if held:
            statement = statement.bindparams(bindparam("held", expanding=True))
            parameters["held"] = list(held)
        with translate_errors():
            return [(key, room, post, at) for key, room, post, at in self._get().execute(statement, parameters)]

    def finish(self, taken: Sequence[str], dead: Sequence[tuple[str, str]], now: int) -> int:
        """Delete rows that were taken over, and mark rows as given up, with the reason.

        Returns how many old rows were deleted because more than MOST_DEAD were given up.
        """
        given_up = [{"id": key, "now": now, "reason": reason[: tables.MAX_REASON]} for key, reason in dead]
        with translate_errors():
            connection = self._get()
            driver_cursor(connection).execute("BEGIN IMMEDIATE" if self._kind == "sqlite" else "BEGIN")
            if taken:
                statement = text(f"DELETE FROM {self._name} WHERE id = :id")  # noqa: S608
                connection.execute(statement, [{"id": key} for key in taken])
            forgotten = self._bury(connection, given_up) if given_up else 0
            driver_cursor(connection).execute("COMMIT")
        return forgotten

    def _bury(self, connection: Connection, rows: list[dict[str, object]]) -> int:
        mark = f"UPDATE {self._name} SET dead_at = :now, reason = :reason WHERE id = :id"  # noqa: S608
        connection.execute(text(mark), rows)
        old = f"SELECT seq FROM {self._name} WHERE dead_at IS NOT NULL ORDER BY seq DESC LIMIT 1 OFFSET :most"  # noqa: S608
        last = connection.execute(text(old), {"most": MOST_DEAD}).scalar()
        if last is None:
            return 0
        forget = f"DELETE FROM {self._name} WHERE dead_at IS NOT NULL AND seq <= :last"  # noqa: S608
        return connection.execute(text(forget), {"last": last}).rowcount

    def hang_up(self) -> None:
        """Close the connection after a failure. The next method opens another one."""
        connection, self._connection = self._connection, None
        self._owns = self._lock_file is None
        self._locked.close()
        if connection is not None:
            connection.invalidate()
            connection.close()

    def close(self) -> None:
        """Close the connection and release the lock."""
        self.hang_up()
        self._engine.dispose()

    def _get(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection


def _engine(url: URL) -> Engine:
    """Return an engine whose statements are transactions of their own, unless there is a BEGIN."""
    kind = url.get_backend_name()
    if kind == "postgresql":
        return postgresql.lock_engine(url.set(drivername="postgresql+psycopg"), "hubbub-outbox")
    if kind != "sqlite" or url.database in (None, "", ":memory:"):
        raise ValueError(NO_ADDRESS)
    path = Path(os.path.abspath(str(url.database)))  # noqa: PTH100  the working directory may change later
    return create_engine("sqlite://", creator=lambda: _connect(path), poolclass=NullPool, hide_parameters=True)


def _connect(path: Path) -> sqlite3.Connection:
    """Open a database that exists. The host application decides on its modes."""
    address = f"file:{quote(str(path))}?mode=rw"
    return sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
