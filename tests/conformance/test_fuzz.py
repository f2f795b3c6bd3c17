"""The server answers or closes on wrong frames of every kind, and stays healthy."""

import asyncio
import json
import random
import sys

import pytest

from tests.conformance.probe import Probe, is_left_alone
from tests.conftest import MakeServer
from tests.support import depth
from tests.support.server import Server

pytestmark = pytest.mark.faults

WARM_UP = 3_000
FLOOD = 20_000
MODERATE = 2_000
"""Frames a second. A flood takes all processor time and delays others.

They do not notice a fifth of a core.
"""
MEASURED = 8_000
GROWTH = 20 * 2**20
"""Memory growth beyond what was stored.

SQLite's page cache also holds that, up to the cache's own limit.
"""
ANSWERS = {"ok", "bad_request", "not_found", "forbidden", "too_large"}
CLOSES = {"close 1002", "close 1003", "close 1007", "close 1008", "close 1009", "close 4501"}
MAY_BE = {"close 1000", "close 0", "conflict", "unauthenticated", "busy"}


async def fuzz(server: Server, frames: int, rate: int, seed: int) -> dict[str, int]:
    """Run the fuzzer and return its counts."""
    account = await asyncio.to_thread(server.sign_up, "fuzzer")
    room = await asyncio.to_thread(account.create_room, f"room of {account.name}")
    words = [str(server.port), account.name, account.token, str(room), str(frames), str(rate), str(seed)]
    fuzzer = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.conformance.fuzzer", *words, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await fuzzer.communicate()
    assert fuzzer.returncode == 0, f"the fuzzer failed, seed {seed}"
    return dict(json.loads(said))


async def test_fuzzed_frames_leave_the_server_healthy_and_other_clients_fast(make_server: MakeServer) -> None:
    server = make_server({"HUBBUB_ACCESS_TOKEN_SECONDS": "86400"})
    await asyncio.to_thread(server.start)
    process = server.process
    assert process is not None
    probe = await Probe.open(server)
    frames, seed = depth.rounds("frames", short=20_000, long=1_000_000), random.randrange(2**32)
    await fuzz(server, WARM_UP, FLOOD, seed + 1)
    memory, stored = server.resident_bytes(), server.database.stat().st_size
    fuzzing = asyncio.ensure_future(fuzz(server, frames, FLOOD, seed))
    flooded, seen = await probe.windows(fuzzing), await fuzzing
    grown, stored = server.resident_bytes() - memory, server.database.stat().st_size - stored
    undisturbed, delays = await is_left_alone(probe, lambda: fuzz(server, MEASURED, MODERATE, seed + 2))
    await probe.close()
    print(seen, f"grown by {grown}, stored {stored}, in the flood p99 {flooded}, measured {delays}, seed {seed}")  # noqa: T201
    assert seen["frames"] >= frames
    assert seen.keys() >= ANSWERS | CLOSES, seen
    assert seen.keys() - {"frames", "sockets"} <= ANSWERS | CLOSES | MAY_BE, seen
    assert server.process is process
    assert process.poll() is None
    assert grown - stored <= GROWTH, f"grown by {grown} bytes, {stored} of them stored, seed {seed}"
    assert undisturbed, delays
    says_nothing_bad(server.log_text())


def says_nothing_bad(log: str) -> None:
    for word in ("Traceback", "internal", '"exception"', '"level": "error"', "failed"):
        assert word not in log, log[max(0, log.index(word) - 1_000) :][:4_000]
