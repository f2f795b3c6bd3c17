"""The lock of a PostgreSQL database: an advisory lock that one session holds as long as the server runs.

This version has no bus, so two servers on one database would not hear of each other's events: the second is refused.
The lock belongs to a session, so PostgreSQL gives it back when the connection ends: at once when the process ends,
within about 30 s (TCP keepalives, on both sides) when its machine disappears. Advisory locks are per database; the
number is derived from the schema, since several sites can share a database in schemas of their own.

A session can end under a running server: a failover, a restart of PostgreSQL, `pg_terminate_backend`. Then the lock is
taken again, and what could have happened meanwhile decides: if another server holds it, this one must end. Where a
pooler stands in between, it has to give each client a session of its own (PgBouncer: `pool_mode = session`).
"""

import os
import re
import secrets
import threading
import time
import zlib
from collections.abc import Callable
from typing import Literal, NamedTuple

import structlog
from sqlalchemy import URL, Connection, text

from hubbub.domain.errors import Unavailable
from hubbub.domain.text import timestamp
from hubbub.storage import postgresql
from hubbub.storage.db_errors import translate_errors
from hubbub.storage.locks import DatabaseInUse

CLASS = 0x48756262
"""The first half of the lock's number; the second is derived from the schema."""
SERVER_PATIENCE = 15.0
"""Seconds in which a server waits for its predecessor; longer than a failover of the connection takes."""
COMMAND_PATIENCE = 2.0
BEAT = 1.0
PAUSE = 0.25
MAX_NAME = 63
"""PostgreSQL cuts `application_name` after so many bytes."""

HOLDER = text(
    "SELECT a.application_name, (extract(epoch FROM a.backend_start) * 1000)::bigint FROM pg_locks l"
    " JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2"
    " AND l.classid = :class AND l.objid = :number"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)

Purpose = Literal["serve", "command", "restore"]
logger = structlog.get_logger(__name__)


class Holder(NamedTuple):
    """Who holds the lock: the session's name, and when it began (ms); None where the role may not see it."""

    name: str
    since: int | None


class PostgresLock:
    """Held from `acquire` to `close`. `on_lost` is called on a thread, once, with a sentence: another server has it."""

    def __init__(self, url: URL, purpose: Purpose, on_lost: Callable[[str], object] = lambda sentence: None) -> None:
        self._purpose = purpose
        self._on_lost = on_lost
        host = re.sub(r"[^A-Za-z0-9._-]", "?", os.uname().nodename)
        tail = f" {os.getpid()} {secrets.token_hex(4)}"
        head = f"hubbub-{purpose} "
        self._name = f"{head}{host[: MAX_NAME - len(head) - len(tail)]}{tail}"
        self._engine = postgresql.lock_engine(url, self._name)
        self._connection: Connection | None = None
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="hubbub-lock", daemon=True)

    def acquire(self) -> None:
        """Blocks for a while where another process holds it. Raises DatabaseInUse, Unavailable."""
        deadline = time.monotonic() + (SERVER_PATIENCE if self._purpose == "serve" else COMMAND_PATIENCE)
        waiting = False
        while (holder := self._try()) is not None:
            if time.monotonic() >= deadline or self._stop.is_set():
                self.close()
                raise DatabaseInUse(_sentence(holder))
            if not waiting:
                waiting = True
                logger.info("waiting_for_database", holder=holder.name)
            self._stop.wait(PAUSE)
        if self._purpose == "serve":
            self._watcher.start()

    def close(self) -> None:
        self._stop.set()
        if self._watcher.is_alive():
            self._watcher.join()
        self._hang_up()
        self._engine.dispose()

    def _try(self) -> Holder | None:
        """None if the lock is ours now, else who has it. Raises Unavailable."""
        with translate_errors():
            if self._connection is None:
                self._connection = self._engine.connect()
            connection = self._connection
            schema = str(connection.scalar(text("SELECT current_schema()")))
            number = {"class": CLASS, "number": zlib.crc32(schema.encode()) & 0x7FFFFFFF}
            if connection.scalar(text("SELECT pg_try_advisory_lock(:class, :number)"), number):
                return None
            row = connection.execute(HOLDER, number).first()
            return Holder(row[0] or "", row[1]) if row is not None else Holder("", None)

    def _watch(self) -> None:
        while not self._stop.wait(BEAT):
            if self._lives():
                continue
            logger.warning("database_lock_lost", advice="the connection that held it ended; taking it again")
            if not self._retake():
                return

    def _lives(self) -> bool:
        """Whether the session is there, and with it the lock."""
        try:
            with translate_errors():
                assert self._connection is not None
                self._connection.execute(text("SELECT 1"))
        except Unavailable:
            self._hang_up()
            return False
        return True

    def _retake(self) -> bool:
        """Takes the lock again, however long it takes; False if it is over: another server has it, or we end."""
        while not self._stop.wait(PAUSE):
            try:
                holder = self._try()
            except Unavailable:
                self._hang_up()
                continue
            if holder is None:
                logger.info("database_lock_regained")
                return True
            # Our own last session may not have ended yet, and a command lets go of it within seconds.
            if holder.name.startswith(("hubbub-serve ", "hubbub-restore ")) and holder.name != self._name:
                self._hang_up()
                self._on_lost(_sentence(holder))
                return False
        return False

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.invalidate()
                connection.close()
            except Exception as error:
                logger.info("disconnect_failed", reason=repr(error))


def _sentence(holder: Holder) -> str:
    found = re.fullmatch(r"hubbub-(\w+) (\S+) (\d+) \w+", holder.name)
    since = f", since {timestamp(holder.since)[:19].replace('T', ' ')} UTC" if holder.since is not None else ""
    process = f" (process {found[3]} on {found[2]}{since})" if found else ""
    if found and found[1] != "serve":
        return f"Another Hubbub command{process} is using this database. Try again when it has finished."
    return (
        f"Another Hubbub server{process} already uses this database. Several servers need a bus, which this version "
        "does not have: stop the other server or use another database. For a command, name the data folder of the "
        "running server with --data."
    )
