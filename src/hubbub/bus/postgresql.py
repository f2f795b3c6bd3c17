"""The bus over PostgreSQL alone: LISTEN and NOTIFY on one own connection.

A notification is a hint with topics and their heads; receivers read the entries from the log. One
notification is sent per commit, or per several commits when they come faster than PostgreSQL takes
notifications. It is sent after the commit, since NOTIFY in a transaction of the journal would make
all commits of the database wait for each other. Signals have notifications of their own, and are
collected for SIGNALS_INTERVAL. For two to four small nodes.

https://www.postgresql.org/docs/current/sql-notify.html
"""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hubbub.bus.messages import Codec
from hubbub.bus.remote import CLOSE_TIMEOUT, RemoteBus
from hubbub.domain.events import Entry

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Notify

MAX_PAYLOAD = 7_999
"""Bytes of a notification, by PostgreSQL."""
MOST_HEADS = 200
"""Heads of a notification, at first. Fewer if the topics are long."""
SIGNAL_BYTES = 7_000
"""Bytes of signals in a notification, without its head."""
SIGNALS_INTERVAL = 0.02
"""Seconds between two notifications with signals."""
ANSWER_TIMEOUT = 5.0
"""Seconds after which a connection without an answer is replaced."""
CHECK_INTERVAL = 5.0


class PostgresBus(RemoteBus):
    """The bus over PostgreSQL. `site` tells sites in one database apart."""

    kind = "postgresql"

    def __init__(self, conninfo: str, site: str, codec: Codec, **options: Any) -> None:
        super().__init__(codec)
        self._conninfo = conninfo
        self._options = options
        self._channel = f"hubbub_{site}"
        self._descriptor = -1
        """A copy of the connection's file descriptor. libpq closes its own one at an error, and the
        event loop must not be left with a descriptor that is closed (uvloop then ends the process)."""
        self._ended = asyncio.Event()
        self._fresh: list[str] = []

    def _publish(self, topic: str, entries: Sequence[Entry]) -> None:
        """Send nothing but the head, which waits to be announced."""

    def _joined(self, topic: str) -> None:
        if not self._fresh:  # what comes from now on is heard; entries just before may be missing
            asyncio.get_running_loop().call_soon(self._check_fresh)
        self._fresh.append(topic)

    def _check_fresh(self) -> None:
        fresh, self._fresh = self._fresh, []
        self._check(fresh)

    def _left(self, topics: Sequence[str]) -> None:
        """Do nothing: there is one channel for all topics."""

    async def _serve(self) -> None:
        from psycopg import AsyncConnection

        connection = await AsyncConnection.connect(self._conninfo, autocommit=True, **self._options)
        self._descriptor, self._ended = os.dup(connection.fileno()), asyncio.Event()
        connection.add_notify_handler(self._notified)
        work = asyncio.create_task(self._work(connection))
        ended = asyncio.create_task(self._ended.wait())
        try:
            await asyncio.wait((work, ended), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            self.connected = False
            work.cancel()
            ended.cancel()
            await asyncio.gather(work, ended, return_exceptions=True)
            self._stop_reading()
            os.close(self._descriptor)
            with contextlib.suppress(Exception):
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await connection.close()

    async def _work(self, connection: "AsyncConnection[Any]") -> None:
        """Listen and notify until cancelled."""
        await self._execute(connection, "SET synchronous_commit = off", ())  # a hint need not be on disk
        await self._execute(connection, f'LISTEN "{self._channel}"', ())
        self._established()
        loop = asyncio.get_running_loop()
        signals_at = checked_at = loop.time()
        while True:
            self._wake.clear()
            if self._heads or self._everything:
                await self._notify(connection, self._payload())
            if self._signals and loop.time() >= signals_at:
                signals_at = loop.time() + SIGNALS_INTERVAL
                _, signals = self._signals.take(SIGNAL_BYTES)
                await self._notify(connection, self._codec.encode(self.epoch, {}, signals=signals).decode())
            if self._heads or self._everything:
                continue
            until = signals_at if self._signals else checked_at + CHECK_INTERVAL
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._wake.wait()
            if loop.time() >= checked_at + CHECK_INTERVAL:
                checked_at = loop.time()
                await self._execute(connection, "SELECT 1", ())

    async def _notify(self, connection: "AsyncConnection[Any]", payload: str) -> None:
        await self._execute(connection, "SELECT pg_notify(%s, %s)", (self._channel, payload))
        self.counts.sent += 1

    def _payload(self) -> str:
        most = MOST_HEADS
        while True:
            heads, everything = self._take_heads(most)
            payload = self._codec.encode(self.epoch, heads, everything=everything)
            if len(payload) <= MAX_PAYLOAD:
                return payload.decode()
            self._heads = {**heads, **self._heads}
            self._everything = everything
            most //= 2

    async def _execute(self, connection: "AsyncConnection[Any]", statement: str, values: tuple[str, ...]) -> None:
        """Execute a statement. Notifications are read by the driver meanwhile, and by `_read` at all other times."""
        self._stop_reading()
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await connection.execute(statement.encode(), values)
        asyncio.get_running_loop().add_reader(self._descriptor, self._read, connection)
        self._read(connection)  # the driver may have received more than it has told

    def _stop_reading(self) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)

    def _read(self, connection: "AsyncConnection[Any]") -> None:
        try:
            connection.pgconn.consume_input()
            while (found := connection.pgconn.notifies()) is not None:
                self._handle(found.extra)
        except Exception:  # the connection has ended
            self._stop_reading()
            self._ended.set()

    def _notified(self, notification: "Notify") -> None:
        self._handle(notification.payload.encode())
