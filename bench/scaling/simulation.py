"""The simulated site: nodes, clients, and what fails.

A small site is simulated whole: every room with its members on every node. Of a large site, some of
its nodes are simulated: what the other nodes send to them arrives at random times, at the rate that
the sizes of the rooms give, and the database also has the other nodes' transactions to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from random import Random

from simpy import Environment, Resource

from bench.scaling.costs import Costs
from bench.scaling.node import HEADS_INTERVAL, RETRY, Command, Counts, Node, Room
from bench.scaling.parts import Database, Process, Record
from bench.scaling.population import Choice, Rooms, Workload, binomial, others

INDEX_INTERVAL = 0.25
"""Seconds between two transactions of the search index while there is something to index."""
TICK = 0.05
"""Seconds for which small work of other nodes is gathered."""
OTHERS_SLICE = 0.003
"""Seconds for which the kernel lets another program run."""
FIRST_PAUSE = 0.5
"""Seconds up to which clients wait before they connect again, at random."""


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
        command.refused = True
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
            self.env.process(self.signals(node, users / self.total * presence, rate + users * work.reads, until))

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
            if not self.database.up:
                continue  # the other nodes cannot commit, either
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

    def signals(self, node: Node, frames: float, heads: float, until: float) -> Process:
        """Write presence frames, and receive the announcements of nodes that are not simulated."""
        share = (self.total - len(self.nodes)) / self.total
        while self.env.now < until:
            yield self.env.timeout(TICK)
            work = frames * self.costs.write
            if self.bus_up and share:
                each = min(1 / HEADS_INTERVAL, heads / self.total) * (self.total - len(self.nodes))
                work += each * self.costs.receive + heads * share * self.costs.head
            yield from node.processor.run(work * TICK)

    def storm(self, connections: int, new_topics: float, begin: float = 0.0, within: float = FIRST_PAUSE) -> None:
        """Let so many clients connect at random times, spread over the simulated nodes."""
        for _ in range(connections):
            self.env.process(self._reconnect(new_topics, begin + within * self.chance.random()))

    def _reconnect(self, new_topics: float, at: float) -> Process:
        yield self.env.timeout(at)
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
    made: list[Room] = []
    weights: list[float] = []
    for size, count, share in zip(rooms.sizes, rooms.counts, rooms.shares, strict=True):
        number = int(count) + (chance.random() < count % 1)
        for _ in range(number):
            here = [0] * nodes
            for _ in range(size):
                here[chance.randrange(nodes)] += 1
            made.append(Room(len(made) + 1, size, here))
            weights.append(share / count)
    return made, weights
