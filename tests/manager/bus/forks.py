"""A program that forks with one manager, as servers that load the application first: `forks ADDRESS`.

The parent has used the manager on a loop that has ended, and uses it on one that runs while it
forks. Writes "done" when all processes have heard each other, and must write nothing to stderr.
"""

import asyncio
import multiprocessing
import sys
import warnings
from multiprocessing.connection import Connection

from hubbub import ConnectionManager
from tests.manager.bus.conftest import DEADLINE, bus_of, connected
from tests.manager.peer import Peer
from tests.support.waiting import eventually

manager = ConnectionManager(bus=sys.argv[-1])
NAMES = ("parent", "first", "second")
fork = multiprocessing.get_context("fork")


async def use_alone() -> str:
    await connected(manager, "a")
    return bus_of(manager)._codec.node


async def live(name: str, say: Connection, peer: Peer | None = None) -> None:
    """Connect, wait until all are connected, send, and hear all."""
    peer = peer or await connected(manager)
    say.send(bus_of(manager)._codec.node)
    assert await asyncio.to_thread(say.recv) == "go"
    await manager.broadcast(f"from {name}")
    await eventually(lambda: len(peer.got) >= len(NAMES), DEADLINE, f"{name} hears all, not {peer.got}")
    assert sorted(peer.got) == sorted(f"from {name}" for name in NAMES)
    say.send("heard")


def child(name: str, say: Connection) -> None:
    asyncio.run(live(name, say))


async def parent() -> set[str]:
    """Fork while this loop is connected. Return the ids that the processes have on the bus."""
    peer = await connected(manager)
    processes, pipes = [], []
    for name in NAMES[1:]:
        ours, theirs = fork.Pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # there may be threads by now
            process = fork.Process(target=child, args=(name, theirs))
            process.start()
        processes.append(process)
        pipes.append(ours)
    ours, theirs = fork.Pipe()
    pipes.append(ours)
    living = asyncio.create_task(live("parent", theirs, peer))
    nodes = {await asyncio.to_thread(pipe.recv) for pipe in pipes}
    for pipe in pipes:
        pipe.send("go")
    assert [await asyncio.to_thread(pipe.recv) for pipe in pipes] == ["heard"] * 3
    await living
    for process in processes:
        await asyncio.to_thread(process.join)
        assert process.exitcode == 0
    await eventually(lambda: bus_of(manager).connected, DEADLINE, "the parent is still connected")
    assert bus_of(manager).counts.connects == 1, "and never had to reconnect"
    return nodes


if __name__ == "__main__":
    before = asyncio.run(use_alone())
    nodes = asyncio.run(parent())
    assert len(nodes | {before}) == 4
    sys.stdout.write("done\n")
