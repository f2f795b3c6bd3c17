"""kill -9 under load with users of a host application.

No message is lost, repeated or reordered.
"""

import asyncio

import pytest

from tests.faults.load import crowd
from tests.mounted.conftest import ON_TWO_SERVERS, MakeMounted
from tests.support import depth
from tests.support.mounted import MountedServer
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults

# A broken server fails in the first or second round. If this many rounds find nothing, the control
# fails.
CONTROL_ROUNDS = 8
MORE = 40


async def killed_under_load(server: MountedServer, rounds: int, enough: bool = False) -> list[str]:
    """Kill and restart the server under load; return violations.

    With `enough`, stop at the first one.
    """
    await asyncio.to_thread(server.start)
    async with crowd(server, writers=4, followers=4) as room:
        room.start_writing()
        for _ in range(rounds):
            wanted = len(room.history.acked) + MORE
            await eventually(lambda: len(room.history.acked) >= wanted, 30, "there is load")  # noqa: B023
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            if enough and (found := room.verdict()):
                return found
        await room.stop_writing()
        await room.caught_up()
        assert all(follower.welcomes > 1 for follower in room.followers), "the followers reconnected"
        return room.verdict() + room.convergence()


@ON_TWO_SERVERS
async def test_kill_9_loses_repeats_and_reorders_no_acknowledged_message(
    make_mounted: MakeMounted, asgi_server: str
) -> None:
    found = await killed_under_load(make_mounted(asgi_server), depth.rounds("kills", short=2, long=100))
    assert not found, "\n".join(found)


async def test_control_a_server_that_answers_before_the_commit_loses_messages(make_mounted: MakeMounted) -> None:
    broken = make_mounted(app="tests.support.broken_mounted:app", settings={"BROKEN": "ack-before-commit"})
    found = await killed_under_load(broken, CONTROL_ROUNDS, enough=True)
    assert any("I1 lost" in sentence or "reset" in sentence for sentence in found), found
