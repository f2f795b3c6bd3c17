"""kill -9 under load loses, repeats and reorders no acknowledged message.

The acknowledgement follows the fsync.
"""

import asyncio
import os
import random
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.faults.conftest import BOTH_DATABASES
from tests.faults.load import crowd
from tests.support import depth
from tests.support.client import Connection
from tests.support.server import Server
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults

# A broken server fails in the first or second round. If this many rounds find nothing, the control
# fails.
CONTROL_ROUNDS = 8
MORE = 20
"""Messages that are acknowledged before each kill."""
BROKEN = ("-m", "tests.support.broken_server")


async def killed_under_load(server: Server, rounds: int, enough: bool = False) -> tuple[int, list[str]]:
    """Kill and restart the server under load.

    Return (messages acknowledged, violations). With `enough`, stop at the first violation.
    """
    await asyncio.to_thread(server.start)
    async with crowd(server, own=True) as room:
        room.start_writing()
        found: list[str] = []
        for _ in range(rounds):
            wanted = len(room.history.acked) + MORE
            await eventually(lambda: len(room.history.acked) >= wanted, 60, "there is load again")  # noqa: B023
            await asyncio.sleep(random.uniform(0.1, 0.7))  # The time under load is what is being tested.
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            if enough and (found := room.verdict()):
                break
        await room.stop_writing()
        if not enough:
            await room.caught_up()
            found = room.verdict() + room.convergence()
            assert all(follower.welcomes > rounds // 2 for follower in room.followers), "the followers reconnected"
        return len(room.history.acked), found


@BOTH_DATABASES
async def test_kill_9_loses_repeats_and_reorders_no_acknowledged_message(make_server: MakeServer) -> None:
    rounds = depth.rounds("kills", short=5, long=200)
    acknowledged, found = await killed_under_load(make_server(), rounds)
    assert not found, "\n".join(found)
    assert acknowledged >= MORE * rounds, "there was load"


@BOTH_DATABASES
@pytest.mark.parametrize("fault", ["ack-before-commit", "publish-before-commit"])
async def test_control_a_server_that_answers_before_the_commit_loses_messages(
    make_server: MakeServer, fault: str
) -> None:
    server = make_server({"BROKEN": fault}, BROKEN)
    _, found = await killed_under_load(server, CONTROL_ROUNDS, enough=True)
    expected = {"ack-before-commit": "I1 lost", "publish-before-commit": "I3"}[fault]
    assert any(expected in sentence or "reset" in sentence for sentence in found), found


# -- fsync before the acknowledgement, seen from the kernel


@pytest.mark.parametrize(
    ("fault", "promised"), [(None, True), ("synchronous-off", False), ("ack-before-commit", False)]
)
async def test_the_kernel_sees_fdatasync_before_the_acknowledgement(
    make_server: MakeServer, tmp_path: Path, fault: str | None, promised: bool
) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: the order of fdatasync and send cannot be seen")
    server = make_server({"BROKEN": fault}, BROKEN) if fault else make_server()
    await asyncio.to_thread(server.start)
    writer = server.sign_up()
    async with await Connection.open(server.websocket_url, writer.token) as connection:
        await connection.command("message.send", room=1, key="warm", body="a first one, so that files are open")
        await eventually(lambda: connection.of_type("message.sent"), 20, "all is quiet again")
        trace = await traced(server, tmp_path / "trace", connection)
    assert is_synced_before_told(trace, "the traced message") == promised, trace


async def traced(server: Server, path: Path, connection: Connection) -> str:
    """Return the system calls around one message."""
    command = ["strace", "-f", "-y", "-s", "4096", "-e", "trace=fdatasync,fsync,sendto,sendmsg,write,writev"]
    tracer = subprocess.Popen([*command, "-o", str(path), "-p", str(server.pid)], stderr=subprocess.PIPE)  # noqa: ASYNC220
    assert tracer.stderr is not None
    try:
        threads = len(os.listdir(f"/proc/{server.pid}/task"))  # noqa: PTH208
        await eventually(lambda: tracers(server.pid) == threads, 10, "strace holds every thread")
        await connection.command("message.send", room=1, key="traced", body="the traced message")
        await eventually(lambda: "the traced message" in path.read_text(), 10, "the send is in the trace")
    finally:
        tracer.send_signal(signal.SIGINT)
        await asyncio.to_thread(tracer.communicate)
    return await asyncio.to_thread(path.read_text)


def tracers(pid: int) -> int:
    """Return how many threads of the process are being traced."""
    statuses = [entry.read_text() for entry in Path(f"/proc/{pid}/task").glob("*/status")]
    return sum(1 for status in statuses if not re.search(r"^TracerPid:\t0$", status, re.MULTILINE))


def is_synced_before_told(trace: str, body: str) -> bool:
    """Return True if fdatasync finishes before the first write about `body`.

    The fdatasync is that of the write-ahead log, and the write is one to a socket.
    """
    synced = False
    for line in trace.splitlines():
        if re.search(r"\b(fdatasync|fsync)\(\d+<[^>]*-wal>\)\s+= 0|<\.\.\. (fdatasync|fsync) resumed>.*= 0", line):
            synced = True
        told = re.search(r"\b(sendto|sendmsg|write|writev)\(\d+<(socket|TCP)", line)
        if told and (body in line or r"\"re\":" in line):
            return synced
    raise AssertionError("the trace does not show the message being sent to a socket")
