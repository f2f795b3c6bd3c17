"""How endpoints learn that their client left.

This includes servers that drop later sends silently.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from starlette.websockets import WebSocketDisconnect, WebSocketState

from hubbub import ConnectionManager
from hubbub.gateways.manager import owner_tasks
from tests.manager.peer import Peer
from tests.support.waiting import eventually

LIMIT = 10_000
WITHIN = 20.0


@pytest.fixture
def manager() -> ConnectionManager:
    return ConnectionManager(outbox_bytes=LIMIT)


async def ends(endpoint: Coroutine[Any, Any, None]) -> int:
    """Return the code with which an endpoint ends."""
    with pytest.raises(WebSocketDisconnect) as raised:
        await asyncio.wait_for(asyncio.create_task(endpoint), WITHIN)
    return raised.value.code


async def personal(manager: ConnectionManager, peer: Peer) -> None:
    await manager.connect(peer.socket)
    while True:
        await manager.send_personal_message("tick", peer.socket)
        await asyncio.sleep(0)


async def to_all(manager: ConnectionManager, peer: Peer) -> None:
    await manager.connect(peer.socket)
    while True:
        await manager.broadcast("tick")
        await asyncio.sleep(0)


async def without_a_pause(manager: ConnectionManager, peer: Peer) -> None:
    await manager.connect(peer.socket)
    while True:
        await manager.broadcast("")


async def own_loop(manager: ConnectionManager, peer: Peer) -> None:
    await manager.connect(peer.socket)
    while True:
        for websocket in manager.active_connections:
            await websocket.send_text("tick")
        await asyncio.sleep(0)


Endpoint = Callable[[ConnectionManager, Peer], Coroutine[Any, Any, None]]
SEND_ONLY: list[Endpoint] = [personal, to_all, without_a_pause, own_loop]


@pytest.mark.parametrize("endpoint", SEND_ONLY)
async def test_an_endpoint_that_only_sends_ends_with_the_code_of_its_client(
    manager: ConnectionManager, endpoint: Endpoint
) -> None:
    peer = Peer()
    asyncio.get_running_loop().call_later(0.05, peer.leaves, 4321)
    assert await ends(endpoint(manager, peer)) == 4321
    assert not manager.active_connections


@pytest.mark.parametrize("endpoint", SEND_ONLY)
async def test_an_endpoint_that_only_sends_ends_with_1006_if_the_server_raises(
    manager: ConnectionManager, endpoint: Endpoint
) -> None:
    peer = Peer()
    asyncio.get_running_loop().call_later(0.05, setattr, peer, "dead", True)
    assert await ends(endpoint(manager, peer)) == 1006


async def gone(manager: ConnectionManager) -> Peer:
    """Return a peer that connected in this task and has gone since."""
    peer = Peer()
    await manager.connect(peer.socket)
    await leave(manager, peer)
    return peer


async def leave(manager: ConnectionManager, peer: Peer) -> None:
    peer.dead = True
    before = len(manager.active_connections)
    await manager.send_personal_message("x", peer.socket)
    await eventually(lambda: len(manager.active_connections) < before, WITHIN, "the manager notices the end")


async def test_the_disconnect_is_raised_once_and_later_broadcasts_work(
    manager: ConnectionManager,
) -> None:
    await gone(manager)
    with pytest.raises(WebSocketDisconnect):
        await manager.broadcast("1")
    await manager.broadcast("2")
    assert list(manager.active_connections) == []


async def test_a_broadcast_reaches_other_clients_before_it_raises(manager: ConnectionManager) -> None:
    other = Peer()
    await asyncio.create_task(manager.connect(other.socket))
    await gone(manager)
    with pytest.raises(WebSocketDisconnect):
        await manager.broadcast("1")
    await eventually(lambda: other.got == ["1"], WITHIN, "the other client receives the message")


async def test_a_broadcast_does_not_raise_after_disconnect_or_a_look_at_the_connections(
    manager: ConnectionManager,
) -> None:
    peer = await gone(manager)
    manager.disconnect(peer.socket)
    await manager.broadcast("1")
    peer = await gone(manager)
    assert peer.socket not in manager.active_connections
    await manager.broadcast("2")


async def test_another_task_may_broadcast_after_the_end_and_only_sending_to_that_client_raises(
    manager: ConnectionManager,
) -> None:
    peer = await gone(manager)
    await asyncio.create_task(manager.broadcast("1"))
    with pytest.raises(WebSocketDisconnect):
        await asyncio.create_task(manager.send_personal_message("2", peer.socket))
    with pytest.raises(WebSocketDisconnect):
        await manager.broadcast("3")


async def test_a_task_with_several_clients_gets_the_disconnect_when_the_last_has_left(
    manager: ConnectionManager,
) -> None:
    first, second = Peer(), Peer()
    for peer in (first, second):
        await manager.connect(peer.socket)
    await leave(manager, first)
    await manager.broadcast("1")
    await leave(manager, second)
    with pytest.raises(WebSocketDisconnect):
        await manager.broadcast("2")


async def test_an_endpoint_that_reads_learns_of_the_end_from_receive_only(
    manager: ConnectionManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner_tasks, "READER", 3_600.0)
    peer = Peer()
    await manager.connect(peer.socket)
    peer.says("last words")
    assert await peer.socket.receive_text() == "last words"
    await leave(manager, peer)
    await manager.send_personal_message("no client receives this", peer.socket)
    await manager.broadcast("this is for the other clients")
    peer.leaves(1001)
    with pytest.raises(WebSocketDisconnect):
        await peer.socket.receive_text()


async def test_messages_received_ahead_reach_the_endpoint_in_order(manager: ConnectionManager) -> None:
    peer = Peer()
    await manager.connect(peer.socket)
    for number in range(5):
        peer.says(str(number))
    await send_until(manager, peer.events.empty)
    for number in range(5, 8):
        peer.says(str(number))
    peer.leaves(1001)
    await send_until(manager, lambda: not manager.active_connections)
    states = [peer.socket.client_state]
    assert [await peer.socket.receive_text() for _ in range(8)] == [*"01234567"]
    with pytest.raises(WebSocketDisconnect) as raised:
        await peer.socket.receive_text()
    assert raised.value.code == 1001
    states.append(peer.socket.client_state)
    assert states == [WebSocketState.CONNECTED, WebSocketState.DISCONNECTED]


async def send_until(manager: ConnectionManager, condition: Callable[[], bool]) -> None:
    """Broadcast in a task that owns no connection until the condition holds."""

    async def send() -> None:
        while not condition():
            await manager.broadcast("tick")
            await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.create_task(send()), WITHIN)


async def test_a_cancelled_receive_loses_no_message(manager: ConnectionManager) -> None:
    peer = Peer()
    await manager.connect(peer.socket)
    for _ in range(10):
        await manager.broadcast("tick")
        await asyncio.sleep(0)
    for _ in range(3):  # The manager receives ahead meanwhile.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(peer.socket.receive_text(), 0.01)
    for text in "123":
        peer.says(text)
    assert [await peer.socket.receive_text() for _ in "123"] == [*"123"]


async def test_messages_received_ahead_are_bounded_in_bytes(manager: ConnectionManager) -> None:
    peer = Peer()
    await manager.connect(peer.socket)
    for _ in range(30):
        peer.says("x" * 1_000)
    for _ in range(200):
        await manager.broadcast("tick")
        await asyncio.sleep(0)
    assert 30 - LIMIT // 1_000 <= peer.events.qsize() < 30
    async with asyncio.timeout(WITHIN):
        for _ in range(30):
            assert len(await peer.socket.receive_text()) == 1_000


async def test_nothing_is_received_ahead_of_an_endpoint_that_reads_in_a_loop(manager: ConnectionManager) -> None:
    peer = Peer()
    await manager.connect(peer.socket)

    async def endpoint() -> None:
        while True:
            await manager.broadcast(await peer.socket.receive_text())

    reading = asyncio.create_task(endpoint())
    for number in range(50):
        peer.says(str(number))
        await send_once(manager)
        assert len(asyncio.all_tasks()) <= 3, "this test, the endpoint, and the writer"
    reading.cancel()


async def send_once(manager: ConnectionManager) -> None:
    await manager.broadcast("tick")
    for _ in range(5):
        await asyncio.sleep(0)


CHANGES: list[Callable[[ConnectionManager, list[Peer]], Awaitable[None] | None]] = [
    lambda manager, peers: manager.disconnect(peers[1].socket),
    lambda manager, peers: manager.connect(Peer().socket),
    lambda manager, peers: leave(manager, peers[1]),
]


@pytest.mark.parametrize("change", CHANGES, ids=["disconnect", "connect", "end"])
async def test_a_loop_over_the_connections_visits_those_present_at_its_start(
    manager: ConnectionManager, change: Callable[[ConnectionManager, list[Peer]], Awaitable[None] | None]
) -> None:
    peers = [Peer() for _ in range(3)]
    for peer in peers:
        await manager.connect(peer.socket)
    seen = []
    for websocket in manager.active_connections:
        seen.append(websocket)
        if len(seen) == 1 and (awaited := change(manager, peers)) is not None:
            await awaited
    assert seen == [peer.socket for peer in peers]
