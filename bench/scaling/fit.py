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


def node_costs(series: Iterable[Row]) -> dict[str, float]:
    """Return seconds of CPU of a node per commit, command and write, and `idle` per second."""
    series = list(series)
    idle = median(sum(row["idle"]["used"]["nodes"]) / len(row["idle"]["used"]["nodes"]) / row["idle"]["seconds"]
                  for row in series)  # fmt: skip
    matrix = [[sum(row["used"]["commits"]), commands(row), writes(row)] for row in series]
    values = [sum(row["used"]["nodes"]) - idle * row["seconds"] for row in series]
    commit, command, write = solve(matrix, values)
    return {"idle": idle, "commit": commit, "command": command, "write": write}


def database_costs(series: Iterable[Row]) -> dict[str, float]:
    """Return seconds of CPU of the database per commit and command, and WAL bytes per each."""
    series = list(series)
    idle = median(row["idle"]["used"]["database"] / row["idle"]["seconds"] for row in series)
    matrix = [[sum(row["used"]["commits"]), commands(row)] for row in series]
    commit, command = solve(matrix, [row["used"]["database"] - idle * row["seconds"] for row in series])
    wal_commit, wal_command = solve(matrix, [row["used"]["wal"] for row in series])
    return {"idle": idle, "commit": commit, "command": command, "wal commit": wal_commit, "wal command": wal_command}


def index_costs() -> dict[str, float]:
    """Return what the search index costs per message: commits, and CPU seconds of the node that owns it."""
    found = []
    for row, without in zip(rows("nodes1"), rows("nodes1 without index") * 2, strict=False):
        if row["name"] != "flood":
            extra = sum(row["used"]["nodes"]) / row["messages"] - sum(without["used"]["nodes"]) / without["messages"]
            commits = sum(row["used"]["commits"]) / row["messages"] - sum(without["used"]["commits"]) / without["messages"]
            found.append((extra, commits))
    return {"cpu": median(each[0] for each in found), "commits": median(each[1] for each in found)}


def greeting(of: Callable[[Row], float]) -> tuple[float, float, float]:
    """Return the median, lowest and highest seconds of a greeting, over loads with many connections."""
    found = sorted(of(row["greetings"]) / row["connections"] for row in rows("nodes1") if row["connections"] > 100
                   and "greetings" in row)  # fmt: skip
    return median(found), found[0], found[-1]


def batches(row: Row) -> float:
    """Return the commands per commit."""
    return commands(row) / sum(row["used"]["commits"])
