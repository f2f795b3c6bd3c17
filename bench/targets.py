"""The first release's targets as numbers, and the verdict over the runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Target:
    """`at_least` or at most `limit`; the median of all runs is what counts."""

    name: str
    what: str
    limit: float
    unit: str
    at_least: bool = False

    def met(self, values: Sequence[float]) -> bool:
        value = median(values)
        return value >= self.limit if self.at_least else value <= self.limit


TARGETS = {
    "T0": [Target("T0", "ConnectionManager alone, deliveries/s against the best peer", 5.0, "x", at_least=True)],
    "T1": [Target("T1", "whole server, durable, deliveries/s against the best peer", 2.0, "x", at_least=True)],
    "T2": [Target("T2", "whole server, one in flight, CPU per delivery against the C floor", 1.5, "x")],
    "T3": [
        Target("T3 small", "durable, 100 readers x 5,000 msg/s, 99th percentile", 40.0, "ms"),
        Target("T3 large", "durable, 1,000 readers x 500 msg/s, 99th percentile", 100.0, "ms"),
    ],
    "T4": [Target("T4", "durable publish, 10 readers, 256 in flight", 12_000, "msg/s", at_least=True)],
    "T5": [
        Target("T5 p50", "lone message, send to receipt, median", 2.0, "ms"),
        Target("T5 p99", "lone message, send to receipt, 99th percentile", 8.0, "ms"),
    ],
    "T10": [
        Target("T10 start", "start to ready", 2.0, "s"),
        Target("T10 memory", "resident memory when idle", 120.0, "MB"),
    ],
}


DEFAULT = [name for name in TARGETS if name != "T3"]  # T3 wants a machine of its own and is asked for by name


def verdicts(targets: Sequence[Target], samples: dict[str, list[float]]) -> list[tuple[Target, list[float], bool]]:
    """Each target with its samples and whether it is met; without a sample it is not."""
    rows = []
    for target in targets:
        values = samples.get(target.name, [])
        rows.append((target, values, bool(values) and target.met(values)))
    return rows
