"""Takes posts over from the outbox in the host application's database.

For each row: read it, post the message with the row's id as its key, delete the row. A process that
ends in between posts the row again, and the key makes that harmless (`(room, author, key)` is
unique for ever). The rows of a room are posted one after the other, in the order of the table, and
rooms at the same time. What can't be posted is given up, and the rest of the room goes on.

Polling finds the rows. A post of this process makes the polls more frequent for a while, because its
transaction is about to commit.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from random import uniform
from typing import TypeVar

import structlog

from hubbub.clock import Clock
from hubbub.domain.errors import HubbubError
from hubbub.domain.text import one_line
from hubbub.outbox.posts import OutboxPost
from hubbub.storage.db_errors import NotPermitted, StatementRejected
from hubbub.storage.host_outbox import MOST_DEAD, HostOutbox, WaitingRow

logger = structlog.get_logger(__name__)

R = TypeVar("R")
Poster = Callable[[OutboxPost], Awaitable[object]]
"""Posts one message with its key. Raises HubbubError: a `retryable` one if the same call may succeed
later. ValueError means that it never will."""
BATCH = 100
"""Rows that are read at once."""
ROOMS = 32
"""Rooms that are posted to at the same time."""
POLL = 0.25
"""Seconds between two looks at an empty table."""
FIRST_LOOK = 0.005
"""Seconds between a post of this process and the first look; each further one takes twice as long."""
LONGEST_DELAY = 5.0
"""Seconds up to which the delay grows while the database does not answer, or posts fail."""
PATIENCE = 5.0
"""Seconds for which the same row may stay the oldest before a process without the lock takes it."""
MOST_BUGS = 5
"""Attempts at a post that fails with an unexpected error, before it is given up. Its room waits meanwhile."""
MOST_HELD = 100
"""Rooms that may wait for that reason at the same time. A post of a further room is given up at once."""
SILENT_FAILURES = 2
"""Failures in a row that are not logged: another program may have the database for itself for a second."""


@dataclass(slots=True)
class Counts:
    """What became of the rows, for the metrics."""

    posted: int = 0
    dead: int = 0
    failures: int = 0
    """Times the host's database did not answer."""
    oldest: float = 0.0
    """Age in seconds of the oldest row, when the table was last read."""


@dataclass(slots=True)
class _Results:
    taken: list[str] = field(default_factory=list)
    dead: list[tuple[str, str]] = field(default_factory=list)
    unavailable: HubbubError | None = None
    """Set if Hubbub itself cannot store messages now."""


@dataclass(slots=True)
class _Held:
    """A room that waits after an unexpected error."""

    bugs: int
    until: float


class OutboxTaker:
    """Takes the rows of one outbox over. Must be used on the event loop's thread, apart from `hint`."""

    def __init__(self, table: HostOutbox, post: Poster, clock: Clock) -> None:
        self._table, self._post, self._clock = table, post, clock
        self._thread = ThreadPoolExecutor(1, "hubbub-outbox")
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._delay = POLL
        self._failures = 0
        self._held: dict[str, _Held] = {}
        self._first: tuple[str, float] | None = None
        self.counts = Counts()

    def hint(self) -> None:
        """Look soon: a transaction with a post is about to commit. Any thread may call this."""
        with suppress(RuntimeError):  # the loop has been closed meanwhile
            self._loop.call_soon_threadsafe(self._hinted)

    def _hinted(self) -> None:
        self._delay = FIRST_LOOK
        self._wake.set()

    async def run(self) -> None:
        """Take rows over until cancelled."""
        try:
            while True:
                try:
                    busy = await self._look()
                    self._recovered()
                except Exception as error:
                    await self._failed(error)
                    continue
                if not busy:
                    await self._pause()
        finally:
            self._thread.submit(self._table.close)
            self._thread.shutdown(wait=False)

    async def _look(self) -> bool:
        """Take over what is there; return whether to look again at once."""
        owns = await self._call(self._table.own)
        waits = [room for room, held in self._held.items() if held.until > self._clock.monotonic()]
        rows = await self._call(self._table.read, BATCH if owns else 1, waits)
        now = self._clock.now()
        self.counts.oldest = max(0.0, (now - rows[0][3]) / 1000) if rows else 0.0
        if not owns:
            if self._is_stuck(rows):
                logger.warning("outbox_owner_silent", seconds=PATIENCE)
                await self._call(lambda: self._table.own(by_force=True))
                return True
            return False
        if not rows:
            return False
        results = await self._post_all(rows)
        if results.taken or results.dead:
            forgotten = await self._call(self._table.finish, results.taken, results.dead, now)
            self.counts.posted += len(results.taken)
            self.counts.dead += len(results.dead)
            if forgotten:
                logger.error("outbox_dead_forgotten", count=forgotten, kept=MOST_DEAD)
        if results.unavailable is not None:
            raise _MustWait from results.unavailable
        return bool(results.taken or results.dead)

    def _is_stuck(self, rows: Sequence[WaitingRow]) -> bool:
        """Return whether the process with the lock has left the oldest row for too long."""
        now = self._clock.monotonic()
        if not rows:
            self._first = None
        elif self._first is None or self._first[0] != rows[0][0]:
            self._first = rows[0][0], now
        return self._first is not None and now - self._first[1] >= PATIENCE

    async def _post_all(self, rows: Sequence[WaitingRow]) -> _Results:
        rooms: dict[str, list[WaitingRow]] = {}
        for row in rows:
            rooms.setdefault(row[1], []).append(row)
        results, waiting = _Results(), list(rooms.values())[::-1]

        async def post_rooms() -> None:
            while waiting and results.unavailable is None:
                await self._post_room(waiting.pop(), results)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(ROOMS, len(rooms))):
                group.create_task(post_rooms())
        return results

    async def _post_room(self, rows: Sequence[WaitingRow], results: _Results) -> None:
        """Post the rows of a room in order, up to one that may succeed later."""
        for key, room, stored, _ in rows:
            try:
                await self._post(OutboxPost.read(key, room, stored))
            except ValueError as error:
                self._give_up(key, room, str(error), results)
            except HubbubError as error:
                if error.retryable:
                    results.unavailable = error
                    return
                self._give_up(key, room, error.message, results)
            except Exception as error:
                if self._hold(room):
                    logger.warning("outbox_stumbled", id=key, reason=repr(error))
                    return
                logger.exception("outbox_stumbled", id=key, exc_info=error)
                self._give_up(key, room, f"unexpected error: {error!r}", results)
            else:
                results.taken.append(key)
            self._held.pop(room, None)

    def _hold(self, room: str) -> bool:
        """Let a room wait after an unexpected error; return False if its post is to be given up."""
        held = self._held.setdefault(room, _Held(0, 0.0))
        held.bugs += 1
        held.until = self._clock.monotonic() + POLL * 2**held.bugs
        return held.bugs < MOST_BUGS and len(self._held) <= MOST_HELD

    def _give_up(self, key: str, room: str, reason: str, results: _Results) -> None:
        reason = one_line(reason)
        advice = f'To try it again: outbox.retry(connection, "{key}")'
        logger.error("outbox_post_dead", id=key, room=one_line(room), reason=reason, advice=advice)
        results.dead.append((key, reason))

    async def _call(self, work: Callable[..., R], *arguments: object) -> R:
        return await self._loop.run_in_executor(self._thread, work, *arguments)

    async def _pause(self) -> None:
        self._wake.clear()
        delay, self._delay = self._delay, min(POLL, self._delay * 2)
        try:
            async with asyncio.timeout(delay):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _recovered(self) -> None:
        if self._failures > SILENT_FAILURES:
            logger.info("outbox_available", failures=self._failures)
        self._failures = 0

    async def _failed(self, error: Exception) -> None:
        """Wait after a failure, longer after each further one."""
        self._failures += 1
        if not isinstance(error, _MustWait):
            self.counts.failures += 1
            await self._call(self._table.hang_up)
            if self._failures == SILENT_FAILURES + 1 or not isinstance(error, HubbubError):
                self._report(error)
        await asyncio.sleep(min(LONGEST_DELAY, POLL * 2 ** min(self._failures, 16)) * uniform(0.5, 1))  # noqa: S311

    def _report(self, error: Exception) -> None:
        reason = repr(error.__cause__ or error)
        if "hubbub_outbox" in reason and isinstance(error, StatementRejected | HubbubError | NotPermitted):
            advice = (
                "Create the table in the host's database: outbox.create_table(connection), or outbox.create_sql(…)."
            )
            logger.warning("outbox_unavailable", reason=reason, advice=advice)
        else:
            logger.warning("outbox_unavailable", reason=reason)


class _MustWait(Exception):
    """A post failed that may succeed later."""
