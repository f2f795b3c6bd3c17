"""The order of each topic's entries, without I/O.

Entries of one topic may arrive from several sources: commits of this node, the bus, the log. The
order lets each seq pass once, after the one before it. It drops what has passed, holds back what is
early, and says which entries are missing, so that the caller reads them from the log.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from hubbub.domain.events import Entry

REMEMBERED = 10_000
"""How many topics without subscribers are remembered, at least."""
HELD_BACK = 1_000
"""How many early entries are held back for a topic. Later ones are read from the log."""


class Gap(NamedTuple):
    """The entries of a topic that are missing: those with `after` < seq < `before`."""

    topic: str
    after: int
    before: int


class Order:
    """Lets the entries of each topic pass in the order of their seqs, once each.

    It remembers topics for which `followed` is true, and at least REMEMBERED others. The first entry
    of a topic that it does not remember passes.
    """

    def __init__(self, followed: Callable[[str], bool]) -> None:
        self._followed = followed
        self._last: dict[str, int] = {}
        self._older: dict[str, int] = {}
        self._early: dict[str, dict[int, Entry]] = {}
        self._limit = REMEMBERED
        self.generation = 0
        """Grows when older topics are forgotten. What was remembered at one generation is still
        remembered at the next."""
        self.repeated = 0
        """How many entries were dropped because they had passed before."""

    def last(self, topic: str) -> int | None:
        """Return the seq of the topic's last entry that passed, None if it is not remembered."""
        found = self._last.get(topic)
        return found if found is not None else self._older.get(topic)

    def offer(self, entry: Entry) -> Sequence[Entry]:
        """Return the entries that pass now: this one and what was held back for it, or none."""
        topic, seq = entry.topic, entry.seq
        last = self._last.get(topic)
        if last is None:
            last = self._older.get(topic)
        if last is None or seq == last + 1:
            self._passed(topic, seq)
            return (entry,) if topic not in self._early else (entry, *self._release(topic))
        if seq <= last:
            self.repeated += 1
            return ()
        early = self._early.setdefault(topic, {})
        early[seq] = entry
        if len(early) > HELD_BACK:
            del early[max(early)]
        return ()

    def gaps(self) -> list[Gap]:
        """Return what is missing before the entries that are held back."""
        return [Gap(topic, self.last(topic) or 0, min(early)) for topic, early in self._early.items()]

    @property
    def has_gaps(self) -> bool:
        """True while entries are held back."""
        return bool(self._early)

    def skip(self, gap: Gap) -> Sequence[Entry]:
        """Return the entries that were held back behind a gap that the log cannot fill.

        Clients notice the missing seqs, and load the topic again.
        """
        self._passed(gap.topic, gap.before - 1)
        return self._release(gap.topic)

    def advance(self, topic: str, seq: int) -> Sequence[Entry]:
        """Go on after `seq`, as if everything up to it had passed; return what passes now."""
        last = self.last(topic)
        if last is not None and last >= seq:
            return ()
        self._passed(topic, seq)
        return self._release(topic) if topic in self._early else ()

    def _release(self, topic: str) -> list[Entry]:
        early, last = self._early[topic], self.last(topic) or 0
        for passed in [seq for seq in early if seq <= last]:
            del early[passed]
        found = []
        while (entry := early.pop(last + 1, None)) is not None:
            found.append(entry)
            last += 1
        self._passed(topic, last)
        if not early:
            del self._early[topic]
        return found

    def _passed(self, topic: str, seq: int) -> None:
        if len(self._last) >= self._limit and topic not in self._last:
            self._forget()
        self._last[topic] = seq

    def _forget(self) -> None:
        """Start a new generation, with the topics that are followed or have gaps."""
        kept = {**self._older, **self._last}
        self._older = self._last
        self._last = {topic: seq for topic, seq in kept.items() if topic in self._early or self._followed(topic)}
        self._limit = len(self._last) + REMEMBERED
        self.generation += 1
