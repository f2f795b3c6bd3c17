"""How many nodes a site needs, by the same costs and populations as the simulation.

Sums instead of events: they are exact for rates, and say nothing about latencies, which the
simulation of the result shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp

from bench.scaling.costs import Costs
from bench.scaling.population import Rooms, Workload, rooms_of
from bench.scaling.simulation import HEADS_INTERVAL, INTERVAL, OUTAGE_INTERVAL

BUSY, BUSY_LOST = 0.5, 0.6
"""The largest share of its core that a node may need in the busiest hour, and after another node's loss."""
GREETED_WITHIN = 60.0
"""Seconds within which the clients of a lost node must be back."""
CONNECTIONS = 50_000
"""Connections of a node at most: 80 % of 65,536 files."""
MEMORY = 16e9
CORES = 16
"""Of the database's machine. Half of them may be busy."""
NATS_CORES = 4
MOST_NODES = 4_096
DAY_HOURS = 6.0
"""How many busiest hours a day is worth: for what is stored."""
ROW_BYTES = 668
"""Bytes of a stored message, indexes and events included (`docs/performance.md`)."""
DIGEST_INTERVAL, DIGEST_BYTES = 10.0, 12
"""What is assumed of presence on several nodes, which is not there: every node tells all others its
users, every 10 s, with 12 bytes for each."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a site of `nodes` nodes needs. Shares are of one core of each node."""

    users: int
    nodes: int
    commands: float
    writes: float
    bus: float
    heads: float
    presence: float
    rest: float
    index: float
    """Of the one node that has the search index."""
    outage: float
    """Share of a node's core that comparing heads takes while the bus is away."""
    digests: float
    """Share of a node's core that presence digests would take."""
    greeting_seconds: float
    """Seconds of CPU of all nodes to greet the clients of a lost node."""
    memory: float
    topics: float
    commits: float
    database: float
    """Cores of PostgreSQL."""
    wal: float
    copies: float
    """Messages per second that NATS delivers."""
    published: float
    bus_bytes: float
    nats: float
    nats_memory: float
    stored: float
    """Bytes a day."""

    @property
    def busy(self) -> float:
        return self.commands + self.writes + self.bus + self.heads + self.presence + self.rest

    @property
    def shards(self) -> int:
        return max(1, ceil(self.database / (CORES / 2)))

    @property
    def nats_servers(self) -> int:
        """One server carries everything up to half of its cores; three are a cluster that survives a loss."""
        return 0 if self.nodes == 1 else max(3, 1 + ceil(self.nats / (NATS_CORES / 2)))


def demand(users: int, nodes: int, costs: Costs, work: Workload, rooms: Rooms | None = None) -> Demand:
    """Return what a site needs in its busiest hour."""
    rooms = rooms or rooms_of(users, work)
    sends, reads = users * work.sends, users * work.reads
    rate = (sends + reads) / nodes
    transaction = costs.commit + costs.switch + costs.commit_database + costs.fsync
    batch = rate * transaction + exp(-rate * transaction)
    commits = rate / batch
    copies = sends * rooms.copies(nodes)
    several = nodes > 1
    announcements = min(1 / HEADS_INTERVAL, commits) * several
    topics = users / nodes + rooms.topics(nodes) / nodes
    joined = topics * nodes / users  # new topics of a greeting, at most: nothing is shared
    per_greeting = costs.greeting + (joined * (costs.subscribe + costs.compare) if several else 0)
    heard = announcements * nodes * (nodes - 1)
    published = (sends + reads + announcements * nodes) * several
    return Demand(
        users=users,
        nodes=nodes,
        commands=commits * costs.commit + rate * costs.command,
        writes=(sends * rooms.recipients + reads) / nodes * costs.write,
        bus=((sends + reads) / nodes * costs.publish + copies / nodes * costs.receive) * several,
        heads=(heard / nodes * costs.receive + (sends + reads) * (nodes - 1) / nodes * costs.head) * several,
        presence=users / nodes * costs.presence * costs.write,
        rest=costs.idle + topics / INTERVAL * costs.compare * several,
        index=sends * costs.index,
        outage=topics / OUTAGE_INTERVAL * costs.compare * several,
        digests=users / DIGEST_INTERVAL * costs.head * several,
        greeting_seconds=users / nodes * per_greeting,
        memory=costs.base_memory + users / nodes * costs.connection_memory + topics * costs.topic_memory * several,
        topics=topics,
        commits=commits * nodes,
        database=commits * nodes * costs.commit_database
        + (sends + reads) * costs.command_database
        + topics * nodes / INTERVAL * costs.compare_database * several,
        wal=commits * nodes * costs.wal_commit + sends * costs.wal_message + reads * costs.wal_read,
        copies=copies + heard,
        published=published,
        bus_bytes=(copies + published + heard) * costs.message_bytes,
        nats=(copies + heard + published) * costs.nats,
        nats_memory=topics * nodes * costs.nats_topic_memory * several,
        stored=sends * 3600 * DAY_HOURS * ROW_BYTES,
    )


def problems(found: Demand, costs: Costs, work: Workload, rooms: Rooms) -> list[str]:
    """Return why a number of nodes is not enough, or too many."""
    if found.nodes == 1:
        lost, spare = found, 1.0
    else:
        lost = demand(found.users, found.nodes - 1, costs, work, rooms)
        spare = (1 - lost.busy) * (found.nodes - 1)
    checks = {
        "processor": found.busy > BUSY or (found.nodes > 1 and lost.busy > BUSY_LOST),
        "greetings": spare <= 0 or found.greeting_seconds / spare > GREETED_WITHIN,
        "connections": found.users / max(found.nodes - 1, 1) > CONNECTIONS,
        "memory": found.memory > MEMORY,
    }
    return [name for name, wrong in checks.items() if wrong]


def needed(users: int, costs: Costs, work: Workload, *, redundant: bool = True) -> Demand | None:
    """Return the demand with the fewest nodes that are enough, None if no number is."""
    rooms = rooms_of(users, work)
    nodes = 2 if redundant else 1
    while nodes <= MOST_NODES:
        found = demand(users, nodes, costs, work, rooms)
        if not problems(found, costs, work, rooms):
            return found
        nodes = nodes + 1 if nodes < 64 else ceil(nodes * 1.02)
    return None


def largest(costs: Costs, work: Workload) -> int:
    """Return the most users that any number of nodes can carry, in steps of 5 %, or 0."""
    users, found = 1_000.0, 0
    while users < 1e9 and needed(round(users), costs, work) is not None:
        found, users = round(users), users * 1.05
    return found
