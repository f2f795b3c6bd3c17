"""A simulated node: the writer, what it publishes and receives, and its greetings."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simpy import Event, Resource

from bench.scaling.parts import Process, Processor

if TYPE_CHECKING:
    from bench.scaling.simulation import Site

MAX_BATCH = 1_000
RETRY = 1.0
"""Seconds after which a client sends a refused command again, and up to twice as many."""
HEADS_INTERVAL = 0.05
"""Seconds between two announcements of heads (`bus/nats.py`)."""
INTERVAL, OUTAGE_INTERVAL, STEP = 15.0, 1.0, 0.25
"""Seconds between comparisons with the log (`engine/positioning.py`)."""
BEFORE, WRITING = 0.4, 0.4
"""Shares of a command's cost before it is queued, and in the writer. The rest is the answer."""
READERS = 4
"""Threads that read the database for greetings (`storage/database.py`)."""
UPGRADE = 1 / 3
"""Share of a greeting that is the HTTP connection and its upgrade (docs/performance.md)."""


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
    refused: bool = False


@dataclass(slots=True)
class Counts:
    """What happened. Deliveries are counted per message to check that none is lost or repeated."""

    sent: int = 0
    acked: int = 0
    bus: int = 0
    """Messages of the bus received by the simulated nodes."""
    greeted: int = 0
    refused: int = 0
    delivered: Counter[int] = field(default_factory=Counter)
    expected: dict[int, int] = field(default_factory=dict)
    greeted_at: float = 0.0
    recovered_at: float = 0.0
    """When the last command that had been refused was answered."""


class Node:
    """A node: its interpreter, the queue of its writer, and what waits for the bus."""

    def __init__(self, site: Site, number: int) -> None:
        self.site, self.number = site, number
        self.processor = Processor(site.env, site.machine)
        self.readers = Resource(site.env, READERS)
        self.queue: deque[Command] = deque()
        self.wake: Event = site.env.event()
        self.heads: set[int] = set()
        self.pending: dict[int, list[Command]] = {}
        """Messages that wait for a write to their room, by the room's identity."""
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
            yield from self.processor.run(costs.commit / 2 + WRITING * costs.command * len(batch), writer=True)
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
            yield from self.processor.run(costs.commit / 2, writer=True)
            site.env.process(self.finish(batch))

    def finish(self, batch: list[Command]) -> Process:
        """Publish what was committed, and answer the authors."""
        site, costs = self.site, self.site.costs
        rooms: dict[int, list[Command]] = {}
        for each in batch:
            rooms.setdefault(each.room.number, []).append(each)
        for number, group in rooms.items():
            self.heads.add(number)
            self.deliver(group, group[0].room)
            if site.has_bus:
                yield from self.processor.run(costs.publish)
                site.publish(self, group, group[0].room)
        yield from self.processor.run((1 - BEFORE - WRITING) * costs.command * len(batch))
        for each in batch:
            site.counts.acked += 1
            if each.refused:
                site.counts.recovered_at = site.env.now
            site.acks.add(site.env.now - each.at)

    def deliver(self, group: list[Command], room: Room) -> None:
        """Write messages to the room's connections on this node.

        What comes while the room is being written to gathers for the next write.
        """
        if not room.here[self.number]:
            return
        key = id(room)
        if key in self.pending:
            self.pending[key] += group
            return
        self.pending[key] = list(group)
        self.site.env.process(self._flush(key, room))

    def _flush(self, key: int, room: Room) -> Process:
        site, recipients = self.site, room.here[self.number]
        while group := self.pending[key]:
            self.pending[key] = []
            begin = site.env.now
            yield from self.processor.run(recipients * (site.costs.write + site.costs.more * (len(group) - 1)))
            middle = (begin + site.env.now) / 2
            for each in group:
                site.delivered(self, each, recipients, middle - each.at)
        del self.pending[key]

    def receive(self, group: list[Command], room: Room) -> Process:
        """Take a message of the bus."""
        self.site.counts.bus += 1
        yield from self.processor.run(self.site.costs.receive)
        self.deliver(group, room)

    def compare(self, topics: float) -> Process:
        """Compare all live topics with the log while the bus is away, and deliver what was missed."""
        site, costs = self.site, self.site.costs
        waited = 0.0
        while True:
            yield site.env.timeout(STEP)
            waited += STEP
            if waited < (INTERVAL if site.bus_up and not self.missed else OUTAGE_INTERVAL):
                continue
            waited = 0.0
            yield from site.database.work(topics * costs.compare_database)
            yield from self.processor.run(topics * costs.compare)
            missed, self.missed = self.missed, []
            for group, room in missed:
                yield from self.processor.run(costs.command)  # reads and parses the entries
                self.deliver(group, room)

    def announce(self) -> Process:
        """Announce heads to all nodes at intervals."""
        site, costs = self.site, self.site.costs
        while True:
            yield site.env.timeout(HEADS_INTERVAL)
            heads, self.heads = len(self.heads), set()
            if not heads or not site.bus_up:
                continue
            yield from self.processor.run(costs.publish)
            for node in site.nodes:
                if node is not self:
                    site.counts.bus += 1
                    site.env.process(node.processor.run(costs.receive + costs.head * heads))

    def greet(self, new_topics: float) -> Process:
        """Greet a connection."""
        site, costs = self.site, self.site.costs
        yield from self.processor.run(UPGRADE * costs.greeting)
        with self.readers.request() as reader:
            yield reader
            yield from site.database.work(costs.greeting_database + new_topics * costs.compare_database)
            yield from self.processor.run((1 - UPGRADE) * costs.greeting)
        yield from self.processor.run(new_topics * (costs.subscribe + costs.compare))
        site.counts.greeted += 1
        site.counts.greeted_at = site.env.now
