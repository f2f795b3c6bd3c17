"""The simulated site: nodes, clients, and what fails.

A small site is simulated whole: every room with its members on every node. Of a large site, some of
its nodes are simulated: what the other nodes send to them arrives at random times, at the rate that
the sizes of the rooms give, and the database also has the other nodes' transactions to do.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil
from random import Random

from simpy import Environment, Event, Resource

from bench.scaling.costs import Costs
from bench.scaling.parts import Database, Process, Processor, Record
from bench.scaling.population import Choice, Rooms, Workload, binomial, others

MAX_BATCH = 1_000
DEADLINE = 1.75
"""Seconds after which a command is answered `unavailable` (`engine/journal.py`)."""
RETRY = 1.0
HEADS_INTERVAL = 0.05
INTERVAL, OUTAGE_INTERVAL = 15.0, 1.0
INDEX_INTERVAL = 0.25
"""Seconds between two transactions of the search index while there is something to index."""
BEFORE, WRITING = 0.4, 0.4
"""Shares of a command's cost before it is queued, and in the writer. The rest is the answer."""
TICK = 0.05
"""Seconds for which small work of other nodes is gathered."""
OTHERS_SLICE = 0.003
"""Seconds for which the kernel lets another program run."""
FIRST_PAUSE = 0.5
"""Seconds up to which clients wait before they connect again, at random."""


@dataclass(slots=True)
class Room:
    """A room, or with a negative number the topic of a user, and its connections on each simulated node."""

    number: int
    size: int
    here: Sequence[int]

    @property
    def is_user(self) -> bool:
        return self.number < 0


@dataclass(slots=True)
class Command:
    """A command of a client: a message to a room, or a read position, which goes to the user's topic."""

    number: int
    at: float
    node: int
    room: Room


@dataclass(slots=True)
class Counts:
    """What happened. Deliveries are counted per message to check that none is lost or repeated."""

    sent: int = 0
    acked: int = 0
    bus: int = 0
    """Messages of the bus received by the simulated nodes."""
    published: int = 0
    greeted: int = 0
    refused: int = 0
    delivered: Counter[int] = field(default_factory=Counter)
    expected: dict[int, int] = field(default_factory=dict)
    greeted_at: float = 0.0


class Node:
    """A node: its interpreter, the queue of its writer, and what waits for the bus."""

    def __init__(self, site: Site, number: int) -> None:
        self.site, self.number = site, number
        self.processor = Processor(site.env, site.machine)
        self.queue: deque[Command] = deque()
        self.wake: Event = site.env.event()
        self.heads: set[int] = set()
        self.missed: list[tuple[list[Command], Room]] = []
        self.background = 0
        self.batches = 0
        self.commands = 0

    def accept(self, command: Command) -> Process:
        """Take a command from a connection."""
        yield from self.processor.run(BEFORE * self.site.costs.command)
        self.queue.append(command)
        self.wake_writer()

    def wake_writer(self) -> None:
        if not self.wake.triggered:
            self.wake.succeed()

    def write(self) -> Process:
        """Commit what waits, for ever."""
        site, costs = self.site, self.site.costs
        while True:
            if not self.queue and not self.background:
                self.wake = site.env.event()
                yield self.wake
            batch = [self.queue.popleft() for _ in range(min(len(self.queue), MAX_BATCH))]
            background, self.background = self.background, 0
            yield from self.processor.run(costs.commit / 2 + WRITING * costs.command * len(batch))
            rooms = [each.room.number for each in batch]
            reads = sum(each.room.is_user for each in batch)
            done = yield from site.database.transact(rooms, len(batch) - reads, reads + background)
            if not done:
                for each in batch:
                    site.refuse(each)
                yield site.env.timeout(RETRY / 4)
                continue
            self.batches += 1
            self.commands += len(batch)
            site.committed()
            yield from self.processor.run(costs.commit / 2)
            site.env.process(self.finish(batch))

    def finish(self, batch: list[Command]) -> Process:
        """Publish what was committed, and answer the authors."""
        site, costs = self.site, self.site.costs
        rooms: dict[int, list[Command]] = {}
        for each in batch:
            rooms.setdefault(each.room.number, []).append(each)
        for number, group in rooms.items():
            self.heads.add(number)
            yield from self.deliver(group, group[0].room)
            if site.has_bus:
                yield from self.processor.run(costs.publish)
                site.publish(self, group, group[0].room)
        yield from self.processor.run((1 - BEFORE - WRITING) * costs.command * len(batch))
        for each in batch:
            site.counts.acked += 1
            site.acks.add(site.env.now - each.at)

    def deliver(self, group: list[Command], room: Room) -> Process:
        """Write messages of one commit to the room's connections on this node."""
        site, recipients = self.site, room.here[self.number]
        if not recipients:
            return
        begin = site.env.now
        yield from self.processor.run(site.costs.write * recipients)
        middle = (begin + site.env.now) / 2
        for each in group:
            site.delivered(self, each, recipients, middle - each.at)

    def receive(self, group: list[Command], room: Room) -> Process:
        """Take a message of the bus."""
        self.site.counts.bus += 1
        yield from self.processor.run(self.site.costs.receive)
        yield from self.deliver(group, room)

    def compare(self, topics: float) -> Process:
        """Compare all live topics with the log while the bus is away, and deliver what was missed."""
        site, costs = self.site, self.site.costs
        while True:
            yield site.env.timeout(INTERVAL if site.bus_up else OUTAGE_INTERVAL)
            yield from site.database.work(topics * costs.compare_database)
            yield from self.processor.run(topics * costs.compare)
            missed, self.missed = self.missed, []
            for group, room in missed:
                yield from self.processor.run(costs.command)  # reads and parses the entries
                yield from self.deliver(group, room)

    def announce(self) -> Process:
        """Announce heads to all nodes at intervals."""
        site, costs = self.site, self.site.costs
        while True:
            yield site.env.timeout(HEADS_INTERVAL)
            heads, self.heads = len(self.heads), set()
            if not heads or not site.bus_up:
                continue
            yield from self.processor.run(costs.publish)
            site.counts.published += 1
            for node in site.nodes:
                if node is not self:
                    site.counts.bus += 1
                    site.env.process(node.processor.run(costs.receive + costs.head * heads))

    def greet(self, new_topics: float) -> Process:
        """Greet a connection."""
        site, costs = self.site, self.site.costs
        yield from self.processor.run(costs.greeting / 2)
        yield from site.database.work(costs.greeting_database + new_topics * costs.compare_database)
        yield from self.processor.run(costs.greeting / 2 + new_topics * (costs.subscribe + costs.compare))
        site.counts.greeted += 1
        site.counts.greeted_at = site.env.now


class Site:
    """`nodes` simulated nodes of `total`."""

    def __init__(
        self, costs: Costs, nodes: int, total: int, *, cores: int = 16, shared_cores: int | None = None, seed: int = 1,
        has_bus: bool | None = None,
    ) -> None:  # fmt: skip
        self.env = Environment()
        self.costs, self.total = costs, total
        self.has_bus = total > 1 if has_bus is None else has_bus
        self.chance = Random(seed)
        self.machine = Resource(self.env, shared_cores) if shared_cores else None
        self.database = Database(self.env, costs, cores, self.machine)
        self.nodes = [Node(self, number) for number in range(nodes)]
        self.bus_up = True
        self.counts = Counts()
        self.acks, self.near, self.far = Record(), Record(), Record()
        self.warm_until = 0.0
        self._numbers = 0
        self._indexed = 0

    # --- what happens --------------------------------------------------------------------------------------------

    def delivered(self, node: Node, command: Command, recipients: int, seconds: float) -> None:
        self.counts.delivered[command.number] += recipients
        if command.at >= self.warm_until:
            (self.near if node.number == command.node else self.far).add(seconds, recipients)

    def publish(self, node: Node, group: list[Command], room: Room) -> None:
        """Carry messages to the simulated nodes that have members of the room, and to no other."""
        self.counts.published += self.bus_up
        for other in self.nodes:
            if other is node or not room.here[other.number]:
                continue
            if self.bus_up:
                self.env.process(self._carry(other, group, room))
            else:
                other.missed.append((group, room))

    def _carry(self, node: Node, group: list[Command], room: Room) -> Process:
        yield self.env.timeout(self.costs.hop)
        yield from node.receive(group, room)

    def refuse(self, command: Command) -> None:
        """Answer `unavailable`. The client sends the command again, with the same key."""
        self.counts.refused += 1
        self.env.process(self._again(command))

    def _again(self, command: Command) -> Process:
        yield self.env.timeout(RETRY * (1 + self.chance.random()))
        yield from self.nodes[command.node].accept(command)

    def committed(self) -> None:
        """Let the database do a transaction for each of the nodes that are not simulated."""
        behind = (self.total - len(self.nodes)) / len(self.nodes)
        for _ in range(int(behind) + (self.chance.random() < behind % 1)):
            self.env.process(self._elsewhere())

    def _elsewhere(self) -> Process:
        yield self.env.timeout(self.chance.expovariate(1 / TICK))
        yield from self.database.transact((), 0, 1)

    def send(self, node: int, room: Room) -> None:
        """Let a client of `node` send a message to a room, or a read position to its user's topic."""
        self._numbers += 1
        command = Command(self._numbers, self.env.now, node, room)
        self.counts.sent += 1
        self.counts.expected[command.number] = sum(room.here)
        self._indexed += not room.is_user
        self.env.process(self.nodes[node].accept(command))

    def disturb(self, cores: float) -> None:
        """Let other programs use the machine's cores, as far as `cores` says."""
        for number in range(ceil(cores)):
            self.env.process(self._other(min(1.0, cores - number)))

    def _other(self, share: float) -> Process:
        assert self.machine is not None
        while share > 0.01:
            with self.machine.request() as core:
                yield core
                yield self.env.timeout(OTHERS_SLICE)
            yield self.env.timeout(self.chance.expovariate(share / OTHERS_SLICE / max(1 - share, 0.01)))

    # --- processes -----------------------------------------------------------------------------------------------

    def start(self, topics: float) -> None:
        """Start the nodes. `topics` is how many each of them follows."""
        for node in self.nodes:
            self.env.process(node.write())
            self.env.process(self._rest(node))
            if self.has_bus:
                self.env.process(node.announce())
                self.env.process(node.compare(topics))
        self.env.process(self._index())

    def _rest(self, node: Node) -> Process:
        """Do what a node does without clients."""
        while True:
            yield self.env.timeout(TICK)
            yield from node.processor.run(self.costs.idle * TICK)

    def _index(self) -> Process:
        """Index the messages of the site on the first node."""
        first = self.nodes[0]
        scale = self.total / len(self.nodes)
        while True:
            yield self.env.timeout(INDEX_INTERVAL)
            new, self._indexed = self._indexed, 0
            if new:
                yield from first.processor.run(self.costs.index * new * scale)
                first.background += 1
                first.wake_writer()

    def talk(
        self, rooms: Sequence[Room], weights: Sequence[float], users: Sequence[Room], sends: float, reads: float,
        until: float,
    ) -> Process:  # fmt: skip
        """Let clients send `sends` messages and `reads` read positions per second, at random times."""
        choice, chance = Choice(weights, self.chance), self.chance
        while self.env.now < until and sends + reads:
            yield self.env.timeout(chance.expovariate(sends + reads))
            if chance.random() * (sends + reads) < sends:
                room = rooms[choice.draw()]
            else:
                room = chance.choice(users)
            self.send(Choice(room.here, chance).draw(), room)

    def talk_sampled(self, rooms: Rooms, users: int, work: Workload, presence: float, until: float) -> None:
        """Let the clients of the simulated nodes send, and those of the other nodes be heard."""
        nodes = len(self.nodes)
        rate = users * work.sends
        local = rate * nodes / self.total
        self.env.process(self._talk_here(rooms, local, users * work.reads * nodes / self.total, until))
        reach = [share * others(size, self.total) / max(self.total - 1, 1)
                 for size, share in zip(rooms.sizes, rooms.shares, strict=True)]  # fmt: skip
        elsewhere = rate * (self.total - nodes) / self.total * sum(reach)
        for node in self.nodes:
            if elsewhere:
                self.env.process(self._hear(node, rooms, Choice(reach, self.chance), elsewhere, until))
            self.env.process(self._signals(node, users / self.total * presence, rate + users * work.reads, until))

    def _talk_here(self, rooms: Rooms, sends: float, reads: float, until: float) -> Process:
        chance, choice, number = self.chance, Choice(rooms.shares, self.chance), 0
        while self.env.now < until:
            yield self.env.timeout(chance.expovariate(sends + reads))
            node = chance.randrange(len(self.nodes))
            number += 1
            if chance.random() * (sends + reads) >= sends:
                self.send(node, Room(-number, 1, [int(each is self.nodes[node]) for each in self.nodes]))
                continue
            size = rooms.sizes[choice.draw()]
            here = [binomial(size - 1, 1 / self.total, chance) + (each == node) for each in range(len(self.nodes))]
            self.send(node, Room(number, size, here))

    def _hear(self, node: Node, rooms: Rooms, choice: Choice, rate: float, until: float) -> Process:
        """Receive what other nodes publish to rooms that have members here."""
        chance = self.chance
        while self.env.now < until:
            yield self.env.timeout(chance.expovariate(rate))
            size, here = rooms.sizes[choice.draw()], 0
            while not here:
                here = binomial(size, 1 / self.total, chance) if size > self.total / 4 else 1
            self._numbers += 1
            room = Room(0, size, [here if each is node else 0 for each in self.nodes])
            command = Command(self._numbers, self.env.now - self.acks.mean, -1, room)
            self.counts.expected[command.number] = here
            if self.bus_up:
                self.env.process(node.receive([command], room))
            else:
                node.missed.append(([command], room))

    def _signals(self, node: Node, frames: float, heads: float, until: float) -> Process:
        """Write presence frames, and receive the announcements of nodes that are not simulated."""
        share = (self.total - len(self.nodes)) / self.total
        while self.env.now < until:
            yield self.env.timeout(TICK)
            work = frames * self.costs.write
            if self.bus_up and share:
                each = min(1 / HEADS_INTERVAL, heads / self.total) * (self.total - len(self.nodes))
                work += each * self.costs.receive + heads * share * self.costs.head
            yield from node.processor.run(work * TICK)

    def storm(self, connections: int, new_topics: float) -> None:
        """Let so many clients connect again, spread over the simulated nodes at random delays."""
        for _ in range(connections):
            self.env.process(self._reconnect(new_topics))

    def _reconnect(self, new_topics: float) -> Process:
        yield self.env.timeout(FIRST_PAUSE * self.chance.random())
        yield from self.chance.choice(self.nodes).greet(new_topics)

    def outage(self, begin: float, end: float, part: str) -> Process:
        """Take the bus or the database away for a while."""
        yield self.env.timeout(begin)
        self._set(part, up=False)
        yield self.env.timeout(end - begin)
        self._set(part, up=True)
        for node in self.nodes:
            node.wake_writer()

    def _set(self, part: str, *, up: bool) -> None:
        if part == "bus":
            self.bus_up = up
        else:
            self.database.up = up

    def undelivered(self) -> dict[int, int]:
        """Return messages that connections did not get exactly once: by number, how many are missing."""
        delivered = self.counts.delivered
        return {number: count - delivered[number] for number, count in self.counts.expected.items()
                if delivered[number] != count}  # fmt: skip


def explicit(rooms: Rooms, nodes: int, chance: Random) -> tuple[list[Room], list[float]]:
    """Return every room with its members spread over nodes at random, and the weights of their messages."""
    made, weights = [], []
    for size, count, share in zip(rooms.sizes, rooms.counts, rooms.shares, strict=True):
        number = int(count) + (chance.random() < count % 1)
        for _ in range(number):
            here = [0] * nodes
            for _ in range(size):
                here[chance.randrange(nodes)] += 1
            made.append(Room(len(made) + 1, size, here))
            weights.append(share / count)
    return made, weights
