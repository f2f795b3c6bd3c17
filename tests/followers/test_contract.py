"""The contract of followers: every follower of `cases.py` passes these tests on both databases."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from hubbub.domain.commands import PauseFollower, ReplayFollower, ResumeFollower, RetryDeadLetter, TrimTopic
from hubbub.domain.events import Entry
from hubbub.domain.model import SYSTEM
from hubbub.engine.follower_runner import MAX_ATTEMPTS
from hubbub.engine.followers import Start
from hubbub.storage import followers
from tests.followers import checks
from tests.followers.case import FollowerCase
from tests.followers.cases import CASES
from tests.followers.node import Node, node_at
from tests.support.waiting import eventually
from tests.support.world import MovingClock

PATIENCE = 60.0
DAY = 86_400.0
CAN_BE_DOWN = [case for case in CASES if case.can_be_down]
CAN_FAIL = [case for case in CASES if case.failing is not None]
HAS_POISON = [case for case in CASES if case.poison is not None]


@asynccontextmanager
async def followed(url: str, case: FollowerCase, start: Start = "head", **options: Any) -> AsyncIterator[Node]:
    """Run a node with the follower and an account."""
    async with node_at(url, **options) as node:
        await case.prepare(node)
        await node.enrol()
        await node.followers.add(case.follower(node), start)
        yield node


async def say(node: Node, room: int, count: int, mark: str) -> list[tuple[str, int]]:
    return [(f"room:{room}", await node.send(room, f"{mark} {n}", f"{mark}{n}")) for n in range(count)]


async def caught_up(node: Node, case: FollowerCase, within: float = PATIENCE) -> None:
    """Wait until every position is its head."""
    name = case.follower(node).name

    def is_level() -> bool:
        return not node.database.read(followers.behind, name, "room:", "", 2**60, 1)

    await eventually(is_level, within, "the follower is at the heads")


def check(node: Node, case: FollowerCase, sent: Sequence[tuple[str, int]]) -> None:
    checks.check(case.effects(node), sent, exactly_once=case.exactly_once)


async def test_messages_of_many_rooms_are_handled_in_order_after_the_follower_was_added(
    database_url: str, case: FollowerCase
) -> None:
    async with followed(database_url, case) as node:
        rooms = [await node.room(f"Room {n}") for n in range(3)]
        sent = [each for turn in range(5) for room in rooms for each in await say(node, room, 2, f"t{turn}")]
        await caught_up(node, case)
        check(node, case, sent)


async def test_a_follower_that_starts_at_the_head_gets_nothing_old_and_one_at_the_beginning_gets_all(
    database_url: str, case: FollowerCase
) -> None:
    async with node_at(database_url) as node:
        await case.prepare(node)
        await node.enrol()
        room = await node.room("Tea")
        old = await say(node, room, 3, "old")
        await node.followers.add(case.follower(node), "head")
        new = await say(node, room, 3, "new")
        await caught_up(node, case)
        check(node, case, new)
        await node.followers.remove(case.follower(node).name)
        assert node.rows("SELECT count(*) FROM follower_positions") == [(0,)]
        await node.followers.add(case.follower(node), "beginning")
        await eventually(lambda: checks.complete(case.effects(node), old), PATIENCE, "the old messages")


async def test_a_follower_that_starts_at_a_position_gets_what_comes_after_it(
    database_url: str, case: FollowerCase
) -> None:
    async with node_at(database_url) as node:
        await case.prepare(node)
        await node.enrol()
        room = await node.room("Tea")
        old = await say(node, room, 4, "old")
        positions = {str(topic): int(str(head)) for topic, head in node.rows("SELECT topic, head FROM topics")}
        await node.followers.add(case.follower(node), {**positions, f"room:{room}": old[1][1]})
        await caught_up(node, case)
        check(node, case, old[2:])


async def test_without_hints_messages_are_found_by_comparing_heads_with_positions(
    database_url: str, case: FollowerCase
) -> None:
    async with followed(database_url, case) as node:
        node.hints = False
        sent = await say(node, await node.room("Tea"), 5, "m")
        await caught_up(node, case)
        check(node, case, sent)


async def test_duplicate_hints_cause_no_second_effect(database_url: str, case: FollowerCase) -> None:
    async with followed(database_url, case) as node:
        published: list[Entry] = []
        node.watch = published.extend
        sent = await say(node, await node.room("Tea"), 5, "m")
        for _ in range(20):
            node.followers.wake(published)
            await caught_up(node, case)
        checks.check(case.effects(node), sent, exactly_once=True)


async def test_a_restarted_node_goes_on_at_the_stored_positions(database_url: str, case: FollowerCase) -> None:
    async with followed(database_url, case) as node:
        room = await node.room("Tea")
        sent = await say(node, room, 5, "first")
        await caught_up(node, case)
        actor = node.actor
    async with node_at(database_url) as node:
        node.actor = actor
        sent += await say(node, room, 5, "second")
        await node.followers.add(case.follower(node))
        await caught_up(node, case)
        checks.check(case.effects(node), sent, exactly_once=True)


@pytest.mark.parametrize("case", CAN_BE_DOWN, indirect=True)
async def test_a_receiver_that_is_down_for_days_gets_everything_in_order(database_url: str, case: FollowerCase) -> None:
    clock = MovingClock()
    async with followed(database_url, case, clock=clock, interval=0.05) as node:
        rooms = [await node.room(f"Room {n}") for n in range(20)]
        case.set_down(True)
        sent = [each for room in rooms for each in await say(node, room, 2, "m")]
        await eventually(lambda: is_failing(node), PATIENCE, "the failure is stored")
        for _ in range(72):  # three days
            clock.ahead += 3_600
            await waits_again(node, clock)
        attempts = node.rows("SELECT attempts FROM followers")[0][0]
        assert isinstance(attempts, int)
        assert 70 <= attempts <= 110, "about one attempt an hour, whatever the number of topics"
        assert node.rows("SELECT count(*) FROM dead_letters") == [(0,)]
        actor = node.actor
    async with node_at(database_url, clock=clock, interval=0.05) as node:  # the next attempt is stored
        node.actor = actor
        case.set_down(False)
        await node.followers.add(case.follower(node))
        assert is_failing(node)
        clock.ahead += 3_601
        await caught_up(node, case)
        check(node, case, sent)
        assert not is_failing(node)


def is_failing(node: Node) -> bool:
    return node.rows("SELECT count(*) FROM followers WHERE failing_since IS NOT NULL") == [(1,)]


async def waits_again(node: Node, clock: MovingClock) -> None:
    """Wait until the next attempt is in the future."""

    def is_waiting() -> bool:
        ((at,),) = node.rows("SELECT next_attempt_at FROM followers")
        return isinstance(at, int) and at > clock.now()

    await eventually(is_waiting, PATIENCE, "the next attempt is in the future")


@pytest.mark.parametrize("case", HAS_POISON, indirect=True)
async def test_a_poison_entry_becomes_a_dead_letter_at_once_and_the_topic_goes_on(
    database_url: str, case: FollowerCase
) -> None:
    assert case.poison is not None
    async with followed(database_url, case) as node:
        room = await node.room("Tea")
        sent = await say(node, room, 3, "before")
        bad = await node.send(room, case.poison, "bad")
        sent += await say(node, room, 3, "after")
        await caught_up(node, case)
        check(node, case, sent)
        ((topic, seq, attempts, reason),) = node.rows("SELECT topic, seq, attempts, reason FROM dead_letters")
        assert (topic, seq, attempts) == (f"room:{room}", bad, 1)
        assert case.poison not in str(reason)


@pytest.mark.parametrize("case", CAN_FAIL, indirect=True)
async def test_a_failing_entry_is_repeated_and_then_a_dead_letter_which_can_be_handled_again(
    database_url: str, case: FollowerCase
) -> None:
    assert case.failing is not None
    clock = MovingClock()
    async with followed(database_url, case, clock=clock, interval=0.05) as node:
        room, other = await node.room("Tea"), await node.room("Coffee")
        case.set_failing(True)
        sent = await say(node, room, 2, "before")
        bad = (f"room:{room}", await node.send(room, case.failing, "bad"))
        sent += await say(node, room, 2, "after")
        elsewhere = await say(node, other, 2, "elsewhere")
        await eventually(lambda: checks.complete(case.effects(node), elsewhere), PATIENCE, "other topics go on")

        def has_tried(count: int) -> bool:
            ((found,),) = node.rows(f"SELECT sum(attempts) FROM follower_positions WHERE topic = 'room:{room}'")
            return int(str(found or 0)) == count

        for count in range(1, MAX_ATTEMPTS):
            await eventually(partial(has_tried, count), PATIENCE, f"attempt {count}")
            clock.ahead += 3_600
        await caught_up(node, case)
        check(node, case, [*sent, *elsewhere])
        ((*where, tries, reason),) = node.rows("SELECT topic, seq, attempts, reason FROM dead_letters")
        assert (*where, tries) == (*bad, MAX_ATTEMPTS)
        assert reason in ("ValueError", "Internal"), "the name of the exception, without its text"

        await node.journal.submit(RetryDeadLetter(follower=case.follower(node).name, topic=bad[0], seq=bad[1]), SYSTEM)
        await eventually(
            lambda: node.rows("SELECT count(*) FROM dead_letters WHERE retry") == [(0,)], PATIENCE, "tried again"
        )
        assert node.rows("SELECT count(*) FROM dead_letters") == [(1,)]
        case.set_failing(False)
        await node.journal.submit(RetryDeadLetter(follower=case.follower(node).name, topic=bad[0], seq=bad[1]), SYSTEM)
        await eventually(lambda: node.rows("SELECT count(*) FROM dead_letters") == [(0,)], PATIENCE, "handled")
        assert bad in case.effects(node)


async def test_a_paused_follower_does_nothing_and_misses_nothing(database_url: str, case: FollowerCase) -> None:
    async with followed(database_url, case) as node:
        name = case.follower(node).name
        room = await node.room("Tea")
        sent = await say(node, room, 2, "before")
        await caught_up(node, case)
        await node.journal.submit(PauseFollower(follower=name), SYSTEM)
        await eventually(lambda: state(node, name) == "paused", PATIENCE, "the engine has noticed")
        sent += await say(node, room, 3, "paused")
        await eventually(lambda: behind(node, name) >= 3, PATIENCE, "the lag is measured")
        assert len(case.effects(node)) == 2
        await node.journal.submit(ResumeFollower(follower=name), SYSTEM)
        await caught_up(node, case)
        check(node, case, sent)


def state(node: Node, name: str) -> str:
    lease = node.followers._runners[name]._lease
    return lease.state if lease is not None else ""


def behind(node: Node, name: str) -> int:
    return node.followers._runners[name].lag.entries


@pytest.mark.parametrize("everywhere", [False, True], ids=["one topic", "all topics"])
async def test_a_replay_repeats_the_effects_after_a_position(
    database_url: str, case: FollowerCase, everywhere: bool
) -> None:
    async with followed(database_url, case) as node:
        name = case.follower(node).name
        rooms = [await node.room("Tea"), await node.room("Coffee")]
        sent = [each for room in rooms for each in await say(node, room, 3, "m")]
        await caught_up(node, case)
        before = list(case.effects(node))
        topic = None if everywhere else f"room:{rooms[0]}"
        await node.journal.submit(ReplayFollower(follower=name, topic=topic, seq=0), SYSTEM)
        wanted = [] if not case.repeats else sent if everywhere else sent[:3]
        await eventually(lambda: len(case.effects(node)) == len(before) + len(wanted), PATIENCE, "repeated effects")
        await caught_up(node, case)
        assert sorted(case.effects(node)) == sorted([*before, *wanted])


async def test_a_log_trimmed_behind_the_follower_is_a_reset_and_what_is_left_is_handled(
    database_url: str, case: FollowerCase
) -> None:
    clock = MovingClock()
    async with followed(database_url, case, clock=clock) as node:
        name = case.follower(node).name
        await node.journal.submit(PauseFollower(follower=name), SYSTEM)
        await eventually(lambda: state(node, name) == "paused", PATIENCE, "the engine has noticed")
        room = await node.room("Tea")
        trimmed = await say(node, room, 3, "trimmed")
        clock.ahead += 2 * DAY
        before = clock.now() - round(DAY * 1_000)
        await node.journal.submit(TrimTopic(topic=f"room:{room}", before=before), SYSTEM)
        kept = await say(node, room, 3, "kept")
        await node.journal.submit(ResumeFollower(follower=name), SYSTEM)
        await caught_up(node, case)
        await case.recover(node)
        check(node, case, [*trimmed, *kept] if case.recovers else kept)


async def test_positions_above_the_heads_of_a_restored_backup_are_reset(database_url: str, case: FollowerCase) -> None:
    async with followed(database_url, case) as node:
        room = await node.room("Tea")
        await say(node, room, 6, "m")
        await caught_up(node, case)
        actor = node.actor
        ((head,),) = node.rows(f"SELECT head FROM topics WHERE topic = 'room:{room}'")
        assert isinstance(head, int)
        with node.elsewhere() as other:  # as if the log came from an older backup than the positions
            other.execute(text(f"UPDATE topics SET head = {head - 3} WHERE topic = 'room:{room}'"))
            other.execute(text(f"DELETE FROM log WHERE topic = 'room:{room}' AND seq > {head - 3}"))
            other.execute(text(f"DELETE FROM messages WHERE room = {room} AND seq > {head - 3}"))
    async with node_at(database_url) as node:
        node.actor = actor
        await node.followers.add(case.follower(node))
        await caught_up(node, case)
        await case.recover(node)
        fresh = await say(node, room, 3, "again")
        assert fresh[0][1] == head - 2, "the seqs are used again"
        await eventually(
            lambda: [case.effects(node).count(each) for each in fresh] >= [1, 1, 1], PATIENCE, "the new messages"
        )
        await caught_up(node, case)
        assert list(case.effects(node))[-3:] == fresh
