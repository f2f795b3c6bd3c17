"""The work for one follower: which topics are behind, what is handled next, and what a failure leads to."""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection

from hubbub.clock import Clock
from hubbub.domain.commands.followers import (
    MAX_REASON,
    AddDeadLetter,
    ContinueReplay,
    FollowerCommand,
    Move,
    NoteFollowerFailure,
    NoteFollowerRecovery,
    SettleDeadLetter,
)
from hubbub.domain.errors import Busy, Unavailable
from hubbub.domain.events import Entry
from hubbub.domain.model import SYSTEM
from hubbub.domain.model.followers import Lease
from hubbub.domain.text import one_line
from hubbub.engine.follower import MAX_CHARACTERS, Follower, Poison, RetryLater, backoff
from hubbub.engine.follower_positions import Positions
from hubbub.engine.journal import Journal
from hubbub.engine.ports import Read
from hubbub.features.followers import Page, pages
from hubbub.features.shared.followers import Fenced, MovedElsewhere
from hubbub.storage import followers
from hubbub.storage.followers import Behind, Lag, is_prefix

MAX_HINTS = 5_000
"""Topics remembered as hints. With more, the runner compares all heads."""
PAGE = 1_000
"""Topics of one comparison that are in memory at a time."""
CHUNK = 200
"""Topics whose entries are in memory at a time."""
MAX_ATTEMPTS = 8
"""After so many failures with an error that is not RetryLater, an entry becomes a dead letter."""
MANY_TOPICS = 10
"""If so many topics fail one after the other, the cause is not their entries: the whole follower waits."""
STORE_BACKOFF = 1.0
"""Seconds to wait after the database did not answer. This does not count as a failure."""
WORKING = 32
"""Followers of one kind that have entries in memory at a time."""
QUICK_CHECK = 1.0
"""Seconds after which a follower that has become slow gives up its slot, and then at once when it can stop."""
SLOW_WORKING = 16
"""Slow followers of one kind that have entries in memory at a time. They do not hold up the others."""
NO_LAG = Lag(0, 0, None)
TRIMMED = "The log no longer has this entry."

logger = structlog.get_logger(__name__)


class Kind:
    """The followers of one kind in this process: what they share, and what they did."""

    def __init__(self) -> None:
        self._quick = asyncio.Semaphore(WORKING)
        self._slow = asyncio.Semaphore(SLOW_WORKING)
        self.handled = self.failed = self.dead_letters = 0

    def slots(self, *, slow: bool) -> asyncio.Semaphore:
        return self._slow if slow else self._quick


@dataclass(slots=True)
class _Work:
    """A topic that has entries for the follower, and how often its next entry has failed."""

    topic: str
    seq: int
    attempts: int


class _Stop(Exception):
    """The follower cannot go on in this round."""


NOT_FAILURES = (asyncio.CancelledError, _Stop, Unavailable, Busy, Fenced, MovedElsewhere)
"""Exceptions that say nothing about the follower or its entries."""


class Runner:
    """Works for one follower, as long as this process owns it."""

    def __init__(
        self,
        follower: Follower,
        read: Read,
        journal: Journal,
        clock: Clock,
        positions: Positions,
        kind: Kind,
        interval: float,
    ) -> None:
        self.follower = follower
        self.lost: Callable[[], None] = lambda: None
        self._read, self._journal, self._clock = read, journal, clock
        self._positions, self._kind, self._interval = positions, kind, interval
        self._lease: Lease | None = None
        self._lease_until = 0.0
        self._hints: set[str] = set()
        self._wake = asyncio.Event()
        self._scan_at = 0.0
        """When to compare heads with positions, in the clock's monotonic seconds."""
        self._measure_at = 0.0
        self._rest_until = 0.0
        """When the next hints are followed."""
        self._failing: set[str] = set()
        """Topics that have failed since the last success."""
        self._retry_at = float("inf")
        """When to compare because a topic can be tried again."""
        self._after = ""
        """Where the running comparison of heads goes on."""
        self._attempts = 0
        self._next_attempt_at = 0
        self._noted = False
        """Whether the next attempt is stored. If it is stored no longer, an operator has resumed the follower."""
        self._parallel = asyncio.Semaphore(follower.parallel)
        self._leaves_when_slow = False
        self._task: asyncio.Task[None] | None = None
        self.lag = NO_LAG

    @property
    def owned(self) -> bool:
        return self._lease is not None and self._lease.fence > 0

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def hint(self, topics: Set[str]) -> None:
        scope = self.follower.scope
        if is_prefix(scope):
            mine = [topic for topic in topics if topic.startswith(scope)]
        else:
            mine = [scope] if scope in topics else []
        if not mine:
            return
        if len(self._hints) + len(mine) > MAX_HINTS:
            self._compare()
        else:
            self._hints.update(mine)
        self._wake.set()

    def compare(self) -> None:
        """Compare the heads with the positions soon."""
        self._compare()
        self._wake.set()

    def _compare(self) -> None:
        self._scan_at, self._after = 0.0, ""

    def leased(self, lease: Lease | None, until: float) -> None:
        """Note the stored state of the follower, which is None if it was removed."""
        before, self._lease, self._lease_until = self._lease, lease, until
        if lease is None or not lease.fence:
            self.lag = NO_LAG  # its owner reports it
            return
        taken = before is None or before.fence != lease.fence
        resumed = self._noted and lease.next_attempt_at is None
        if taken or resumed:  # else this process knows more than what was stored a moment ago
            self._noted = lease.next_attempt_at is not None
            self._attempts, self._next_attempt_at = lease.attempts, lease.next_attempt_at or 0
        if before is None or taken or resumed or lease.state != before.state or lease.replaying or lease.retries:
            self.compare()

    # --- rounds ---------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            wait = self._wait()
            try:
                if wait is None or wait > 0:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(wait):
                            await self._wake.wait()
                    await self._measure_if_idle()
                else:
                    await self._round()
            except _Stop:
                self._compare()
            except Fenced:
                self._lease = None
                self.lost()
            except Exception as error:  # a bug must not end the follower
                if not isinstance(error, Unavailable | Busy):
                    logger.exception("follower_stumbled", follower=self.follower.name, exc_info=error)
                self._compare()
                await asyncio.sleep(STORE_BACKOFF)

    def _wait(self) -> float | None:
        """Return in how many seconds there is work; None if only a call can bring some."""
        if not self._may_work():
            return self._interval if self.owned else None
        later = (self._next_attempt_at - self._clock.now()) / 1_000
        if later > 0:
            return min(later, self._interval)  # the clock may be set
        hinted = self._rest_until if self._hints else float("inf")
        return min(hinted, self._scan_at, self._retry_at) - self._clock.monotonic()

    def _may_work(self) -> bool:
        lease = self._lease
        return (
            lease is not None
            and lease.fence > 0
            and lease.state == "running"
            and self._clock.monotonic() < self._lease_until
        )

    async def _measure_if_idle(self) -> None:
        """Look at what is behind while the follower is paused or has to wait."""
        working = self._may_work() and self._next_attempt_at <= self._clock.now()
        if self.owned and not working and self._clock.monotonic() >= self._measure_at:
            await self._measure()

    async def _measure(self) -> None:
        self._measure_at = self._clock.monotonic() + self._interval
        self.lag = await self._read(followers.lag, self.follower.name, self.follower.scope)

    async def _round(self) -> None:
        """Work for the hinted topics, or for a page of the topics whose heads are not the positions."""
        name, now = self.follower.name, self._clock.now()
        if self._lease and self._lease.replaying:
            await self._set_back()
        if self._lease and self._lease.retries and not self._attempts:
            await self._retry_dead_letters()
            self._check()
        more = False
        if self._hints:
            hinted = [self._hints.pop() for _ in range(min(PAGE, len(self._hints)))]
            more = bool(self._hints)
            found = await self._read(followers.behind_among, name, hinted, now)
        else:
            first = not self._after
            if first:
                self._retry_at = float("inf")
            found = await self._read(followers.behind, name, self.follower.scope, self._after, now, PAGE)
            if first and found:
                await self._measure()
            elif first:
                self.lag = NO_LAG
            self._after = found[-1].topic if len(found) == PAGE else ""
            spread = random.uniform(0.9, 1.1)  # noqa: S311  so that many followers do not compare at once
            self._scan_at = 0.0 if self._after else self._clock.monotonic() + self._interval * spread
        await self._work(found)
        if found and not more:
            self._rest_until = self._clock.monotonic() + self.follower.pause

    async def _set_back(self) -> None:
        """Set positions back, as an operator has asked for, before anything else is handled."""
        command = ContinueReplay(follower=self.follower.name, fence=self._fence())
        while (await self._journal.submit(command, SYSTEM)).answer["after"] is not None:
            pass
        self._lease = self._lease and self._lease._replace(replaying=False)

    async def _retry_dead_letters(self) -> None:
        """Handle dead letters again, as an operator has asked for."""
        after = ("", 0)
        while found := await self._read(self._dead_letters, after):
            for topic, seq in found:
                async with self._slot(slow=True):
                    self._check()
                    if not await self._retry(topic, seq):
                        return
                after = (topic, seq)
        self._lease = self._lease and self._lease._replace(retries=False)

    def _dead_letters(self, connection: Connection, after: tuple[str, int]) -> list[tuple[str, int]]:
        found = followers.dead_letters_of(connection, self.follower.name, after, CHUNK, retried=True)
        return [(each.topic, each.seq) for each in found]

    async def _retry(self, topic: str, seq: int) -> bool:
        """Handle a dead letter again. Returns False if the follower has to wait."""
        found = await self._read(pages, [(topic, seq - 1)], 1, MAX_CHARACTERS)
        entries = found[0].entries if found else None
        settled = SettleDeadLetter(follower=self.follower.name, fence=self._fence(), topic=topic, seq=seq)
        if not entries:
            await self._submit(settled.model_copy(update={"reason": TRIMMED}))
            return True
        try:
            command = await self.follower.handle(topic, entries)
            if command is None:
                await self._submit(settled)
            else:
                move = Move(self.follower.name, self._fence(), topic, seq - 1, seq)
                await self._submit(command.model_copy(update={**move._asdict(), "retried": True}))
        except NOT_FAILURES:
            raise
        except RetryLater as later:
            if not later.refused:
                await self._wait_all(later)
                return False
            await self._submit(settled.model_copy(update={"reason": shortened(later.reason)}))
            return True
        except Exception as error:
            reason = error.reason if isinstance(error, Poison) else type(error).__name__
            await self._submit(settled.model_copy(update={"reason": shortened(reason)}))
            return True
        self._kind.handled += 1
        return True

    async def _work(self, found: Sequence[Behind]) -> None:
        queue = deque(_Work(each.topic, each.seq, each.attempts) for each in found)
        while queue:
            self._check()
            slow = self.follower.slow
            # After a failure, one topic shows whether it works again.
            most = 1 if self._attempts else self.follower.parallel if slow else CHUNK
            chunk = [queue.popleft() for _ in range(min(most, len(queue)))]
            async with self._slot(slow=slow):
                wanted = [(work.topic, work.seq) for work in chunk]
                loaded = {
                    page.topic: page
                    for page in await self._read(pages, wanted, self.follower.max_entries, self.follower.max_characters)
                }
                for work in chunk:
                    page = loaded.get(work.topic)
                    if page is None:
                        queue.appendleft(work)
                results = await asyncio.gather(
                    *(self._topic(work, loaded[work.topic]) for work in chunk if work.topic in loaded),
                    return_exceptions=True,
                )
            for result in results:
                if isinstance(result, BaseException):
                    raise result
                if result is not None:
                    queue.append(result)

    @asynccontextmanager
    async def _slot(self, *, slow: bool) -> AsyncIterator[None]:
        """Wait for a slot.

        A follower that becomes slow in a quick slot stops as soon as it can. Others get the slot
        before that, since its receiver may not answer for long.
        """
        slots = self._kind.slots(slow=slow)
        loop = asyncio.get_running_loop()
        await slots.acquire()
        held, timer = True, None

        def check() -> None:
            nonlocal held, timer
            if self.follower.slow:
                held = False
                slots.release()
            else:
                timer = loop.call_later(QUICK_CHECK, check)

        if not slow:
            timer = loop.call_later(QUICK_CHECK, check)
        self._leaves_when_slow = not slow
        try:
            yield
        finally:
            self._leaves_when_slow = False
            if timer is not None:
                timer.cancel()
            if held:
                slots.release()

    def _check(self) -> None:
        """Raise _Stop if this process must not go on now. What is left is found by a comparison later."""
        became_slow = self._leaves_when_slow and self.follower.slow
        if became_slow or not self._may_work() or self._next_attempt_at > self._clock.now():
            raise _Stop

    async def _topic(self, work: _Work, page: Page) -> _Work | None:
        """Handle a page of a topic; return what is left of the topic, None if nothing is left now."""
        try:
            last = await self._page(work, page)
        except MovedElsewhere:
            self.hint({work.topic})
            return None
        if last is None or not (page.more or last < page.target):
            return None
        return _Work(work.topic, last, 0)

    async def _page(self, work: _Work, page: Page) -> int | None:
        """Handle a page; return the new position, None if the topic has to wait."""
        if page.entries is None:
            return await self._reset(work, page.topic, page.after, page.target)
        if not page.entries:
            return page.after
        return await self._entries(work, page.topic, page.after, page.entries)

    async def _reset(self, work: _Work, topic: str, after: int, target: int) -> int | None:
        try:
            async with self._parallel:
                self._check()
                command = await self.follower.reset(topic, target)
            await self._store(command, topic, after, target)
        except NOT_FAILURES:
            raise
        except RetryLater as later:
            return await self._later(work, topic, after, later)
        except Exception as error:
            return await self._failed(work, topic, after, target, error)
        return target

    async def _handle(self, topic: str, entries: Sequence[Entry]) -> FollowerCommand | None:
        async with self._parallel:
            self._check()
            return await self.follower.handle(topic, entries)

    async def _entries(self, work: _Work, topic: str, after: int, entries: Sequence[Entry]) -> int | None:
        last = entries[-1].seq
        wanted = [entry for entry in entries if entry.event.type in self.follower.types]
        try:
            command = await self._handle(topic, wanted) if wanted else None
            await self._store(command, topic, after, last)
        except NOT_FAILURES:
            raise
        except Poison as poison:
            if poison.seq not in {entry.seq for entry in wanted}:
                return await self._failed(work, topic, after, wanted[0].seq, poison)
            return await self._poisoned(work, topic, after, entries, poison)
        except RetryLater as later:
            return await self._later(work, topic, after, later)
        except Exception as error:
            if not wanted:
                raise
            if len(wanted) > 1:  # find the entry that fails
                return await self._singly(work, topic, after, entries)
            return await self._failed(work, topic, after, wanted[0].seq, error)
        self._kind.handled += len(wanted)
        if wanted:
            self._failing.clear()
        if self._attempts and wanted:
            self._attempts, self._noted = 0, False
            await self._submit(NoteFollowerRecovery(follower=self.follower.name, fence=self._fence()))
        return last

    async def _singly(self, work: _Work, topic: str, after: int, entries: Sequence[Entry]) -> int | None:
        rest = list(entries)
        while rest:
            own = (n for n, entry in enumerate(rest) if entry.event.type in self.follower.types)
            count = next(own, len(rest) - 1) + 1
            moved = await self._entries(work, topic, after, rest[:count])
            if moved is None:
                return None
            after, rest, work = moved, rest[count:], _Work(topic, moved, 0)
        return after

    async def _poisoned(
        self, work: _Work, topic: str, after: int, entries: Sequence[Entry], poison: Poison
    ) -> int | None:
        before = [entry for entry in entries if entry.seq < poison.seq]
        if before:
            moved = await self._entries(work, topic, after, before)
            if moved is None or moved != before[-1].seq:
                return moved
            after, work = moved, _Work(topic, moved, 0)
        await self._bury(topic, after, poison.seq, work.attempts + 1, poison.reason)
        return poison.seq

    async def _failed(self, work: _Work, topic: str, after: int, seq: int, error: Exception) -> int | None:
        """Note the failure of an entry. Only the error's class is stored: its text may quote messages."""
        attempts, reason = work.attempts + 1, type(error).__name__
        logger.warning("follower_failed", follower=self.follower.name, topic=topic, seq=seq, error=reason)
        if attempts >= MAX_ATTEMPTS:
            await self._bury(topic, after, seq, attempts, reason)
            return seq
        await self._note_topic(topic, after, attempts, backoff(attempts), reason)
        self._failing.add(topic)
        if len(self._failing) >= MANY_TOPICS:
            await self._wait_all(RetryLater(None, reason))
        return None

    async def _later(self, work: _Work, topic: str, after: int, later: RetryLater) -> int | None:
        if later.done is not None and later.done > after:
            await self._store(None, topic, after, later.done)
            after, work = later.done, _Work(topic, later.done, 0)
        if not later.only_topic:
            await self._wait_all(later, topic, after)
            return None
        attempts = work.attempts + 1
        if later.failed is not None and later.gives_up(attempts):
            await self._bury(topic, after, later.failed, attempts, later.reason)
            return later.failed
        await self._note_topic(topic, after, attempts, later.wait(attempts), later.reason)
        self._failing.add(topic)
        if len(self._failing) >= MANY_TOPICS:
            await self._wait_all(RetryLater(None, later.reason))
        return None

    async def _wait_all(self, later: RetryLater, topic: str = "", after: int = 0) -> None:
        """Let the whole follower wait. Give up the entry that failed, if it did so too often."""
        now = self._clock.now()
        if self._next_attempt_at > now:  # another topic of this round has failed before
            return
        self._kind.failed += 1
        self._attempts += 1
        self._next_attempt_at = now + round(later.wait(self._attempts) * 1_000)
        if topic and later.failed is not None and later.gives_up(self._attempts):
            await self._bury(topic, after, later.failed, self._attempts, later.reason)
        await self._submit(
            NoteFollowerFailure(
                follower=self.follower.name,
                fence=self._fence(),
                topic=None,
                attempts=self._attempts,
                next_attempt_at=self._next_attempt_at,
                reason=shortened(later.reason),
            )
        )
        self._noted = True

    async def _note_topic(self, topic: str, after: int, attempts: int, seconds: float, reason: str) -> None:
        self._kind.failed += 1
        self._retry_at = min(self._retry_at, self._clock.monotonic() + max(1.0, seconds))
        await self._submit(
            NoteFollowerFailure(
                follower=self.follower.name,
                fence=self._fence(),
                topic=topic,
                after=after,
                attempts=attempts,
                next_attempt_at=self._clock.now() + round(seconds * 1_000),
                reason=shortened(reason),
            )
        )

    async def _bury(self, topic: str, after: int, seq: int, attempts: int, reason: str) -> None:
        self._kind.dead_letters += 1
        move = Move(self.follower.name, self._fence(), topic, after, seq)
        logger.warning("follower_dead_letter", follower=move.follower, topic=topic, seq=seq, attempts=attempts)
        await self._submit(AddDeadLetter(move=move, attempts=attempts, reason=shortened(reason)))

    async def _store(self, command: FollowerCommand | None, topic: str, after: int, seq: int) -> None:
        """Store the position after an effect, or together with it."""
        move = Move(self.follower.name, self._fence(), topic, after, seq)
        if command is None:
            await self._positions.store(move)
        else:
            await self._submit(command.model_copy(update=move._asdict()))

    def _fence(self) -> int:
        if self._lease is None:
            raise Fenced()
        return self._lease.fence

    async def _submit(self, command: Any) -> None:
        await self._journal.submit(command, SYSTEM)


def shortened(reason: str) -> str:
    line = one_line(reason)
    return line if len(line) <= MAX_REASON else f"{line[: MAX_REASON - 1]}…"
