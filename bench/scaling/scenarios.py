"""What is simulated: a calm busy hour, and a node, the bus or the database that fails."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from bench.scaling.costs import Costs
from bench.scaling.node import Room
from bench.scaling.population import Workload, rooms_of, spread
from bench.scaling.simulation import Site, explicit
from bench.scaling.sizing import Demand

WHOLE = 20_000
"""Users up to which a site is simulated whole."""
SAMPLE = 2
"""Nodes that are simulated of a larger site."""
WARM = 1.0
BUS_AWAY = 10.0
DATABASE_AWAY = 10.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scenario showed. Latencies are in seconds, from send to receipt."""

    users: int
    nodes: int
    simulated: int
    scenario: str
    near: tuple[float, float]
    """The median and the 99th percentile on the author's node."""
    far: tuple[float, float]
    busy: float
    """The largest share of a core that a simulated node used."""
    database: float
    """Cores of the database, of all nodes."""
    greeted: float
    """Seconds until all clients of the lost node were greeted."""
    recovered: float
    """Seconds from the return of the database until all refused commands were stored."""
    refused: int
    undelivered: int


def scenario(
    name: str, users: int, nodes: int, costs: Costs, work: Workload, seconds: float, *, whole: bool | None = None,
    seed: int = 1,
) -> Outcome:  # fmt: skip
    """Simulate `seconds` of the busiest hour of a site.

    `name` is calm, node, bus or database: what fails after the first quarter. If a node fails, the
    others are simulated from that moment, with its clients.
    """
    remaining = nodes - 1 if name == "node" else nodes
    whole = users <= WHOLE if whole is None else whole
    simulated = remaining if whole else min(SAMPLE, remaining)
    rooms = rooms_of(users, work)
    site = Site(costs, simulated, remaining, seed=seed, has_bus=nodes > 1)
    site.warm_until = 0.0 if name == "node" else WARM
    topics = users / remaining + rooms.topics(remaining) / remaining
    site.start(topics)
    if whole:
        _whole(site, users, remaining, costs, work, seconds)
    else:
        site.talk_sampled(rooms, users, work, costs.presence, seconds)
    lost = 0
    if name == "node":
        lost = round(users / nodes * simulated / remaining)
        new = 1 + sum(count * (spread(size, nodes) - spread(size, remaining)) for size, count in
                      zip(rooms.sizes, rooms.counts, strict=True)) / (users / nodes)  # fmt: skip
        site.storm(lost, max(1.0, new))
    elif name != "calm":
        away = BUS_AWAY if name == "bus" else DATABASE_AWAY
        site.env.process(site.outage(seconds / 4, seconds / 4 + away, name))
    site.env.run(seconds)
    used = max(node.processor.used for node in site.nodes) / seconds
    while site.counts.greeted < lost or site.counts.acked < site.counts.sent:
        site.env.run(site.env.now + 1)
    site.env.run(site.env.now + 2)
    return Outcome(
        users,
        nodes,
        simulated,
        name,
        (site.near.percentile(0.5), site.near.percentile(0.99)),
        (site.far.percentile(0.5), site.far.percentile(0.99)),
        used,
        site.database.used / max(seconds, 1),
        site.counts.greeted_at,
        max(0.0, site.counts.recovered_at - seconds / 4 - DATABASE_AWAY),
        site.counts.refused,
        len(site.undelivered()),
    )


def _whole(site: Site, users: int, nodes: int, costs: Costs, work: Workload, seconds: float) -> None:
    """Let every user of the site send."""
    chance = Random(7)
    made, weights = explicit(rooms_of(users, work), nodes, chance)
    own = [Room(-number - 1, 1, [int(number % nodes == node) for node in range(nodes)]) for number in range(users)]
    site.env.process(site.talk(made, weights, own, users * work.sends, users * work.reads, seconds))
    for node in site.nodes:
        site.env.process(site.signals(node, users / nodes * costs.presence, 0.0, seconds))


def hot_room(costs: Costs, nodes: int, members: int, rate: float, seconds: float, seed: int = 1) -> Outcome:
    """Let all nodes write to one room with `members` connections, spread evenly."""
    site = Site(costs, nodes, nodes, seed=seed)
    room = Room(1, members, [members // nodes] * nodes)
    site.warm_until = WARM
    site.start(members)
    site.env.process(site.talk([room], [1.0], [], rate, 0, seconds))
    site.env.run(seconds)
    used = max(node.processor.used for node in site.nodes) / seconds
    near, far = ((each.percentile(0.5), each.percentile(0.99)) for each in (site.near, site.far))
    return Outcome(members, nodes, nodes, f"{rate:g}/s", near, far, used, site.database.used / seconds, 0.0, 0.0, 0, 0)


def of_size(found: Demand, costs: Costs, work: Workload, seconds: float) -> list[Outcome]:
    """Return all scenarios of a site with the nodes it needs."""
    return [scenario(name, found.users, found.nodes, costs, work, seconds) for name in SCENARIOS]


SCENARIOS = ("calm", "node", "bus", "database")
