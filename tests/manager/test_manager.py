"""ConnectionManager over plain ASGI, with sockets that can be slow, dead or gone."""

import asyncio
import gc
import warnings

import pytest
from fastapi import FastAPI
from starlette.websockets import WebSocket, WebSocketDisconnect

from hubbub import ConnectionManager
from hubbub.gateways.manager.sockets import Queued
from tests.manager.peer import Connect, Peer
from tests.support.waiting import eventually

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Starlette warns that it prefers another HTTP client.
    from fastapi.testclient import TestClient

LIMIT = 2_000


@pytest.fixture
def manager() -> ConnectionManager:
    return ConnectionManager(outbox_bytes=LIMIT)


@pytest.fixture
def connected(manager: ConnectionManager) -> Connect:
    async def connect(*topics: str) -> Peer:
        peer = Peer()
        await manager.connect(peer.socket)
        for topic in topics:
            manager.join(peer.socket, topic)
        return peer

    return connect


async def hears(peer: Peer, *texts: str) -> None:
    await eventually(lambda: peer.got == list(texts), 20, f"exactly {texts} arrived, not {peer.got}")


async def test_messages_arrive_in_the_order_in_which_the_calls_begin(
    manager: ConnectionManager, connected: Connect
) -> None:
    peer = await connected()
    await manager.broadcast("1")
    await manager.send_personal_message("2", peer.socket)
    tasks = [asyncio.create_task(manager.broadcast(text)) for text in ("4", "5")]
    await manager.broadcast("3")
    await asyncio.gather(*tasks, manager.send_personal_message("6", peer.socket), manager.broadcast("7"))
    await hears(peer, *"1234567")


async def test_a_call_that_is_not_awaited_sends_nothing(manager: ConnectionManager, connected: Connect) -> None:
    peer = await connected()
    call = manager.broadcast("1")
    await asyncio.sleep(0)
    call.close()
    await manager.broadcast("2")
    await hears(peer, "2")


async def test_a_broadcast_to_a_topic_reaches_its_members_only(manager: ConnectionManager, connected: Connect) -> None:
    both, one, none = await connected("a", "b"), await connected("a"), await connected()
    await manager.broadcast("to a", topic="a")
    await manager.broadcast("to b", topic="b")
    await manager.broadcast("to no member", topic="c")
    manager.leave(both.socket, "a")
    await manager.broadcast("to a again", topic="a")
    await manager.broadcast("to all")
    await hears(both, "to a", "to b", "to all")
    await hears(one, "to a", "to a again", "to all")
    await hears(none, "to all")


async def test_active_connections_is_a_read_only_sequence(manager: ConnectionManager, connected: Connect) -> None:
    view = manager.active_connections
    assert list(view) == []
    peers = [await connected() for _ in range(3)]
    assert len(view) == 3
    assert view[0] is peers[0].socket
    assert view[-2:] == [peers[1].socket, peers[2].socket]
    assert peers[1].socket in view
    with pytest.raises(AttributeError):
        view.append(peers[0].socket)  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        manager.active_connections = []  # type: ignore[misc]
    manager.disconnect(peers[1].socket)
    assert list(view) == [peers[0].socket, peers[2].socket]


async def test_disconnect_may_be_repeated_and_called_for_unknown_sockets(
    manager: ConnectionManager, connected: Connect
) -> None:
    peer, stranger = await connected("a"), Peer()
    manager.disconnect(peer.socket)
    manager.disconnect(peer.socket)
    manager.disconnect(stranger.socket)
    manager.leave(stranger.socket, "a")
    manager.join(stranger.socket, "a")
    await manager.broadcast("x")
    await manager.broadcast("x", topic="a")
    assert peer.got == stranger.got == []


async def test_messages_sent_before_disconnect_arrive_and_later_ones_do_not(
    manager: ConnectionManager, connected: Connect
) -> None:
    peer = await connected()
    await manager.broadcast("goodbye")
    manager.disconnect(peer.socket)
    await manager.broadcast("too late")
    await peer.socket.close(4242)
    await hears(peer, "goodbye", "close 4242")


async def test_messages_the_application_sends_itself_keep_their_order(
    manager: ConnectionManager, connected: Connect
) -> None:
    peer = await connected()
    await manager.broadcast("1")
    await peer.socket.send_text("2")
    await manager.send_personal_message("3", peer.socket)
    await peer.socket.send_text("4")
    assert peer.got == ["1", "2", "3", "4"]


async def test_a_client_that_does_not_read_delays_no_other_client(
    manager: ConnectionManager, connected: Connect
) -> None:
    slow, quick = await connected(), await connected()
    slow.reads.clear()
    async with asyncio.timeout(20):
        for number in range(10):
            await manager.broadcast(str(number))
    await hears(quick, *map(str, range(10)))
    slow.reads.set()
    await hears(slow, *map(str, range(10)))


async def endpoint(peer: Peer) -> int:
    """Read until the disconnect and return its code."""
    try:
        while True:
            await peer.socket.receive_text()
    except WebSocketDisconnect as end:
        return end.code


async def test_over_the_bound_the_endpoint_is_disconnected_and_others_receive_everything(
    manager: ConnectionManager, connected: Connect
) -> None:
    slow, quick = await connected(), await connected()
    reading = asyncio.create_task(endpoint(slow))
    await asyncio.sleep(0)
    slow.reads.clear()
    count = LIMIT // 100 + 5
    for _ in range(count):
        await manager.broadcast("x" * 100)
        await asyncio.sleep(0)
    assert await asyncio.wait_for(reading, 20) == 4008
    assert not reading.cancelled()
    assert reading.cancelling() == 0
    assert list(manager.active_connections) == [quick.socket]
    await hears(quick, *["x" * 100] * count)
    with pytest.raises(WebSocketDisconnect):
        await slow.socket.send_text("more")
    await slow.socket.close()


async def test_a_burst_over_the_bound_reaches_a_client_that_reads(
    manager: ConnectionManager, connected: Connect
) -> None:
    peer = await connected()
    texts = [f"{n:100}" for n in range(LIMIT // 100 * 50)]
    for text in texts:
        await manager.broadcast(text)
    await hears(peer, *texts)


async def test_a_burst_does_not_count_against_the_bound_but_later_messages_do(
    manager: ConnectionManager, connected: Connect
) -> None:
    slow = await connected()
    slow.reads.clear()
    await manager.broadcast("x" * 50 * LIMIT)
    await asyncio.sleep(0.2)  # This is longer than the grace period to get below the bound.
    await manager.broadcast("x" * (LIMIT - 1))
    await asyncio.sleep(0.2)
    assert list(manager.active_connections) == [slow.socket]
    await manager.broadcast("xx")
    await eventually(lambda: not manager.active_connections, 20, "the slow socket was dropped")


async def overflow(manager: ConnectionManager) -> None:
    """Send more than the bound to a client that has not read earlier messages."""
    await manager.broadcast("first")
    await asyncio.sleep(0)
    await manager.broadcast("x" * 5 * LIMIT)
    await asyncio.sleep(0)


async def test_a_busy_endpoint_gets_the_disconnect_at_its_next_receive(
    manager: ConnectionManager, connected: Connect
) -> None:
    slow = await connected()
    slow.reads.clear()
    slow.says("unread")
    await overflow(manager)
    await eventually(lambda: not manager.active_connections, 20, "the slow socket was dropped")
    assert await endpoint(slow) == 4008


async def test_a_cancellation_by_the_application_stays_a_cancellation(
    manager: ConnectionManager, connected: Connect
) -> None:
    peer = await connected()
    reading = asyncio.create_task(endpoint(peer))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_a_cancellation_by_the_application_takes_precedence_over_the_managers(
    manager: ConnectionManager, connected: Connect
) -> None:
    peer = await connected()
    reading = asyncio.create_task(endpoint(peer))
    await asyncio.sleep(0)
    peer.reads.clear()
    await overflow(manager)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_a_dead_socket_is_removed_and_others_receive_everything(
    manager: ConnectionManager, connected: Connect
) -> None:
    dead, well = await connected(), await connected()
    dead.dead = True
    await manager.broadcast("1")
    await manager.send_personal_message("2", dead.socket)  # The manager does not know yet that the socket is dead.
    await manager.broadcast("3")
    await hears(well, "1", "3")
    await eventually(lambda: list(manager.active_connections) == [well.socket], 20, "the dead socket was dropped")


async def test_disconnecting_during_a_broadcast_affects_no_other_client(
    manager: ConnectionManager, connected: Connect
) -> None:
    peers = [await connected() for _ in range(10)]
    await manager.broadcast("1")
    for peer in peers[::2]:
        manager.disconnect(peer.socket)
    await manager.broadcast("2")
    for peer in peers[1::2]:
        await hears(peer, "1", "2")
    for peer in peers[::2]:
        await hears(peer, "1")


async def test_an_idle_socket_has_no_task(manager: ConnectionManager, connected: Connect) -> None:
    peer = await connected()
    await manager.broadcast("1")
    await hears(peer, "1")
    await asyncio.sleep(0)
    (connection,) = [one for one in gc.get_objects() if type(one) is Queued and one._socket is peer.socket]
    assert connection.writer is None
    assert len(asyncio.all_tasks()) == 1


async def test_a_call_from_a_thread_is_refused_and_changes_nothing(
    manager: ConnectionManager, connected: Connect
) -> None:
    peer = await connected("a")
    for call in (
        lambda: asyncio.run(manager.broadcast("1")),
        lambda: asyncio.run(manager.send_personal_message("1", peer.socket)),
        lambda: manager.join(peer.socket, "b"),
        lambda: manager.leave(peer.socket, "a"),
        lambda: manager.disconnect(peer.socket),
        lambda: asyncio.run(manager.connect(Peer().socket)),
    ):
        with pytest.raises(RuntimeError, match="run_coroutine_threadsafe"):
            await asyncio.to_thread(call)
    loop = asyncio.get_running_loop()

    def from_thread() -> None:
        asyncio.run_coroutine_threadsafe(manager.broadcast("2", topic="a"), loop).result(20)

    await asyncio.to_thread(from_thread)
    await hears(peer, "2")


def test_a_manager_created_at_import_serves_one_event_loop_after_another() -> None:
    manager = ConnectionManager()
    app = FastAPI()

    @app.websocket("/ws")
    async def chat(websocket: WebSocket) -> None:
        await manager.connect(websocket)
        try:
            while True:
                await manager.broadcast(await websocket.receive_text())
        except WebSocketDisconnect:
            manager.disconnect(websocket)
            await manager.broadcast("left")

    for _ in range(2):
        with TestClient(app) as client, client.websocket_connect("/ws") as one, client.websocket_connect("/ws") as two:
            one.send_text("hello")
            assert one.receive_text() == two.receive_text() == "hello"
