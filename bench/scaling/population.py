"""Users and rooms: sizes and activity follow Zipf's law.

The number of rooms with `s` connected members falls as 1/s² (the k-th largest room has 1/k of the
members of the largest one). What is written in a room grows with the root of its size, and differs
between rooms of one size by Zipf's law, too; the mean over rooms of one size is what counts for the
load, the spread for the hottest room.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import sqrt
from random import Random

LARGEST = 5_000
"""Connected members of the largest room. A site of fewer users has a smaller one."""
CLASSES = 40
HOTTEST = 0.02
"""Share of the site's messages that go to its most active room, up to `MOST` a second."""
MOST = 5.0
"""Messages per second that humans write in one room at most: faster ones nobody can read."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What a connected user does at the busiest hour, per second. One user has one connection."""

    sends: float = 6 / 3600
    reads: float = 30 / 3600
    rooms: float = 10
    """Rooms of a user, direct rooms included."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """Rooms by size class: connected members, number of rooms, share of all messages."""

    sizes: Sequence[int]
    counts: Sequence[float]
    shares: Sequence[float]

    @property
    def recipients(self) -> float:
        """Connections that get a message, on average."""
        return sum(size * share for size, share in zip(self.sizes, self.shares, strict=True))

    @property
    def memberships(self) -> float:
        return sum(size * count for size, count in zip(self.sizes, self.counts, strict=True))

    def topics(self, nodes: float) -> float:
        """Return how many (node, room) pairs there are: a node follows the rooms of its users."""
        return sum(count * spread(size, nodes) for size, count in zip(self.sizes, self.counts, strict=True))

    def copies(self, nodes: float) -> float:
        """Return how many other nodes get a message, on average."""
        return sum(share * others(size, nodes) for size, share in zip(self.sizes, self.shares, strict=True))


def spread(size: float, nodes: float) -> float:
    """Return the nodes on which a room has members, if these are spread at random."""
    return nodes * (1 - (1 - 1 / nodes) ** size) if nodes > 1 else 1.0


def others(size: float, nodes: float) -> float:
    """Return the nodes besides the author's on which a room has members."""
    return (nodes - 1) * (1 - (1 - 1 / nodes) ** (size - 1)) if nodes > 1 else 0.0


def rooms_of(users: int, work: Workload, largest: int = LARGEST) -> Rooms:
    """Return the rooms of a site with so many connected users."""
    top = max(3, min(largest, users // 2))
    edges = sorted({round(2 * (top / 2) ** (step / CLASSES)) for step in range(CLASSES + 1)})
    sizes, weights = [], []
    for low, high in zip(edges, [*edges[1:], top + 1], strict=True):
        members = range(low, max(high, low + 1))
        weight = sum(1 / size**2 for size in members) if high - low < 200 else 1 / low - 1 / high
        mean = sum(1 / size for size in members) / weight if high - low < 200 else (low * high) ** 0.5
        sizes.append(max(2, round(mean)))
        weights.append(weight)
    total = sum(size * weight for size, weight in zip(sizes, weights, strict=True))
    counts = [weight * users * work.rooms / total for weight in weights]
    activity = [sqrt(size) * count for size, count in zip(sizes, counts, strict=True)]
    return Rooms(sizes, counts, [each / sum(activity) for each in activity])


def hottest(users: int, work: Workload) -> float:
    """Return the messages per second of the most active room."""
    return min(MOST, HOTTEST * users * work.sends)


class Choice:
    """Draws indexes with given weights."""

    def __init__(self, weights: Sequence[float], chance: Random) -> None:
        self._sums = list(accumulate(weights))
        self._chance = chance

    def draw(self) -> int:
        return min(bisect(self._sums, self._chance.random() * self._sums[-1]), len(self._sums) - 1)


def binomial(count: int, share: float, chance: Random) -> int:
    """Draw how many of `count` happen. Large counts are drawn from a normal distribution."""
    mean = count * share
    if count <= 30:
        return sum(chance.random() < share for _ in range(count))
    if mean < 10:  # Poisson is close enough
        limit, found, product = 2.718281828459045**-mean, 0, chance.random()
        while product > limit:
            found, product = found + 1, product * chance.random()
        return min(found, count)
    return max(0, min(count, round(chance.gauss(mean, sqrt(mean * (1 - share))))))
