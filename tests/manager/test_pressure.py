"""A loop of broadcasts: its memory is bounded, it is paced by its readers, and others are not delayed."""

import asyncio
import subprocess
import sys

import pytest
from starlette.websockets import WebSocketDisconnect

from hubbub import ConnectionManager
from hubbub.gateways.manager import pace
from tests.manager.peer import Peer
from tests.support.waiting import eventually

PROGRAM = """
import asyncio, sys
from hubbub import ConnectionManager
from tests.manager.pressure import Reader, framed_reader, unbounded

def peak():  # of this program alone: ru_maxrss begins with that of its parent
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))

async def main(kind, count, size):
    manager = ConnectionManager()
    readers = [(framed_reader if kind == "framed" else Reader)() for _ in range(3)]
    for reader in readers:
        await manager.connect(reader.socket)
    if "unbounded" in sys.argv:
        unbounded(manager)
    before = peak()
    for number in range(count):
        await manager.broadcast(f"{number:06} {'x' * size}")
    await manager.drained()
    for reader in readers:
        assert reader.count == count and reader.in_order, (reader.count, reader.in_order)
    assert len(manager.active_connections) == len(readers)
    print(peak() - before)

asyncio.run(main(sys.argv[1], 20_000, 10_000))
"""
BOUND = 60_000
"""KiB. The messages have 200 MB."""


def growth(*arguments: str) -> int:
    """Return by how many KiB the memory of a program grows that broadcasts 20,000 times 10 kB."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize("kind", ["framed", "queued"])
def test_a_loop_of_awaited_broadcasts_holds_little_memory_and_loses_nothing(kind: str) -> None:
    assert growth(kind) < BOUND


def test_control_without_waiting_for_the_clients_the_loop_holds_all_messages() -> None:
    assert growth("queued", "unbounded") > 150_000


async def test_a_loop_without_clients_gives_other_tasks_their_turns() -> None:
    manager, turns = ConnectionManager(), 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(other())
    for _ in range(200_000):
        await manager.broadcast("x", topic="nobody")
    running.cancel()
    assert turns > 3


async def test_a_call_does_not_wait_below_the_bound_and_several_calls_wait_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace, "PATIENCE", 3_600.0)
    manager, peer = ConnectionManager(), Peer()
    await asyncio.create_task(manager.connect(peer.socket))
    peer.reads.clear()
    sent = 0

    async def send() -> None:
        nonlocal sent
        for _ in range(40):
            sent += 1
            await manager.broadcast("x" * 250_000)

    tasks = [asyncio.create_task(send()) for _ in range(3)]
    for _ in range(2_000):
        await asyncio.sleep(0)
    assert pace.BURST // 250_000 <= sent <= 3 * pace.BURST // 250_000 + 3
    assert all(not task.done() for task in tasks)
    tasks.pop().cancel()
    peer.reads.set()
    async with asyncio.timeout(60):
        await asyncio.gather(*tasks)
    await manager.drained()
    assert len(peer.got) == sent
    assert sent >= 80


async def test_a_client_that_reads_nothing_delays_a_loop_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "PATIENCE", 0.05)
    manager, slow, quick = ConnectionManager(outbox_bytes=100_000), Peer(), Peer()
    for peer in (slow, quick):
        await asyncio.create_task(manager.connect(peer.socket))
    slow.reads.clear()
    async with asyncio.timeout(60):
        for number in range(300):
            await manager.broadcast(f"{number} {'x' * 100_000}")
    await eventually(lambda: list(manager.active_connections) == [quick.socket], 20, "the slow client is closed")
    await manager.drained()
    assert [int(text.split()[0]) for text in quick.got] == list(range(300))
    slow.reads.set()


async def test_drained_waits_for_the_clients_of_a_topic_and_not_for_others() -> None:
    manager, slow, quick = ConnectionManager(), Peer(), Peer()
    for peer, topic in ((slow, "a"), (quick, "b")):
        await manager.connect(peer.socket)
        manager.join(peer.socket, topic)
    slow.reads.clear()
    await manager.broadcast("1")
    await manager.drained(topic="b")
    assert quick.got == ["1"]
    waiting = asyncio.create_task(manager.drained())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    slow.reads.set()
    await asyncio.wait_for(waiting, 20)
    assert slow.got == ["1"]


async def test_drained_ends_when_the_client_leaves() -> None:
    manager, peer = ConnectionManager(), Peer()
    await asyncio.create_task(manager.connect(peer.socket))
    for number in range(5):  # the manager receives ahead from now on
        await manager.broadcast(str(number))
        await manager.drained()
    peer.reads.clear()
    await manager.broadcast("never read")
    waiting = asyncio.create_task(manager.drained())
    await asyncio.sleep(0)
    peer.leaves(1001)
    await asyncio.wait_for(waiting, 20)
    assert manager.active_connections == []


async def test_a_client_that_does_not_read_is_closed_within_the_time_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubbub.gateways.manager.sockets.FAREWELL", 0.05)
    manager, peer = ConnectionManager(), Peer()
    await asyncio.create_task(manager.connect(peer.socket))
    reading = asyncio.create_task(peer.socket.receive_text())
    await asyncio.sleep(0)
    peer.reads.clear()
    await manager.broadcast("never read")
    await manager.close_all(4001)
    with pytest.raises(WebSocketDisconnect) as raised:
        await asyncio.wait_for(reading, 20)
    assert raised.value.code == 4001
    await asyncio.wait_for(manager.drained(), 20)
