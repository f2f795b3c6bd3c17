"""What the model predicts for the loads that were measured on real nodes, beside what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from bench.scaling import fit
from bench.scaling.costs import FSYNC, Costs
from bench.scaling.simulation import Room, Site

CORES = 2
ACCOUNTS = 40
WARM = 1.0
REST = 2.0


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of a load: what was measured (the series), and what the model says."""

    load: str
    nodes: int
    what: str
    unit: str
    measured: Sequence[float]
    predicted: float

    @property
    def error(self) -> float:
        """Return how far the prediction is from the mean of the series, as a share of it."""
        mean = sum(self.measured) / len(self.measured)
        return self.predicted / mean - 1 if mean else 0.0


def here(costs: Costs) -> Costs:
    """Return the costs on the machine of the measurements."""
    return replace(costs, fsync=FSYNC, presence=0.0)


def simulate(costs: Costs, load: dict[str, Any], seconds: float, others: float = 0.0, seed: int = 1) -> Site:
    """Run a load of `measure.py` in the model. `others` is how many cores other programs use."""
    nodes = load["nodes"]
    site = Site(here(costs), nodes, nodes, shared_cores=CORES, seed=seed, has_bus=True)
    counts = [[0] * nodes for _ in range(load["rooms"])]
    own = [[0] * nodes for _ in range(ACCOUNTS)]
    for number in range(load["connections"]):
        account, node = number % ACCOUNTS, (number // ACCOUNTS + number) % nodes
        counts[account % load["rooms"]][node] += 1
        own[account][node] += 1
    rooms = [Room(number + 1, sum(each), each) for number, each in enumerate(counts)]
    users = [Room(-number - 1, sum(each), each) for number, each in enumerate(own) if sum(each)]
    site.warm_until = WARM
    site.start(topics=ACCOUNTS + load["rooms"])
    weights = [float(room.size) for room in rooms]
    site.env.process(site.talk(rooms, weights, users, load["sends"], load["reads"], seconds))
    site.disturb(others)
    site.env.run(seconds + REST)
    return site


def others(load: dict[str, Any]) -> float:
    """Return how many cores other programs used meanwhile, the clients of the load among them."""
    used = load["used"]
    ours = sum(used["nodes"]) + used["database"]
    return max(0.0, min(CORES - 0.1, (used["all"] - ours) / load["seconds"]))


def compare(costs: Costs, seconds: float, names: Sequence[str] = ("nodes1", "nodes2", "nodes3")) -> list[Row]:
    """Return all loads but the flood, measured and predicted."""
    found = []
    for name in names:
        series = fit.measured()[name]
        for index, load in enumerate(series[0]):
            if load["name"] == "flood":
                continue
            same = [each[index] for each in series]
            found += _rows(load, same, simulate(costs, load, seconds, median(map(others, same))), seconds)
    return found


def _rows(load: dict[str, Any], same: Sequence[dict[str, Any]], site: Site, seconds: float) -> list[Row]:
    """Compare per message, since the number of messages is random."""
    messages = len(site.counts.expected)
    commits = sum(node.batches for node in site.nodes)
    cpu = sum(node.processor.used for node in site.nodes)
    percentiles = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)]
    figures = [
        ("CPU of the nodes", "%", [100 * sum(each["used"]["nodes"]) / each["seconds"] for each in same], 100 * cpu / seconds),
        ("CPU of PostgreSQL", "%", [100 * each["used"]["database"] / each["seconds"] for each in same], 100 * site.database.used / seconds),
        ("commits", "/s", [sum(each["used"]["commits"]) / each["seconds"] for each in same], site.database.commits / seconds),
        ("WAL", "KB/s", [each["used"]["wal"] / each["seconds"] / 1000 for each in same], site.database.wal / seconds / 1000),
        ("bus messages received", "/s", [sum(each["used"]["received"]) / each["seconds"] for each in same], site.counts.bus / seconds),
    ]  # fmt: skip
    for name, share in percentiles:
        for kind, record in (("near", site.near), ("far", site.far)):
            measured = [each[f"{kind}_ms"][name] for each in same if each[f"{kind}_ms"]]
            if measured:
                figures.append((f"{name}, {kind}", "ms", measured, 1000 * record.percentile(share)))
    assert messages
    assert commits
    return [Row(load["name"], load["nodes"], *figure) for figure in figures]


def summary(rows: Sequence[Row]) -> list[list[str]]:
    """Return per figure and number of nodes: the median of the absolute errors, and the largest."""
    groups: dict[tuple[str, int], list[float]] = {}
    for row in rows:
        if sum(row.measured):
            groups.setdefault((row.what, row.nodes), []).append(row.error)
    return [
        [
            what,
            str(nodes),
            f"{100 * median(map(abs, errors)):.0f} %",
            f"{100 * min(errors):+.0f} to {100 * max(errors):+.0f} %",
        ]
        for (what, nodes), errors in sorted(groups.items())
    ]
