"""100,000 topics: bounded memory, few statements, and nothing to do when nothing is new."""

import resource
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import event, text

from hubbub.domain.commands.followers import FollowerCommand
from hubbub.domain.events import Entry, MessageSent
from hubbub.engine import follower_runner
from hubbub.engine.follower import Follower, RetryLater
from hubbub.storage import followers
from tests.followers.node import Node, node_at
from tests.support import depth
from tests.support.waiting import eventually

PATIENCE = 600.0
GROWTH = 64 * 2**20
"""Bytes by which the process may grow: a page of topics, a chunk of entries, and what Python keeps."""
SECONDS = 0.002
"""Processor seconds for each topic, on any machine that runs the tests."""


class Tally(Follower):
    """Counts topics, or is down."""

    name = "tally"
    scope = "room:"
    types = frozenset({MessageSent.type})

    def __init__(self, down: bool = False) -> None:
        self.down = down
        self.calls = 0
        self.seen: Counter[str] = Counter()

    async def handle(self, topic: str, entries: Sequence[Entry]) -> FollowerCommand | None:
        self.calls += 1
        if self.down:
            raise RetryLater(3_600, "down")
        self.seen[topic] += len(entries)
        return None

    async def reset(self, topic: str, floor: int) -> FollowerCommand | None:
        raise AssertionError("no log was trimmed")


def fill(node: Node, count: int) -> None:
    """Insert topics with one message each, directly into the database."""
    with node.elsewhere() as other:
        user = "INSERT INTO users (id, name, skeleton, role, disabled, created_at)"
        other.execute(text(f"{user} VALUES (1, 'alice', 'alice', 'member', false, 0)"))
        for start in range(0, count, 5_000):
            numbers = range(10**6 + start, 10**6 + min(start + 5_000, count))
            other.execute(
                text("INSERT INTO topics (topic, head, floor, n) VALUES (:topic, 1, 0, 1)"),
                [{"topic": f"room:{number}"} for number in numbers],
            )
            other.execute(
                text(
                    "INSERT INTO messages (room, seq, n, at, id, author, key, digest, body)"
                    " VALUES (:room, 1, 1, 0, :room, 1, 'k', 1, 'hello')"
                ),
                [{"room": number} for number in numbers],
            )


def memory() -> int:
    """Return the memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def count_statements(node: Node) -> list[str]:
    """Return a list that grows with each statement that a reader executes."""
    found: list[str] = []

    @event.listens_for(node.database.reader, "begin")
    def noted(_connection: object) -> None:
        found.append("read")

    return found


async def test_a_follower_handles_many_topics_in_bounded_memory_and_is_then_idle(database_url: str) -> None:
    topics = depth.rounds("topics", short=20_000, long=100_000)
    async with node_at(database_url, interval=0.5) as node:
        fill(node, topics)
        follower = Tally()
        await node.followers.add(Tally(), "beginning")
        await node.followers.remove("tally")
        before, started = memory(), time.process_time()
        await node.followers.add(follower, "beginning")
        most = 0

        def is_done() -> bool:
            nonlocal most
            most = max(most, memory())
            return len(follower.seen) == topics

        await eventually(is_done, PATIENCE, "all topics are handled", every=0.05)
        await eventually(lambda: level(node), PATIENCE, "all positions are stored", every=0.5)
        spent = time.process_time() - started
        assert spent < 5 + topics * SECONDS, f"{spent:.1f} s of processor time"
        assert most - before < GROWTH, f"grown by {(most - before) / 2**20:.0f} MiB"
        print(f"{topics:,} topics: {spent:.1f} s of processor time, {(most - before) / 2**20:.0f} MiB")  # noqa: T201
        assert set(follower.seen.values()) == {1}

        reads = count_statements(node)
        await eventually(lambda: len(reads) >= 3, PATIENCE, "heads are compared with positions")
        assert follower.calls == topics
        started, wall, first = time.process_time(), time.monotonic(), len(reads)
        await eventually(lambda: len(reads) >= first + 4, PATIENCE, "four comparisons")
        assert len(reads) - first <= 6 + (time.monotonic() - wall) / 0.5, "one statement for each comparison"


def level(node: Node) -> bool:
    return not node.database.read(followers.behind, "tally", "room:", "", 2**60, 1)


async def test_a_receiver_that_is_down_is_tried_once_and_not_for_every_topic(database_url: str) -> None:
    topics = depth.rounds("topics", short=5_000, long=100_000)
    async with node_at(database_url, interval=0.1) as node:
        fill(node, topics)
        follower = Tally(down=True)
        await node.followers.add(follower, "beginning")
        await eventually(lambda: follower.calls > 0, PATIENCE, "the receiver is tried")
        reads = count_statements(node)
        await eventually(lambda: len(reads) >= 5, PATIENCE, "the lag is measured meanwhile")
        assert follower.calls <= follower.parallel
        ((lag,),) = [(runner.lag,) for runner in node.followers._runners.values()]
        assert (lag.topics, lag.entries) == (topics, topics)


async def test_control_without_backoff_a_receiver_that_is_down_is_tried_for_every_topic(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait_not(self: object, later: RetryLater) -> None: ...

    monkeypatch.setattr(follower_runner.Runner, "_wait_all", wait_not)
    async with node_at(database_url, interval=0.1) as node:
        fill(node, 200)
        follower = Tally(down=True)
        await node.followers.add(follower, "beginning")
        await eventually(lambda: follower.calls > 200, PATIENCE, "it spins")
