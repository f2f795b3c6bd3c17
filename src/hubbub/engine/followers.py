"""Followers: durable consumers of topics.

A follower has a name, a scope of topics, the types of events it handles, and one stored position per
topic. Every entry is handled at least once, and the entries of a topic in order. The position is
stored after the effect, or together with it. (topic, seq) identifies an effect.

* Published entries wake the engine: a hint, which may be lost. Every `interval` seconds the engine
  compares heads with positions: that is complete. It is one statement per follower when nothing is
  new, and reads topics in pages when much is.
* One process of the site works for a follower: the owner of its lease. The fencing number of the
  lease is checked by every write of the engine, so that an owner that stood still and comes back
  changes nothing. A lease has ended when its time is over by the clock of another process, or when
  that process has seen no renewal for the length of a lease: clocks may differ, and be set.
* Everything is written by commands of the journal, in the background of the users' commands.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from operator import attrgetter
from typing import Any, Literal

import structlog

from hubbub.clock import Clock
from hubbub.domain.commands.followers import (
    LeaseFollowers,
    RegisterFollower,
    ReleaseFollowers,
    RemoveFollower,
    SeedFollower,
)
from hubbub.domain.errors import HubbubError
from hubbub.domain.events import Entry, FollowerChanged
from hubbub.domain.model import SECURITY, SYSTEM
from hubbub.domain.model.followers import Lease
from hubbub.engine.follower import Follower
from hubbub.engine.follower_positions import Positions
from hubbub.engine.follower_runner import Kind, Runner
from hubbub.engine.journal import Journal
from hubbub.engine.ports import Read
from hubbub.engine.site_lease import SiteLease

INTERVAL = 15.0
"""Seconds between two comparisons of heads with positions."""
LEASE = 10_000
"""Milliseconds for which an owner keeps its followers without renewing the lease."""
RENEWAL = 3.0
MIN_RENEWAL = 0.05
"""Seconds between two looks at the leases, the longest and the shortest time."""
NO_TOPICS = ""
"""The scope of a lease that no follower works under."""
HINT_DELAY = 0.05
"""Seconds for which the engine collects hints, so that a busy room costs few statements."""

Start = Literal["head", "beginning"] | Mapping[str, int]
TOPIC = attrgetter("topic")
logger = structlog.get_logger(__name__)


class Followers:
    """All followers of this process. Must be used on the event loop's thread."""

    def __init__(
        self,
        read: Read,
        journal: Journal,
        clock: Clock,
        *,
        exclusive: bool,
        interval: float = INTERVAL,
        lease: int = LEASE,
        renewal: float = RENEWAL,
    ) -> None:
        self._read, self._journal, self._clock = read, journal, clock
        self._exclusive, self._interval, self._lease, self._renewal = exclusive, interval, lease, renewal
        self.owner = secrets.token_hex(8)
        self._runners: dict[str, Runner] = {}
        self._site_leases: dict[str, SiteLease] = {}
        self._stands: dict[str, tuple[int, float]] = {}
        """Leases of others: their stored end, and since when it has been the same."""
        self._positions = Positions(journal)
        self._kinds: dict[str, Kind] = {}
        self._hints: set[str] = set()
        self._hinted = False
        self._changed: set[str] = set()
        self._leases = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = False

    # --- what runs ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start to work for the followers, those that are added later too."""
        self._started = True
        self._spawn(self._keep_leases())
        for runner in self._runners.values():
            runner.start()

    async def stop(self) -> None:
        """End the work, and the leases, so that another process goes on at once."""
        if not self._started:
            return
        self._started = False
        for runner in self._runners.values():
            await runner.stop()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._positions.stop()
        with contextlib.suppress(HubbubError):
            await self._journal.submit(ReleaseFollowers(owner=self.owner), SYSTEM)

    async def add(self, follower: Follower, start: Start = "head") -> None:
        """Add a follower. `start` counts if it is new, and tells at which positions.

        What is committed after this method has returned will be handled. Every process of a site
        adds the same followers. Raises HubbubError.
        """
        given = start if isinstance(start, str) else dict(start)
        register = RegisterFollower(name=follower.name, scope=follower.scope, start=given)
        after = (await self._journal.submit(register, SYSTEM)).answer["after"]
        while after is not None:
            command = SeedFollower(name=follower.name, after=after)
            after = (await self._journal.submit(command, SYSTEM)).answer["after"]
        await self.detach(follower.name)
        kind = self._kinds.setdefault(kind_of(follower.name), Kind())
        runner = Runner(follower, self._read, self._journal, self._clock, self._positions, kind, self._interval)
        runner.lost = self.refresh
        self._runners[follower.name] = runner
        if self._started:
            runner.start()
            self.refresh()

    async def hold(self, name: str) -> SiteLease:
        """Compete for a lease of work without topics, until `stop`. Raises HubbubError."""
        await self._journal.submit(RegisterFollower(name=name, scope=NO_TOPICS, start="beginning"), SYSTEM)
        lease = self._site_leases.setdefault(name, SiteLease(self._clock))
        self.refresh()
        return lease

    async def detach(self, name: str) -> None:
        """End the work of this process for a follower, which stays stored."""
        runner = self._runners.pop(name, None)
        if runner is not None:
            await runner.stop()

    async def remove(self, name: str) -> None:
        """Remove a follower with its positions and dead letters. Raises HubbubError."""
        await self.detach(name)
        after: str | None = ""
        while after is not None:
            after = (await self._journal.submit(RemoveFollower(name=name), SYSTEM)).answer["after"]

    def refresh(self) -> None:
        """Look at the state of all followers now: leases, pauses, dead letters to handle again."""
        self._leases.set()

    # --- hints ----------------------------------------------------------------------------------------------------

    def wake(self, entries: Sequence[Entry]) -> None:
        """Note that topics have new entries. Called with every published batch, so it does little."""
        if not self._runners:
            return
        topics = set(map(TOPIC, entries))
        self._hints |= topics
        if SECURITY in topics:
            events = (entry.event for entry in entries)
            self._changed.update(event.follower for event in events if isinstance(event, FollowerChanged))
        self._schedule_hints()

    def hint(self, topics: Collection[str]) -> None:
        """Note that topics have new entries, which another process has committed."""
        if self._runners and topics:
            self._hints.update(topics)
            self._schedule_hints()

    def _schedule_hints(self) -> None:
        if not self._hinted:
            self._hinted = True
            asyncio.get_running_loop().call_later(HINT_DELAY, self._hand_out_hints)

    def _hand_out_hints(self) -> None:
        hints, self._hints, self._hinted = self._hints, set(), False
        changed, self._changed = self._changed, set()
        if changed:
            self.refresh()
        for name, runner in self._runners.items():
            runner.hint(hints)
            if name in changed:
                runner.compare()

    # --- leases ---------------------------------------------------------------------------------------------------

    async def _keep_leases(self) -> None:
        while True:
            self._leases.clear()
            wait: float | None = self._renewal
            try:
                if self._runners or self._site_leases:
                    await self._renew()
                    wait = self._until_next_renewal()
                if self._exclusive and all(runner.owned for runner in self._runners.values()):
                    wait = None  # nothing else can change them
            except HubbubError as error:
                logger.warning("follower_leases_not_renewed", code=error.code)
            except Exception as error:  # a bug must not end the leases
                logger.exception("follower_leases_stumbled", exc_info=error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):  # `wait_for` can lose a cancellation
                    await self._leases.wait()

    async def _renew(self) -> None:
        now, length = self._clock.monotonic(), self._lease / 1_000
        names = (*self._runners, *self._site_leases)
        ended = tuple((name, end) for name, (end, since) in self._stands.items() if now - since >= length)
        command = LeaseFollowers(
            owner=self.owner, names=names, lease=self._lease, exclusive=self._exclusive, ended=ended
        )
        leases = (await self._journal.submit(command, SYSTEM)).answer["leases"]
        until = float("inf") if self._exclusive else now + length
        for name in names:
            holder = self._runners.get(name) or self._site_leases.get(name)
            if holder is not None:
                holder.leased(leases.get(name), until)
        self._note_others(leases)

    def _note_others(self, leases: Mapping[str, Lease]) -> None:
        now, before = self._clock.monotonic(), self._stands
        others = {name: lease.until for name, lease in leases.items() if not lease.fence}
        self._stands = {
            name: (end, before[name][1] if name in before and before[name][0] == end else now)
            for name, end in others.items()
        }

    def _until_next_renewal(self) -> float:
        """Return the seconds until the leases are looked at again: sooner if one of another process may have ended."""
        first = min((since for _, since in self._stands.values()), default=float("inf"))
        return max(MIN_RENEWAL, min(self._renewal, first + self._lease / 1_000 - self._clock.monotonic()))

    # --- metrics --------------------------------------------------------------------------------------------------

    def counted(self, value: Callable[[Kind], int]) -> dict[str, float]:
        """Return a counter of each kind of followers."""
        return {name: value(kind) for name, kind in self._kinds.items()}

    def behind(self) -> dict[str, float]:
        """Return for each kind how many entries were not handled yet at the last comparison."""
        found = dict.fromkeys(self._kinds, 0.0)
        for name, runner in self._runners.items():
            found[kind_of(name)] += runner.lag.entries
        return found

    def oldest(self) -> dict[str, float]:
        """Return for each kind of followers the age in seconds of the oldest entry that is not handled."""
        now, found = self._clock.now(), dict.fromkeys(self._kinds, 0.0)
        for name, runner in self._runners.items():
            if runner.lag.oldest_at is not None:
                age = max(0.0, (now - runner.lag.oldest_at) / 1_000)
                found[kind_of(name)] = max(found[kind_of(name)], age)
        return found

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def kind_of(name: str) -> str:
    return name.partition(":")[0]
