"""The control of the floods and the fuzzing: a server that others do disturb is found out."""

import asyncio
import os
import signal

import pytest

from tests.conformance.probe import Probe, is_left_alone
from tests.support.server import Server

pytestmark = pytest.mark.faults

STANDSTILL = 0.2
EVERY = 0.5
TIMES = 3


async def test_a_server_that_stands_still_now_and_then_is_found_out(server: Server) -> None:
    probe = await Probe.open(server)

    async def disturb() -> None:
        for _ in range(TIMES):
            os.kill(server.pid, signal.SIGSTOP)
            await asyncio.sleep(STANDSTILL)  # the disturbance itself
            os.kill(server.pid, signal.SIGCONT)
            await asyncio.sleep(EVERY)

    undisturbed, delays = await is_left_alone(probe, disturb)
    await probe.close()
    assert not undisturbed, f"nobody noticed: {delays}"
