"""The targets as numbers, and whether the runs meet them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Target:
    """A limit for the first release and for `later`.

    The limits are minimums if `at_least`, else maximums. The median of all runs counts.
    """

    name: str
    what: str
    limit: float | None
    unit: str
    later: float
    at_least: bool = False

    def met(self, values: Sequence[float]) -> bool:
        """Return True if the target is met, or has no limit for the first release."""
        return self.limit is None or self._within(values, self.limit)

    def met_later(self, values: Sequence[float]) -> bool:
        return self._within(values, self.later)

    def _within(self, values: Sequence[float], limit: float) -> bool:
        value = median(values)
        return value >= limit if self.at_least else value <= limit

    def asked(self) -> str:
        return "" if self.limit is None else self._bound(self.limit)

    def asked_later(self) -> str:
        return self._bound(self.later)

    def _bound(self, limit: float) -> str:
        return f"{'≥' if self.at_least else '≤'} {limit:,g} {self.unit}"


TARGETS = {
    "T0": [Target("T0", "ConnectionManager alone, deliveries/s against the best peer", 5.0, "x", 10.0, at_least=True)],
    "T1": [Target("T1", "whole server, durable, deliveries/s against the best peer", 2.0, "x", 5.0, at_least=True)],
    "T2": [Target("T2", "whole server, one in flight, CPU per delivery against the C floor", 1.5, "x", 1.2)],
    "T3": [
        Target("T3 small", "durable, 100 readers x 5,000 msg/s, 99th percentile", 40.0, "ms", 20.0),
        Target("T3 large", "durable, 1,000 readers x 500 msg/s, 99th percentile", 100.0, "ms", 40.0),
        Target("T3 heavy", "durable, 1,000 readers x 1,000 msg/s, 99th percentile", None, "ms", 80.0),
    ],
    "T4": [Target("T4", "durable publish, 10 readers, 256 in flight", 12_000, "msg/s", 20_000, at_least=True)],
    "T5": [
        Target("T5 p50", "lone message, send to receipt, median", 2.0, "ms", 1.0),
        Target("T5 p99", "lone message, send to receipt, 99th percentile", 8.0, "ms", 5.0),
    ],
    "T6": [Target("T6", "idle authenticated connection in five rooms, user memory", 12.0, "KB", 6.0)],
    "T7": [
        Target("T7 steady", "connect, authenticate, welcome, 64 at a time, one CPU", 1_200, "/s", 3_000, at_least=True),
        Target("T7 storm", "connect, authenticate, welcome, 2,000 at once, one CPU", 1_200, "/s", 3_000, at_least=True),
    ],
    "T12": [
        Target(
            "T12",
            "T4 with read positions and reactions among the sends, 1 M stored messages",
            3_000,
            "msg/s",
            6_000,
            at_least=True,
        )
    ],
    "T9": [Target("T9", "1 % of the readers stalled, the others' 99th percentile compared to before", 1.5, "x", 1.1)],
    "T10": [
        Target("T10 start", "start to ready", 2.0, "s", 1.0),
        Target("T10 memory", "resident memory when idle", 120.0, "MB", 80.0),
    ],
}

Verdicts = list[tuple[Target, list[float], bool]]


def verdicts(wanted: set[str], samples: dict[str, list[float]]) -> Verdicts:
    """Return each target with its samples and whether it is met.

    A target without samples is not.
    """
    rows = []
    for target in (target for name, targets in TARGETS.items() if name in wanted for target in targets):
        values = samples.get(target.name, [])
        rows.append((target, values, bool(values) and target.met(values)))
    return rows
