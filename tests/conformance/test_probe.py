"""Control for floods and fuzzing: the probe detects a disturbed server."""

import asyncio
import os
import signal

import pytest

from tests.conformance.probe import Probe
from tests.support.server import Server

pytestmark = pytest.mark.faults

STANDSTILLS = (0.2, 1.0, 3.0)
"""Seconds; the longer ones are for a machine whose own delays nearly hide the first."""
EVERY = 0.4
TIMES = 3


async def test_control_the_probe_detects_a_server_that_stalls_now_and_then(server: Server) -> None:
    probe = await Probe.open(server)
    seen = []
    for standstill in STANDSTILLS:

        async def disturb(seconds: float = standstill) -> None:
            for _ in range(TIMES):
                os.kill(server.pid, signal.SIGSTOP)
                await asyncio.sleep(seconds)  # The stall is the disturbance itself.
                os.kill(server.pid, signal.SIGCONT)
                await asyncio.sleep(EVERY)

        delays = await probe.measure(disturb)
        seen.append(str(delays))
        if not delays.are_undisturbed:
            break
    else:
        pytest.fail(f"the probe did not notice: {seen}")
    await probe.close()
