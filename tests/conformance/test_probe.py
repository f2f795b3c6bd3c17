"""The control of the floods and the fuzzing: a server that others do disturb is found out."""

import asyncio
import os
import signal

import pytest

from tests.conformance.probe import Probe
from tests.support.server import Server

pytestmark = pytest.mark.faults

STANDSTILLS = (0.2, 1.0, 3.0)
"""Seconds; the longer ones for a machine that makes everybody wait nearly as long as the first."""
EVERY = 0.4
TIMES = 3


async def test_a_server_that_stands_still_now_and_then_is_found_out(server: Server) -> None:
    probe = await Probe.open(server)
    seen = []
    for standstill in STANDSTILLS:

        async def disturb(seconds: float = standstill) -> None:
            for _ in range(TIMES):
                os.kill(server.pid, signal.SIGSTOP)
                await asyncio.sleep(seconds)  # the disturbance itself
                os.kill(server.pid, signal.SIGCONT)
                await asyncio.sleep(EVERY)

        delays = await probe.measure(disturb)
        seen.append(str(delays))
        if not delays.are_undisturbed:
            break
    else:
        pytest.fail(f"nobody noticed: {seen}")
    await probe.close()
