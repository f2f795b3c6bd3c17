"""What each step costs, with its source and its uncertainty.

Times are seconds of CPU on the machine of docs/performance.md unless the unit says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

from bench.scaling import fit

FIT = "fit over six loads on one node, two series (`measure.py`)"
SINGLE = "measured alone (`micro.py`)"
PAGE = "docs/performance.md"
FSYNC = 0.16e-3
"""Seconds of a flush on the disk of the measurements (docs/performance.md)."""


@dataclass(frozen=True, slots=True)
class Costs:
    """All inputs of the model. Seconds of CPU, bytes, or as the table of sources says."""

    idle: float
    commit: float
    command: float
    write: float
    publish: float
    receive: float
    head: float
    greeting: float
    subscribe: float
    compare: float
    index: float
    presence: float
    commit_database: float
    command_database: float
    greeting_database: float
    compare_database: float
    fsync: float
    switch: float
    nats: float
    wal_commit: float
    wal_message: float
    wal_read: float
    base_memory: float
    connection_memory: float
    topic_memory: float
    nats_topic_memory: float
    message_bytes: float
    hop: float

    def scaled(self, name: str, factor: float) -> Costs:
        """Return costs in which one input is multiplied."""
        return replace(self, **{name: getattr(self, name) * factor})


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure comes from. `spread` is the uncertainty as a factor: the truth lies within it."""

    what: str
    unit: str
    kind: str
    where: str
    spread: float


SOURCES: dict[str, Source] = {
    "idle": Source("a node without clients", "ms a second", "measured", FIT, 1.3),
    "commit": Source("a transaction, in the node", "ms", "measured", FIT, 1.4),
    "command": Source("a command in a batch, in the node", "µs", "measured", FIT, 1.3),
    "write": Source("a write to a connection, kernel included", "µs", "measured", FIT, 1.5),
    "publish": Source("publishing entries of a topic on the bus", "µs", "measured", SINGLE, 1.3),
    "receive": Source("receiving a message of the bus", "µs", "measured", SINGLE, 1.3),
    "head": Source("a head in an announcement", "µs", "assumed", "parsing and a look-up in a dictionary", 2.0),
    "greeting": Source("upgrade, hello and welcome, in the node", "ms", "measured", FIT, 1.7),
    "subscribe": Source("joining a topic on the bus", "µs", "measured", SINGLE, 1.3),
    "compare": Source("comparing a topic with the log, in the node", "µs", "measured", SINGLE, 1.3),
    "index": Source("the search index, per message, on the node that has it", "µs", "measured", FIT, 2.0),
    "presence": Source("presence frames per user and second", "writes", "assumed", "see the workload", 3.0),
    "commit_database": Source("a transaction, in PostgreSQL", "µs", "measured", FIT, 1.3),
    "command_database": Source("a command in a batch, in PostgreSQL", "µs", "measured", FIT, 1.3),
    "greeting_database": Source("a greeting, in PostgreSQL", "µs", "measured", FIT, 1.5),
    "compare_database": Source("comparing a topic, in PostgreSQL", "µs", "measured", SINGLE, 1.3),
    "fsync": Source("flushing the log to disk, elapsed", "ms", "assumed", f"a cloud disk; 0.13 ms in {PAGE}", 4.0),
    "switch": Source("waking threads and processes in a transaction, elapsed", "ms", "fitted", "lone messages", 2.0),
    "nats": Source("a copy of a message, in NATS", "µs", "measured", SINGLE, 1.5),
    "wal_commit": Source("write-ahead log of a transaction", "bytes", "measured", FIT, 1.3),
    "wal_message": Source("write-ahead log of a message", "bytes", "measured", FIT, 1.5),
    "wal_read": Source("write-ahead log of a read position", "bytes", "measured", FIT, 1.5),
    "base_memory": Source("a node without clients", "MB", "measured", f"{PAGE}, T10 and memory at rest", 1.2),
    "connection_memory": Source("a connection, with the kernel's part", "KB", "measured", f"{PAGE}, T6; kernel 4.3 KB", 1.3),
    "topic_memory": Source("a topic that a node follows", "KB", "measured", SINGLE, 1.3),
    "nats_topic_memory": Source("a subscription, in NATS", "KB", "measured", SINGLE, 1.5),
    "message_bytes": Source("a message on the bus, with its subject", "bytes", "measured", SINGLE, 1.5),
    "hop": Source("from node to node by NATS, elapsed", "ms", "measured", "docs/nodes.md", 2.0),
}  # fmt: skip

SCALES = {"µs": 1e6, "ms": 1e3, "ms a second": 1e3, "KB": 1e-3, "MB": 1e-6, "bytes": 1.0, "writes": 1.0}


@cache
def default() -> Costs:
    """Return the measured costs, and the assumptions where there is no measurement."""
    node, database, single = fit.node_costs(), fit.database_costs(), fit.micro()
    # A lone message: what is left when all work is subtracted is waiting for threads and processes.
    worked = node["command"] + node["commit"] + database["commit"] + database["command"] + FSYNC + 6 * node["write"]
    return Costs(
        idle=node["idle"],
        commit=node["commit"],
        command=node["command"],
        write=node["write"],
        publish=single["publish us"] * 1e-6,
        receive=single["receive us"] * 1e-6,
        head=1e-6,
        greeting=fit.greeting(lambda used: sum(used["nodes"]))[0],
        subscribe=single["subscribe us"] * 1e-6,
        compare=single["heads node us"]["median"] * 1e-6,
        index=fit.index_cost(),
        presence=0.03,
        commit_database=database["commit"],
        command_database=database["command"],
        greeting_database=fit.greeting(lambda used: used["database"])[0],
        compare_database=single["heads database us"] * 1e-6,
        fsync=0.5e-3,
        switch=max(0.0, fit.lone_seconds() - worked),
        nats=single["nats us"] * 1e-6,
        wal_commit=database["wal commit"],
        wal_message=database["wal message"],
        wal_read=database["wal read"],
        base_memory=95e6,
        connection_memory=10.6e3,
        topic_memory=single["topic bytes"],
        nats_topic_memory=single["nats topic bytes"],
        message_bytes=single["bus message bytes"] + 40,
        hop=0.2e-3,
    )


def table(costs: Costs) -> list[list[str]]:
    """Return rows of what, value, unit, kind, source and uncertainty."""
    rows = []
    for field in fields(Costs):
        source = SOURCES[field.name]
        value: Any = getattr(costs, field.name) * SCALES[source.unit]
        rows.append([source.what, f"{value:.3g} {source.unit}", source.kind, source.where, f"× {source.spread:g}"])
    return rows
