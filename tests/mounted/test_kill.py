"""kill -9 under load with the users of the app around Hubbub, on two ASGI servers: nothing lost, doubled, reordered."""

import pytest

from tests.faults.test_kill import CONTROL_ROUNDS, killed_under_load
from tests.mounted.conftest import ON_BOTH_SERVERS, MakeMounted

pytestmark = pytest.mark.faults

ROUNDS = 2


@ON_BOTH_SERVERS
async def test_no_acknowledged_message_is_lost_doubled_or_reordered(
    make_mounted: MakeMounted, asgi_server: str
) -> None:
    acknowledged, found = await killed_under_load(make_mounted(asgi_server), ROUNDS)
    assert not found, "\n".join(found)
    assert acknowledged > 20 * ROUNDS, "there was load"


async def test_control_one_that_tells_before_it_commits_is_found_out(make_mounted: MakeMounted) -> None:
    broken = make_mounted(app="tests.support.broken_mounted:app", settings={"BROKEN": "ack-before-commit"})
    _, found = await killed_under_load(broken, CONTROL_ROUNDS, enough=True)
    assert any("I1 lost" in sentence or "reset" in sentence for sentence in found), found
