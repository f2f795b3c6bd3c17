"""kill -9 at every step of a follower's work: nothing is lost, and no transaction counts twice."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.followers import checks
from tests.followers.case import FollowerCase
from tests.followers.controls import ForgetfulCase
from tests.followers.node import node_at
from tests.followers.recording import RecordingCase
from tests.followers.sending import CarelessCase
from tests.followers.test_contract import PATIENCE, caught_up, followed, say
from tests.followers.victim import STEPS
from tests.support import depth, forked

Sent = list[tuple[str, int]]


async def kill_at(
    url: str, case: FollowerCase, step: str, rounds: int, last: FollowerCase | None = None
) -> tuple[Sent, Sent]:
    """Kill nodes at a step, then let one finish, with `last` if given. Return what was sent, and the effects."""
    async with followed(url, case) as node:
        rooms = [await node.room(f"Room {n}") for n in range(2)]
        await caught_up(node, case)
        await node.followers.detach(case.follower(node).name)
        sent = [each for room in rooms for each in await say(node, room, 40, f"r{room}")]
    for count in range(1, rounds + 1):
        code = await die(url, case, step, count)
        assert code == -9, (code, (case.folder / "victim.log").read_text()[-2_000:])
    async with node_at(url) as node:
        await node.followers.add((last or case).follower(node))
        await caught_up(node, case)
        return sent, list(case.effects(node))


async def die(url: str, case: FollowerCase, step: str, count: int) -> int:
    """Run a victim until it has killed itself; return its exit code."""
    arguments = (case.name, url, str(case.folder), step, str(count))
    with (case.folder / "victim.log").open("ab") as output:
        process = forked.start(
            [sys.executable, "-m", "tests.followers.victim", *arguments], env=dict(os.environ), stdout=output
        )
    try:
        return await asyncio.to_thread(process.wait, PATIENCE)
    finally:
        process.kill()


@pytest.mark.parametrize("step", STEPS)
async def test_a_follower_that_is_killed_at_a_step_loses_nothing(
    database_url: str, case: FollowerCase, step: str
) -> None:
    sent, effects = await kill_at(database_url, case, step, depth.rounds("kills at each step", short=2, long=4))
    checks.check(effects, sent, exactly_once=case.exactly_once)


async def test_control_a_follower_whose_position_is_stored_before_its_effect_loses_effects(
    tmp_path: Path, folder: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'hubbub.db'}"
    sent, effects = await kill_at(url, ForgetfulCase(folder), "after the commit", 1, RecordingCase(folder))
    with pytest.raises(AssertionError, match="lost"):
        checks.check(effects, sent, exactly_once=False)


async def test_control_a_receiver_that_does_not_look_at_ids_has_effects_twice(tmp_path: Path, folder: Path) -> None:
    url, case = f"sqlite:///{tmp_path / 'hubbub.db'}", CarelessCase(folder)
    try:
        sent, effects = await kill_at(url, case, "after the effect", 1)
    finally:
        case.close()
    with pytest.raises(AssertionError, match="twice"):
        checks.check(effects, sent, exactly_once=True)
