"""What the model predicts for the loads that were measured on real nodes, beside what was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from bench.scaling import fit
from bench.scaling.costs import FSYNC, Costs
from bench.scaling.node import Room
from bench.scaling.simulation import Site

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
    if "crowd" in load:
        site.storm(load["crowd"], 0.0, begin=WARM, within=0.0)
        counts[0] = [each + load["crowd"] // nodes for each in counts[0]]
    rooms = [Room(number + 1, sum(each), each) for number, each in enumerate(counts)]
    users = [Room(-number - 1, sum(each), each) for number, each in enumerate(own) if sum(each)]
    site.warm_until = 0.0 if "crowd" in load else WARM
    site.start(topics=ACCOUNTS + load["rooms"])
    weights = [float(load["connections"] // load["rooms"])] * len(rooms)
    site.env.process(site.talk(rooms, weights, users, load["sends"], load["reads"], seconds))
    site.disturb(others)
    site.env.run(seconds + REST)
    return site


def storms(costs: Costs) -> list[Row]:
    """Return what happened when many clients connected at once, measured and predicted."""
    found: list[Row] = []
    for nodes in (1, 2):
        same = [load for load in fit.rows("storm") if load["nodes"] == nodes]
        if not same:
            continue
        load = same[0]
        site = simulate(costs, load, 12.0, median(map(others, same)))
        figures = [
            ("until all were greeted", "s", [each["greeted_seconds"] for each in same], site.counts.greeted_at - WARM),
        ]
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            times = [each["near_ms"][name] for each in same]
            figures.append((f"{name} of messages meanwhile", "ms", times, 1000 * site.near.percentile(share)))
        found += [Row(f"{load['crowd']:,} connect at once", nodes, *figure) for figure in figures]
    return found


def others(load: dict[str, Any]) -> float:
    """Return how many cores other programs used meanwhile, the clients of the load among them."""
    used = load["used"]
    ours = sum(used["nodes"]) + used["database"]
    seconds: float = load["seconds"] if "seconds" in load else load["greeted_seconds"]
    return max(0.0, min(CORES - 0.1, float(used["all"] - ours) / seconds))


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

    def rates(of: Callable[[dict[str, Any]], float], factor: float = 1.0) -> list[float]:
        return [factor * of(each["used"]) / each["seconds"] for each in same]

    figures = [
        ("CPU of the nodes", "%", rates(lambda used: sum(used["nodes"]), 100), 100 * cpu / seconds),
        ("CPU of PostgreSQL", "%", rates(lambda used: used["database"], 100), 100 * site.database.used / seconds),
        ("commits", "/s", rates(lambda used: sum(used["commits"])), site.database.commits / seconds),
        ("WAL", "KB/s", rates(lambda used: used["wal"], 0.001), site.database.wal / seconds / 1000),
        ("bus messages received", "/s", rates(lambda used: sum(used["received"])), site.counts.bus / seconds),
    ]
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
