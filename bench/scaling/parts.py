"""The parts of the simulated site: processors, the database, the bus."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Any

from simpy import Environment, Event, Resource

from bench.scaling.costs import Costs

Process = Generator[Event, Any, Any]

SLICE = 0.001
"""Seconds after which work lets other work run."""


class Processor:
    """The interpreter of a node: one thread runs at a time, in the order of arrival.

    `machine` has the cores of a machine that several processors share; without it, the processor
    has a core of its own.
    """

    def __init__(self, env: Environment, machine: Resource | None = None) -> None:
        self._env, self._machine = env, machine
        self._turn = Resource(env)
        self.used = 0.0
        """Seconds of CPU."""

    def run(self, seconds: float) -> Process:
        """Work for some seconds of CPU."""
        self.used += seconds
        while seconds > 0:
            part = min(seconds, SLICE)
            seconds -= part
            with self._turn.request() as turn:
                yield turn
                if self._machine is None:
                    yield self._env.timeout(part)
                    continue
                with self._machine.request() as core:
                    yield core
                    yield self._env.timeout(part)


class Database:
    """PostgreSQL: cores, one lock for each topic, and one log that is flushed for all who wait."""

    def __init__(self, env: Environment, costs: Costs, cores: int, machine: Resource | None = None) -> None:
        self._env, self._costs = env, costs
        self._cores = machine or Resource(env, cores)
        self._locks: dict[int, Resource] = {}
        self._flushing = False
        self._next: Event = env.event()
        self.up = True
        self.used = 0.0
        self.commits = 0
        self.messages = self.others = 0
        self.flushes = 0

    @property
    def wal(self) -> float:
        """Bytes of the write-ahead log."""
        costs = self._costs
        return self.commits * costs.wal_commit + self.messages * costs.wal_message + self.others * costs.wal_read

    def transact(self, rooms: Iterable[int], messages: int, others: int) -> Process:
        """Lock the rooms in one order, work, commit, flush. Returns whether it was committed."""
        if not self.up:
            return False
        held = []
        try:
            for room in sorted(set(rooms)):
                turn = self._locks.setdefault(room, Resource(self._env)).request()
                held.append((room, turn))
                yield turn
            yield self._env.timeout(self._costs.switch)
            yield from self.work(self._costs.commit_database + self._costs.command_database * (messages + others))
            yield from self._flush()
        finally:
            for room, turn in held:
                lock = self._locks[room]
                lock.release(turn)
                if not lock.count and not lock.queue:
                    del self._locks[room]
        if not self.up:
            return False
        self.commits += 1
        self.messages += messages
        self.others += others
        return True

    def work(self, seconds: float) -> Process:
        """Work for some seconds of CPU on one core."""
        self.used += seconds
        with self._cores.request() as core:
            yield core
            yield self._env.timeout(seconds)

    def _flush(self) -> Process:
        """Wait for a flush that begins from now on. All who wait then share it."""
        wanted = self._next
        if not self._flushing:
            self._flushing = True
            self._env.process(self._flushes())
        yield wanted

    def _flushes(self) -> Process:
        while True:
            done, self._next = self._next, self._env.event()
            self.flushes += 1
            yield self._env.timeout(self._costs.fsync)
            done.succeed()
            if not self._next.callbacks:
                self._flushing = False
                return


class Record:
    """Latencies with weights: from when a message was sent until connections had it."""

    def __init__(self) -> None:
        self._found: list[tuple[float, float]] = []
        self.count = 0.0

    def add(self, seconds: float, weight: float = 1.0) -> None:
        if weight > 0:
            self._found.append((seconds, weight))
            self.count += weight

    def percentile(self, share: float) -> float:
        """Return a percentile in seconds, 0 if nothing was recorded."""
        passed = 0.0
        for seconds, weight in sorted(self._found):
            passed += weight
            if passed >= share * self.count:
                return seconds
        return 0.0

    @property
    def mean(self) -> float:
        return sum(seconds * weight for seconds, weight in self._found) / self.count if self.count else 0.0
