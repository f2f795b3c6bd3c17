"""One owner of a follower in the cluster: leases, takeovers and fencing, on PostgreSQL."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from hubbub.domain.commands.followers import AdvanceFollowers, FollowerCommand, LeaseFollowers, Move
from hubbub.domain.events import Entry
from hubbub.domain.model import SYSTEM
from hubbub.engine.followers import RENEWAL, Followers
from hubbub.features.shared import followers as shared
from hubbub.storage import followers
from tests.followers import checks
from tests.followers.counting import CountingCase, CountingFollower
from tests.followers.node import Node, node_at
from tests.followers.recording import RecordingCase
from tests.followers.test_contract import PATIENCE, caught_up, say
from tests.support import forked
from tests.support.postgres import Postgres
from tests.support.waiting import eventually

SHORT = {"lease": 1_500, "renewal": 0.3}
TAKEOVER = 15.0


@pytest.fixture
def address(postgres_server: Postgres, patient_postgresql: None) -> Any:
    made = postgres_server.fresh()
    yield made
    postgres_server.drop(made)


class Held(CountingFollower):
    """Waits within `handle` until it is released, as a process does that stands still."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.release = asyncio.Event(), asyncio.Event()

    async def handle(self, topic: str, entries: Sequence[Entry]) -> FollowerCommand | None:
        self.entered.set()
        await self.release.wait()
        return await super().handle(topic, entries)


async def two(address: str, stack: AsyncExitStack, **options: Any) -> tuple[Node, Node]:
    first = await stack.enter_async_context(node_at(address, **options))
    second = await stack.enter_async_context(node_at(address, **options))
    await first.enrol()
    second.actor = first.actor
    return first, second


def owns(node: Node, name: str) -> bool:
    return node.followers._runners[name].owned


async def test_of_two_nodes_one_works_and_the_other_goes_on_when_it_stops(address: str, folder: Path) -> None:
    case = CountingCase(folder)
    async with AsyncExitStack() as stack:
        first, second = await two(address, stack, **SHORT)
        await case.prepare(first)
        await first.followers.add(CountingFollower())
        await eventually(lambda: owns(first, "counting"), PATIENCE, "the first node owns the follower")
        await second.followers.add(CountingFollower())
        room = await first.room("Tea")
        sent = await say(first, room, 5, "m")
        await caught_up(first, case)
        await eventually(lambda: second.followers._runners["counting"]._lease is not None, PATIENCE, "it has asked")
        assert not owns(second, "counting")
        await first.followers.stop()
        sent += await say(second, room, 5, "n")
        await caught_up(second, case)
        assert owns(second, "counting")
        checks.check(case.effects(second), sent, exactly_once=True)


async def test_an_owner_that_stood_still_is_fenced_and_its_effect_is_refused(address: str, folder: Path) -> None:
    case = CountingCase(folder)
    async with AsyncExitStack() as stack:
        first, second = await two(address, stack, **SHORT)
        await case.prepare(first)
        held = Held()
        await first.followers.add(held)
        sent = await say(first, await first.room("Tea"), 5, "m")
        async with asyncio.timeout(PATIENCE):
            await held.entered.wait()
        first.followers._tasks.copy().pop().cancel()  # it renews no lease any more
        await second.followers.add(CountingFollower())
        await caught_up(second, case)
        held.release.set()
        await eventually(lambda: not owns(first, "counting"), PATIENCE, "the first node has noticed")
        checks.check(case.effects(second), sent, exactly_once=True)


async def stale_move(address: str) -> str:
    """Let an earlier owner store a position that the present owner has not moved; return the outcome."""
    async with AsyncExitStack() as stack:
        first, second = await two(address, stack, renewal=PATIENCE)
        follower = CountingFollower()
        await first.followers.add(follower, "beginning")
        await first.followers.detach("counting")

        async def lease(owner: str, length: int) -> int:
            command = LeaseFollowers(owner=owner, names=("counting",), lease=length, exclusive=False)
            found = (await second.journal.submit(command, SYSTEM)).answer["leases"]["counting"]
            return int(found.fence)

        await first.followers.stop()
        stale = await lease("stale", 1)
        await asyncio.sleep(0.01)  # a lease of a millisecond
        assert await lease("fresh", 60_000) == stale + 1
        command = AdvanceFollowers(moves=(Move("counting", stale, "room:999", 0, 1),))
        (outcome,) = (await first.journal.submit(command, SYSTEM)).answer["outcomes"]
        return str(outcome)


async def test_a_position_of_an_earlier_owner_is_refused(address: str) -> None:
    assert await stale_move(address) == "fenced"


async def test_control_without_fencing_an_earlier_owner_moves_the_position(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance_all = shared.advance_all

    def unfenced(tx: Any, moves: Sequence[Move]) -> Any:
        present = followers.lock(tx, (move.follower for move in moves))
        return advance_all(tx, [move._replace(fence=present[move.follower].fence) for move in moves])

    monkeypatch.setattr("hubbub.features.followers.advance_all", unfenced)
    assert await stale_move(address) == "moved"


@pytest.fixture
async def victim(address: str, folder: Path) -> AsyncIterator[forked.Process]:
    """A process that owns the follower `recording`."""
    arguments = ("recording", address, str(folder), "none", "1")
    with (folder / "victim.log").open("wb") as output:
        process = forked.start(
            [sys.executable, "-m", "tests.followers.victim", *arguments], env=dict(os.environ), stdout=output
        )
    yield process
    process.kill()
    process.wait()


async def test_after_kill_9_of_the_owner_another_process_goes_on_within_fifteen_seconds(
    address: str, folder: Path, victim: forked.Process
) -> None:
    case = RecordingCase(folder)
    await eventually((folder / "ready").exists, PATIENCE, "the other process runs")
    async with node_at(address, renewal=RENEWAL) as node:  # as a server does
        await node.enrol()
        await node.followers.add(case.recorder)
        room = await node.room("Tea")
        sent = await say(node, room, 3, "before")
        await eventually(lambda: checks.complete(case.effects(node), sent), PATIENCE, "the other process works")
        assert not owns(node, "recording")
        victim.kill()
        victim.wait()
        killed = time.monotonic()
        sent += await say(node, room, 3, "after")
        await eventually(lambda: checks.complete(case.effects(node), sent), PATIENCE, "this process goes on")
        assert time.monotonic() - killed < TAKEOVER
        checks.check(case.effects(node), sent, exactly_once=False)


async def test_control_without_comparing_heads_with_positions_messages_are_missed(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CountingCase(folder)
    async with node_at(database_url, interval=3_600) as node:
        await case.prepare(node)
        await node.enrol()
        room = await node.room("Tea")
        await node.followers.add(CountingFollower())
        await eventually(lambda: owns(node, "counting"), PATIENCE, "the node owns the follower")
        assert isinstance(node.followers, Followers)
        seen = await say(node, room, 1, "seen")
        await eventually(lambda: checks.complete(case.effects(node), seen), PATIENCE, "hints are enough usually")
        node.hints = False
        for attempt in range(3):  # a hint that came before may still find the first messages
            await say(node, room, 3, f"missed {attempt}")
            try:
                await caught_up(node, case, 2)
            except AssertionError:
                break
        else:
            pytest.fail("the messages were handled without a hint")
