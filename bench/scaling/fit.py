"""Costs from measured CPU times: least squares over the loads on one node.

CPU seconds of a node = seconds * idle + commits * commit + commands * command + writes * write, and
likewise for the database. The loads on two and three nodes are not used here: they are what the
model is compared with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
INDEXED = 200
"""Messages per second from which on the index works in batches, as it does on a large site."""
Row = dict[str, Any]


@cache
def measured() -> dict[str, list[list[Row]]]:
    """Return all series of `measure.py`, by the number of nodes."""
    found: dict[str, list[list[Row]]] = json.loads((HERE / "measured.json").read_text())
    return found


@cache
def micro() -> dict[str, Any]:
    """Return the single costs of `micro.py`."""
    found: dict[str, Any] = json.loads((HERE / "micro.json").read_text())
    return found


def rows(name: str) -> list[Row]:
    return list(chain.from_iterable(measured()[name]))


def commands(row: Row) -> int:
    return int(row["messages"]) + int(row.get("read_commands", 0))


def writes(row: Row) -> float:
    """Return the writes of all nodes: messages of one commit reach a connection in one write.

    In a flood all messages of a commit are for one room.
    """
    if row["name"] == "flood":
        return float(sum(row["used"]["commits"]) * row["connections"])
    return float(row["deliveries"]) + float(row.get("read_commands", 0)) * row["connections"] / 40


def solve(matrix: Sequence[Sequence[float]], values: Sequence[float]) -> list[float]:
    """Return the least squares solution, without negative parts.

    Each row is weighted by its value, so that relative errors count. A part that would be negative
    is left out.
    """
    kept = list(range(len(matrix[0])))
    while True:
        found = _normal([[row[index] / value for index in kept] for row, value in zip(matrix, values, strict=True)])
        worst = min(found, default=0.0)
        if worst >= 0:
            answer = [0.0] * len(matrix[0])
            for index, value in zip(kept, found, strict=True):
                answer[index] = value
            return answer
        del kept[found.index(worst)]


def _normal(rows: Sequence[Sequence[float]]) -> list[float]:
    """Solve the normal equations of rows whose right side is 1."""
    size = len(rows[0])
    left = [[sum(row[i] * row[j] for row in rows) for j in range(size)] + [sum(row[i] for row in rows)]
            for i in range(size)]  # fmt: skip
    for i in range(size):
        pivot = max(range(i, size), key=lambda k: abs(left[k][i]))
        left[i], left[pivot] = left[pivot], left[i]
        for k in range(size):
            if k != i:
                factor = left[k][i] / left[i][i]
                left[k] = [a - factor * b for a, b in zip(left[k], left[i], strict=True)]
    return [left[i][size] / left[i][i] for i in range(size)]


def node_costs() -> dict[str, float]:
    """Return seconds of CPU of a node per commit, command and write, and `idle` per second.

    What the node published on the bus and the search index are subtracted: they are measured apart.
    """
    single = rows("nodes1") + rows("nodes1 without index")
    publish, index = micro()["publish us"] * 1e-6, index_cost()
    idle = median(row["idle"]["used"]["nodes"][0] / row["idle"]["seconds"] for row in single)
    values = [
        row["used"]["nodes"][0] - idle * row["seconds"] - publish * row["used"]["sent"][0] - index * row["messages"]
        if row in rows("nodes1") and row["name"] != "flood"
        else row["used"]["nodes"][0] - idle * row["seconds"] - publish * row["used"]["sent"][0]
        for row in single
    ]
    commit, command, write = solve(
        [[sum(row["used"]["commits"]), commands(row), writes(row)] for row in single], values
    )
    return {"idle": idle, "commit": commit, "command": command, "write": write}


def database_costs() -> dict[str, float]:
    """Return seconds of CPU of the database per commit and command, and bytes of its log."""
    single = rows("nodes1") + rows("nodes1 without index")
    idle = median(row["idle"]["used"]["database"] / row["idle"]["seconds"] for row in single)
    matrix = [[sum(row["used"]["commits"]), commands(row)] for row in single]
    commit, command = solve(matrix, [row["used"]["database"] - idle * row["seconds"] for row in single])
    kinds = [[sum(row["used"]["commits"]), row["messages"], row.get("read_commands", 0)] for row in rows("nodes1")]
    wal = solve(kinds, [row["used"]["wal"] for row in rows("nodes1")])
    return {"idle": idle, "commit": commit, "command": command} | dict(
        zip(("wal commit", "wal message", "wal read"), wal, strict=True)
    )


def index_cost() -> float:
    """Return what the search index costs the node that has it, in seconds of CPU per message.

    On two and three nodes, the first one has it: the median of what it used more than the others.
    """
    found = []
    for row in rows("nodes2") + rows("nodes3"):
        if row["sends"] >= INDEXED and not row["reads"]:
            first, *rest = row["used"]["nodes"]
            found.append((first - sum(rest) / len(rest)) / row["messages"])
    return median(found)


def lone_seconds() -> float:
    """Return the median from send to receipt of a lone message on one node."""
    return median(row["near_ms"]["p50"] for row in rows("nodes1") if row["name"] == "lone messages") / 1000


def greeting(of: Callable[[Row], float]) -> tuple[float, float, float]:
    """Return the median, lowest and highest seconds of a greeting, over loads with many connections."""
    found = sorted(of(row["greetings"]) / row["connections"] for row in rows("nodes1") if row["connections"] > 100
                   and "greetings" in row)  # fmt: skip
    return median(found), found[0], found[-1]


def batches(row: Row) -> float:
    """Return the commands per commit."""
    return commands(row) / sum(row["used"]["commits"])
