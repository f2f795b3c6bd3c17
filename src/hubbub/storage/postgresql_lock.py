"""The lock of a PostgreSQL database: an advisory lock held by one session.

Without a bus, two servers on one database would not hear of each other's events, so the second server
is refused. The nodes of a site with a bus share the lock; a server without a bus, a command and a
restore hold it alone. So the two kinds exclude each other. Nodes with another kind of bus, or with
tables that do not go together, are refused, too: the name of the session has the revision of the
tables, and the oldest one with which it goes together. The lock belongs to a session, so PostgreSQL
releases it when the connection ends: at once when the process ends, within about 30 s (TCP
keepalives, on both sides) when its machine disappears. Advisory locks are per database. The lock's
number is derived from the schema, since several sites can share a database in schemas of their own.

A session can end while its server runs: by a failover, a restart of PostgreSQL, or
`pg_terminate_backend`. The server then takes the lock again. If another server holds it by then,
this server must end. A pooler between server and database must give each client a session of its
own (PgBouncer: `pool_mode = session`).
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
from hubbub.storage.migrate import HEAD, OLDEST

CLASS = 0x48756262
"""The first half of the lock's number. The second half is derived from the schema."""
SERVER_TIMEOUT = 15.0
"""Seconds for which a server waits for its predecessor. A failover of the connection takes less."""
COMMAND_TIMEOUT = 2.0
CHECK_INTERVAL = 1.0
RETRY_INTERVAL = 0.25
MAX_NAME = 63
"""PostgreSQL truncates `application_name` to this many bytes."""

HOLDERS = text(
    "SELECT a.application_name, (extract(epoch FROM a.backend_start) * 1000)::bigint FROM pg_locks l"
    " JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2"
    " AND l.classid = :class AND l.objid = :number"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND l.pid <> pg_backend_pid() ORDER BY 2"
)
NODES = text(str(HOLDERS).replace("AND l.pid <> pg_backend_pid() ORDER BY 2", ""))
NODE = "hubbub-node."
"""How the names of nodes with a bus begin."""
NAME = re.compile(r"hubbub-node\.(?P<bus>\w+)\.(?P<newest>\d+)(-(?P<oldest>\d+))? ")

Purpose = Literal["serve", "command", "restore"]
logger = structlog.get_logger(__name__)


def _revisions() -> str:
    return HEAD if OLDEST == HEAD else f"{HEAD}-{OLDEST}"


class Holder(NamedTuple):
    """The session that holds the lock: its name and its start (ms).

    `since` is None if our database role may not see it.
    """

    name: str
    since: int | None


def nodes(connection: Connection) -> set[str]:
    """Return the tokens of the nodes that hold the lock, with an empty one for those we may not see."""
    return {(name or "").rpartition(" ")[2] for name, _ in connection.execute(NODES, _number(connection))}


def _number(connection: Connection) -> dict[str, int]:
    schema = str(connection.scalar(text("SELECT current_schema()")))
    return {"class": CLASS, "number": zlib.crc32(schema.encode()) & 0x7FFFFFFF}


class PostgresLock:
    """The lock, held from `acquire` to `close`.

    `on_lost` is called on a thread, at most once, if another server holds the lock. Its argument is
    a sentence for the operator.
    """

    def __init__(
        self,
        url: URL,
        purpose: Purpose,
        on_lost: Callable[[str], object] = lambda sentence: None,
        *,
        bus: str | None = None,
    ) -> None:
        """Prepare the lock. `bus` is the kind of the bus of a node that shares it."""
        self._purpose = purpose
        self._bus = bus
        self._node = f"{NODE}{bus}.{_revisions()} " if bus is not None else None
        self._on_lost = on_lost
        self.on_regained: Callable[[], object] = lambda: None
        """Called on a thread when the lock was lost and is held again, perhaps on another machine."""
        host = re.sub(r"[^A-Za-z0-9._-]", "?", os.uname().nodename)
        self.token = secrets.token_hex(4)
        """The last word of the session's name, which tells nodes apart."""
        tail = f" {os.getpid()} {self.token}"
        head = self._node or f"hubbub-{purpose} "
        self._name = f"{head}{host[: MAX_NAME - len(head) - len(tail)]}{tail}"
        self._engine = postgresql.lock_engine(url, self._name)
        self._connection: Connection | None = None
        self._stop = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="hubbub-lock", daemon=True)

    def acquire(self) -> None:
        """Take the lock; wait for a while if another process holds it.

        Raises DatabaseInUse, Unavailable.
        """
        deadline = time.monotonic() + (SERVER_TIMEOUT if self._purpose == "serve" else COMMAND_TIMEOUT)
        waiting = False
        while (holder := self._try()) is not None:
            if time.monotonic() >= deadline or self._stop.is_set():
                self.close()
                raise DatabaseInUse(self._sentence(holder))
            if not waiting:
                waiting = True
                logger.info("waiting_for_database", holder=holder.name)
            self._stop.wait(RETRY_INTERVAL)
        if self._purpose == "serve":
            self._watcher.start()

    def close(self) -> None:
        self._stop.set()
        if self._watcher.is_alive():
            self._watcher.join()
        self._hang_up()
        self._engine.dispose()

    def _try(self) -> Holder | None:
        """Try to take the lock.

        Returns None on success, else the holder. Raises Unavailable.
        """
        with translate_errors():
            if self._connection is None:
                self._connection = self._engine.connect()
            connection = self._connection
            number = _number(connection)
            shared = "_shared" if self._node is not None else ""
            taken = connection.scalar(text(f"SELECT pg_try_advisory_lock{shared}(:class, :number)"), number)
            if taken and self._node is None:
                return None
            holders = [Holder(name or "", since) for name, since in connection.execute(HOLDERS, number)]
            if not taken:
                return holders[0] if holders else Holder("", None)
            other = next((each for each in holders if not self._goes_with(each.name)), None)
            if other is not None:
                connection.execute(text("SELECT pg_advisory_unlock_shared(:class, :number)"), number)
            return other

    def _goes_with(self, name: str) -> bool:
        """Return whether the holder is a node of this site that this one can run beside."""
        found = NAME.match(name)
        if found is None or found["bus"] != self._bus:
            return False
        newest, oldest = found["newest"], found["oldest"] or found["newest"]
        return oldest <= HEAD if newest > HEAD else newest >= OLDEST

    def _watch(self) -> None:
        while not self._stop.wait(CHECK_INTERVAL):
            if self._is_held():
                continue
            logger.warning("database_lock_lost", advice="the connection that held the lock ended; taking it again")
            if not self._retake():
                return

    def _is_held(self) -> bool:
        """Return whether the session is alive, and with it the lock."""
        try:
            with translate_errors():
                assert self._connection is not None
                self._connection.execute(text("SELECT 1"))
        except Unavailable:
            self._hang_up()
            return False
        return True

    def _retake(self) -> bool:
        """Take the lock again, however long it takes.

        Returns False if another server holds it, or if `close` was called.
        """
        while not self._stop.wait(RETRY_INTERVAL):
            try:
                holder = self._try()
            except Unavailable:
                self._hang_up()
                continue
            if holder is None:
                logger.info("database_lock_regained")
                self.on_regained()
                return True
            # The holder may be our own last session that has not ended yet, or a command that ends
            # within seconds.
            if holder.name.startswith(("hubbub-serve ", "hubbub-restore ", NODE)) and holder.name != self._name:
                self._hang_up()
                self._on_lost(self._sentence(holder))
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

    def _sentence(self, holder: Holder) -> str:
        found = re.fullmatch(r"hubbub-([\w.]+) (\S+) (\d+) \w+", holder.name)
        since = f", since {timestamp(holder.since)[:19].replace('T', ' ')} UTC" if holder.since is not None else ""
        process = f" (process {found[3]} on {found[2]}{since})" if found else ""
        if found and found[1] in ("command", "restore"):
            return f"Another Hubbub command{process} is using this database. Try again when it has finished."
        head = f"Another Hubbub server{process} already uses this database"
        if self._node is None and holder.name.startswith(NODE):
            return (
                f"{head} with a bus. Set HUBBUB_BUS_URL to the same bus, or stop all other servers. For a command, "
                "name the data folder of a running server with --data."
            )
        if self._node is None:
            return (
                f"{head}. Several servers need a bus: set HUBBUB_BUS_URL for all of them. Otherwise stop the other "
                "server or use another database. For a command, name the data folder of the running server with --data."
            )
        if not holder.name.startswith(NODE):
            return f"{head} without a bus. Stop it, or set its HUBBUB_BUS_URL, too."
        if holder.name.startswith(self._node.rpartition(".")[0]):
            return f"{head} with another version of its tables. Stop all servers before this upgrade."
        return f"{head} with another kind of bus. All servers of a site need the same HUBBUB_BUS_URL."
