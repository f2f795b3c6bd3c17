"""Entries of this node and of others, in the order of the log and without gaps.

Messages of the bus may be lost, late or repeated. What is missing is read from the log: when a later
entry shows the gap, when another node announces a head, and when the heads are compared with the log
(`compare`). The last is complete: it needs no message at all.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import structlog

from hubbub.delivery.order import Gap, Order
from hubbub.domain.errors import HubbubError
from hubbub.domain.events import Entry
from hubbub.engine.ports import Read
from hubbub.storage import log

logger = structlog.get_logger(__name__)
PAGE = 1_000
"""How many missing entries of a topic are read from the log at once."""
RETRY = 1.0
"""Seconds before the log is read again after an error."""
PATIENCE = 0.01
"""Seconds for which the log is not read after a gap was seen, since the bus may be about to fill it."""
CHECK_DELAY = 0.02
"""Seconds for which topics are collected before they are compared."""
TOPICS = 200
"""How many topics one statement reads missing entries of."""
MAX_ENTRIES = 2_000
MAX_CHARACTERS = 2**20
COMPARED = 20_000
"""Topics that one statement compares."""


class OrderedEntries:
    """Passes the entries of each topic on in order, once each.

    `followed` says whether this node needs a topic, `topics` lists those it needs, `deliver` takes
    what has passed. With `patient` the log is read a moment after a gap was seen.
    """

    def __init__(
        self,
        read: Read,
        followed: Callable[[str], bool],
        topics: Callable[[], Iterable[str]],
        deliver: Callable[[Sequence[Entry]], None],
        *,
        patient: bool,
    ) -> None:
        self._read, self._followed, self._topics, self._deliver = read, followed, topics, deliver
        self._patience = PATIENCE if patient else 0.0
        self.order = Order(followed)
        self.on_doubt: Callable[[], object] = lambda: None
        """Called if the log ends before what has passed: the database may have gone back in time."""
        self.repaired = 0
        """How many topics a comparison found behind the log."""
        self._behind: dict[str, int] = {}
        self._unchecked: set[str] = set()
        self._check_all = False
        self._refill: asyncio.Task[None] | None = None
        self._checking: asyncio.Task[None] | None = None

    def restart(self) -> None:
        """Forget all positions: another history begins."""
        self.order = Order(self._followed)
        self._behind.clear()

    def stop(self) -> None:
        for task in (self._refill, self._checking):
            if task is not None:
                task.cancel()

    def receive(self, entries: Sequence[Entry]) -> None:
        offer = self.order.offer
        passed: list[Entry] = []
        for entry in entries:
            passed += offer(entry)
        self._deliver(passed)
        if self.order.has_gaps:
            self._fill()

    def announce(self, heads: Mapping[str, int]) -> None:
        """Read the entries up to these heads, as far as they are missing and needed."""
        last_of = self.order.last
        for topic, head in heads.items():
            last = last_of(topic)
            if last is not None and last < head and self._followed(topic):
                self._behind[topic] = max(head, self._behind.get(topic, 0))
        if self._behind:
            self._fill()

    def advance(self, topic: str, seq: int) -> None:
        """Go on after `seq`, as if everything up to it had passed."""
        self._deliver(self.order.advance(topic, seq))

    def check(self, topics: Collection[str] | None) -> None:
        """Compare these topics, or all that are needed, with the log soon."""
        if topics is None:
            self._check_all = True
        else:
            self._unchecked.update(topics)
        if self._checking is None:
            self._checking = asyncio.create_task(self._check())

    async def compare(self, topics: Collection[str] | None = None) -> None:
        """Compare the heads of topics with the log, and read what is missing. Raises HubbubError."""
        order = self.order
        names = list(self._topics()) if topics is None else [topic for topic in topics if self._followed(topic)]
        for start in range(0, len(names), COMPARED):
            # The positions before the query: what passes meanwhile cannot look like a loss.
            known = {topic: order.last(topic) for topic in names[start : start + COMPARED]}
            heads = await self._read(log.heads, list(known))
            if order is not self.order:
                return
            self._found(known, heads)

    def _found(self, known: Mapping[str, int | None], heads: Mapping[str, int]) -> None:
        doubtful = False
        for topic, last in known.items():
            head = heads.get(topic)
            if head is None:  # no topic of the log, or one that was deleted
                continue
            if last is None:
                self.advance(topic, head)
            elif head > last:
                if (self.order.last(topic) or 0) < head:
                    self.repaired += 1
                    self._behind[topic] = head
            elif head < last:
                doubtful = True
        if self._behind:
            self._fill()
        if doubtful:
            self.on_doubt()

    async def _check(self) -> None:
        try:
            while self._check_all or self._unchecked:
                await asyncio.sleep(CHECK_DELAY)
                everything, self._check_all = self._check_all, False
                topics, self._unchecked = self._unchecked, set()
                try:
                    await self.compare(None if everything else topics)
                except HubbubError as error:
                    logger.warning("heads_not_compared", code=error.code)
                    self._check_all = self._check_all or everything
                    self._unchecked |= topics
                    await asyncio.sleep(RETRY)
        finally:
            self._checking = None

    # --- gaps ----------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        if self._refill is None:
            self._refill = asyncio.create_task(self._fill_gaps())

    async def _fill_gaps(self) -> None:
        """Read what is missing from the log, until nothing is held back or known to be behind."""
        try:
            while True:
                if self._patience:
                    await asyncio.sleep(self._patience)
                if self._behind:
                    await self._catch_up()
                    continue
                gaps = self.order.gaps()
                if not gaps:
                    return
                for gap in gaps:
                    await self._fill_gap(gap)
        finally:
            self._refill = None

    async def _fill_gap(self, gap: Gap) -> None:
        order = self.order
        try:
            found = await self._read(log.entries, gap.topic, gap.after, min(gap.before - gap.after - 1, PAGE))
        except HubbubError as error:
            logger.warning("gap_not_read", topic=gap.topic, code=error.code)
            await asyncio.sleep(RETRY)
            return
        if order is not self.order:
            return
        if found:
            self.receive(found)
        else:  # the log was trimmed, or went back in time
            logger.warning("gap_not_filled", topic=gap.topic, after=gap.after, before=gap.before)
            self._deliver(order.skip(gap))

    async def _catch_up(self) -> None:
        """Read the entries of some topics that are behind."""
        order, behind = self.order, self._behind
        taken = {topic: behind.pop(topic) for topic in list(behind)[:TOPICS]}
        wanted = []
        for topic, head in taken.items():
            last = order.last(topic)
            if last is not None and last < head and self._followed(topic):
                wanted.append((topic, last))
        if not wanted:
            return
        try:
            found, _ = await self._read(log.entries_of, wanted, PAGE, MAX_ENTRIES, MAX_CHARACTERS)
        except HubbubError as error:
            logger.warning("entries_not_read", topics=len(wanted), code=error.code)
            for topic, head in taken.items():
                behind[topic] = max(head, behind.get(topic, 0))
            await asyncio.sleep(RETRY)
            return
        if order is not self.order:
            return
        progress = False
        for entries in found:
            progress = progress or bool(entries)
            self.receive(entries)
        for topic, head in taken.items():
            if progress and (order.last(topic) or head) < head:  # the page was full
                behind[topic] = max(head, behind.get(topic, 0))
