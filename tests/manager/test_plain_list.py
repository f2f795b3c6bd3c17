"""Pitfalls of a manager with a plain list, which ConnectionManager avoids."""

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
    """The interface that both managers share."""

    async def connect(self, websocket: WebSocket) -> None: ...
    def disconnect(self, websocket: WebSocket) -> None: ...
    async def send_personal_message(self, message: str, websocket: WebSocket) -> None: ...
    async def broadcast(self, message: str) -> None: ...


class PlainList:
    """A first manager as many programs contain it."""

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
    """Return whether exactly these texts arrive within TURNS turns of the loop."""
    for _ in range(TURNS):
        if peer.got == list(texts):
            return True
        await asyncio.sleep(0)
    return False


async def tried(call: Awaitable[None]) -> bool:
    """Return whether the call returns in time and without an exception.

    The time is TURNS turns of the loop.
    """
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
    """Start a call and let it take its first step."""
    task = asyncio.ensure_future(tried(call))
    for _ in range(2):
        await asyncio.sleep(0)
    return task


async def a_client_that_does_not_read_delays_no_other(manager: Manager) -> bool:
    slow, well = await peers(manager, 2)
    slow.reads.clear()
    came_back = await tried(manager.broadcast("1"))
    return came_back and await hears(well, "1")


async def a_dead_client_raises_no_exception(manager: Manager) -> bool:
    dead, _ = await peers(manager, 2)
    dead.dead = True
    return await tried(manager.broadcast("1"))


async def clients_after_a_dead_one_receive_everything(manager: Manager) -> bool:
    dead, well = await peers(manager, 2)
    dead.dead = True
    await tried(manager.broadcast("1"))
    return await hears(well, "1")


async def a_dead_client_is_removed_from_the_list(manager: Manager) -> bool:
    dead, _ = await peers(manager, 2)
    dead.dead = True
    await tried(manager.broadcast("1"))
    for _ in range(TURNS):
        if len(manager.active_connections) == 1:  # type: ignore[attr-defined]
            return True
        await asyncio.sleep(0)
    return False


async def no_client_is_skipped_when_another_leaves_during_a_broadcast(manager: Manager) -> bool:
    leaving, second, _ = await peers(manager, 3)
    leaving.reads.clear()
    sending = await begun(manager.broadcast("1"))
    manager.disconnect(leaving.socket)
    leaving.reads.set()
    await sending
    return await hears(second, "1")


async def disconnecting_twice_is_harmless(manager: Manager) -> bool:
    (peer,) = await peers(manager, 1)
    manager.disconnect(peer.socket)
    try:
        manager.disconnect(peer.socket)
    except ValueError:
        return False
    return True


async def each_client_receives_messages_in_the_order_of_the_calls(manager: Manager) -> bool:
    """A personal message does not overtake an earlier broadcast."""
    slow, well = await peers(manager, 2)
    slow.reads.clear()
    sending = await begun(manager.broadcast("1"))
    await manager.send_personal_message("2", well.socket)
    slow.reads.set()
    await sending
    return await hears(well, "1", "2")


async def a_client_that_connects_during_a_broadcast_receives_only_later_messages(manager: Manager) -> bool:
    """A newcomer does not receive a message sent before they connected.

    Its context would be missing.
    """
    (slow,) = await peers(manager, 1)
    slow.reads.clear()
    sending = await begun(manager.broadcast("before"))
    (late,) = await peers(manager, 1)
    slow.reads.set()
    await sending
    await tried(manager.broadcast("after"))
    return await hears(late, "after")


async def a_client_that_is_still_being_accepted_receives_nothing(manager: Manager) -> bool:
    """Nothing is sent before the handshake is done.

    A broadcast to others does not wait for it.
    """
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
    a_client_that_does_not_read_delays_no_other,
    a_dead_client_raises_no_exception,
    clients_after_a_dead_one_receive_everything,
    a_dead_client_is_removed_from_the_list,
    no_client_is_skipped_when_another_leaves_during_a_broadcast,
    disconnecting_twice_is_harmless,
    each_client_receives_messages_in_the_order_of_the_calls,
    a_client_that_connects_during_a_broadcast_receives_only_later_messages,
]
by_name = pytest.mark.parametrize("pitfall", PITFALLS, ids=lambda pitfall: pitfall.__name__)


@by_name
async def test_the_connection_manager_avoids_the_pitfall(pitfall: Expected) -> None:
    assert await pitfall(ConnectionManager(outbox_bytes=LIMIT))


@by_name
async def test_control_a_plain_list_has_the_pitfall(pitfall: Expected) -> None:
    assert not await pitfall(PlainList())


@pytest.mark.parametrize("manager", [ConnectionManager(), PlainList()], ids=lambda manager: type(manager).__name__)
async def test_neither_manager_sends_to_a_client_that_is_still_being_accepted(manager: Manager) -> None:
    assert await a_client_that_is_still_being_accepted_receives_nothing(manager)


async def test_memory_is_bounded_with_the_manager_and_unbounded_with_a_task_for_each_message() -> None:
    """Tasks are the usual remedy for the first pitfall.

    No call waits any more, and all messages wait in memory.
    """
    manager, plain = ConnectionManager(outbox_bytes=LIMIT), PlainList()
    for one in (manager, plain):
        (slow,) = await asyncio.create_task(peers(one, 1))
        slow.reads.clear()
    waiting = []
    for _ in range(100):
        await manager.broadcast("x" * 100)
        waiting.append(asyncio.ensure_future(plain.broadcast("x" * 100)))
        await asyncio.sleep(0)
    await eventually(lambda: len(manager.active_connections) == 0, 20, "the slow client was dropped")
    assert not any(task.done() for task in waiting)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
