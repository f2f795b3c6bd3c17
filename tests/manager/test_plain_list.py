"""The pitfalls of the manager that keeps a plain list: each is shown to bite it, and not the ConnectionManager."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import pytest
from starlette.websockets import WebSocket, WebSocketDisconnect

from hubbub import ConnectionManager
from tests.manager.peer import Peer
from tests.support.waiting import eventually

LIMIT = 2_000


class Manager(Protocol):
    """What the two have in common."""

    async def connect(self, websocket: WebSocket) -> None: ...
    def disconnect(self, websocket: WebSocket) -> None: ...
    async def send_personal_message(self, message: str, websocket: WebSocket) -> None: ...
    async def broadcast(self, message: str) -> None: ...


class PlainList:
    """Everybody's first manager."""

    def __init__(self) -> None:
        self.active_connections: list[WebSocket] = []

    async def connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.active_connections.append(websocket)

    def disconnect(self, websocket: WebSocket) -> None:
        self.active_connections.remove(websocket)

    async def send_personal_message(self, message: str, websocket: WebSocket) -> None:
        await websocket.send_text(message)

    async def broadcast(self, message: str) -> None:
        for connection in self.active_connections:
            await connection.send_text(message)


TURNS = 50
Expected = Callable[[Manager], Awaitable[bool]]


async def peers(manager: Manager, count: int) -> list[Peer]:
    found = [Peer() for _ in range(count)]
    for peer in found:
        await manager.connect(peer.socket)
    return found


async def hears(peer: Peer, *texts: str) -> bool:
    """Whether exactly these arrive, given time."""
    for _ in range(TURNS):
        if peer.got == list(texts):
            return True
        await asyncio.sleep(0)
    return False


async def tried(call: Awaitable[None]) -> bool:
    """Whether the call comes back within so many turns of the loop, and without an exception."""
    task = asyncio.ensure_future(call)
    for _ in range(TURNS):
        if task.done():
            break
        await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except (asyncio.CancelledError, ValueError, RuntimeError, OSError, WebSocketDisconnect):
        return False
    return True


async def begun(call: Awaitable[None]) -> "asyncio.Future[bool]":
    """A call that has taken its first step."""
    task = asyncio.ensure_future(tried(call))
    for _ in range(2):
        await asyncio.sleep(0)
    return task


async def one_who_does_not_read_holds_nobody_up(manager: Manager) -> bool:
    slow, well = await peers(manager, 2)
    slow.reads.clear()
    came_back = await tried(manager.broadcast("1"))
    return came_back and await hears(well, "1")


async def one_who_is_dead_is_not_raised(manager: Manager) -> bool:
    dead, _ = await peers(manager, 2)
    dead.dead = True
    return await tried(manager.broadcast("1"))


async def those_behind_a_dead_one_hear_everything(manager: Manager) -> bool:
    dead, well = await peers(manager, 2)
    dead.dead = True
    await tried(manager.broadcast("1"))
    return await hears(well, "1")


async def a_dead_one_does_not_stay_in_the_list_for_ever(manager: Manager) -> bool:
    dead, _ = await peers(manager, 2)
    dead.dead = True
    await tried(manager.broadcast("1"))
    for _ in range(TURNS):
        if len(manager.active_connections) == 1:  # type: ignore[attr-defined]
            return True
        await asyncio.sleep(0)
    return False


async def nobody_is_skipped_when_one_leaves_during_a_broadcast(manager: Manager) -> bool:
    leaving, second, _ = await peers(manager, 3)
    leaving.reads.clear()
    sending = await begun(manager.broadcast("1"))
    manager.disconnect(leaving.socket)
    leaving.reads.set()
    await sending
    return await hears(second, "1")


async def leaving_twice_is_harmless(manager: Manager) -> bool:
    (peer,) = await peers(manager, 1)
    manager.disconnect(peer.socket)
    try:
        manager.disconnect(peer.socket)
    except ValueError:
        return False
    return True


async def each_hears_things_in_the_order_of_the_calls(manager: Manager) -> bool:
    """An answer to one does not overtake what was said to all before it."""
    slow, well = await peers(manager, 2)
    slow.reads.clear()
    sending = await begun(manager.broadcast("1"))
    await manager.send_personal_message("2", well.socket)
    slow.reads.set()
    await sending
    return await hears(well, "1", "2")


async def one_who_comes_in_the_middle_of_a_broadcast_hears_what_comes_after_it_alone(manager: Manager) -> bool:
    """What was said before one came in is not for him: he would hear it without what it answers to."""
    (slow,) = await peers(manager, 1)
    slow.reads.clear()
    sending = await begun(manager.broadcast("before"))
    (late,) = await peers(manager, 1)
    slow.reads.set()
    await sending
    await tried(manager.broadcast("after"))
    return await hears(late, "after")


async def nothing_is_said_to_one_who_is_still_being_accepted(manager: Manager) -> bool:
    """Nothing goes out before the handshake is done, and the broadcast to the others does not wait for it."""
    (well,) = await peers(manager, 1)
    coming = Peer()
    coming.reads.clear()
    accepting = asyncio.ensure_future(manager.connect(coming.socket))
    await asyncio.sleep(0)
    came_back = await tried(manager.broadcast("1"))
    coming.reads.set()
    await accepting
    return came_back and coming.got == [] and await hears(well, "1")


PITFALLS: list[Expected] = [
    one_who_does_not_read_holds_nobody_up,
    one_who_is_dead_is_not_raised,
    those_behind_a_dead_one_hear_everything,
    a_dead_one_does_not_stay_in_the_list_for_ever,
    nobody_is_skipped_when_one_leaves_during_a_broadcast,
    leaving_twice_is_harmless,
    each_hears_things_in_the_order_of_the_calls,
    one_who_comes_in_the_middle_of_a_broadcast_hears_what_comes_after_it_alone,
]
by_name = pytest.mark.parametrize("pitfall", PITFALLS, ids=lambda pitfall: pitfall.__name__)


@by_name
async def test_the_connection_manager_does_it_right(pitfall: Expected) -> None:
    assert await pitfall(ConnectionManager(outbox_bytes=LIMIT))


@by_name
async def test_a_plain_list_does_not(pitfall: Expected) -> None:
    assert not await pitfall(PlainList())


@pytest.mark.parametrize("manager", [ConnectionManager(), PlainList()], ids=lambda manager: type(manager).__name__)
async def test_neither_speaks_to_one_who_is_still_being_accepted(manager: Manager) -> None:
    assert await nothing_is_said_to_one_who_is_still_being_accepted(manager)


async def test_memory_is_bounded_for_one_who_does_not_read_and_unbounded_with_a_task_for_each_message() -> None:
    """The usual mend of the first pitfall: nobody waits any more, and everything waits in memory."""
    manager, plain = ConnectionManager(outbox_bytes=LIMIT), PlainList()
    for one in (manager, plain):
        (slow,) = await asyncio.create_task(peers(one, 1))
        slow.reads.clear()
    waiting = []
    for _ in range(100):
        await manager.broadcast("x" * 100)
        waiting.append(asyncio.ensure_future(plain.broadcast("x" * 100)))
        await asyncio.sleep(0)
    await eventually(lambda: len(manager.active_connections) == 0, 20, "the slow one was dropped")
    assert not any(task.done() for task in waiting)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
