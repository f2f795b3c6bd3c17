"""The pitfalls of the tutorial's class, which the ConnectionManager's tests show to be none of ours."""

import asyncio

import pytest
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.manager.peer import Peer


class PlainList:
    """The tutorial's class: what the tests above are about."""

    def __init__(self) -> None:
        self.active_connections: list[WebSocket] = []

    async def broadcast(self, message: str) -> None:
        for connection in self.active_connections:
            await connection.send_text(message)


async def accepted() -> Peer:
    peer = Peer()
    await peer.socket.accept()
    return peer


async def test_a_plain_list_waits_for_the_slow_one_and_stops_at_the_dead_one() -> None:
    plain, slow, well = PlainList(), await accepted(), await accepted()
    plain.active_connections += [slow.socket, well.socket]
    slow.reads.clear()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(plain.broadcast("1"), 0.05)
    assert well.got == []
    slow.reads.set()
    slow.dead = True
    with pytest.raises(WebSocketDisconnect):
        await plain.broadcast("2")
    assert well.got == []


async def test_a_plain_list_skips_somebody_when_one_leaves_during_a_broadcast() -> None:
    plain, peers = PlainList(), [await accepted() for _ in range(3)]
    plain.active_connections += [peer.socket for peer in peers]
    peers[0].reads.clear()
    sending = asyncio.create_task(plain.broadcast("1"))
    await asyncio.sleep(0)
    plain.active_connections.remove(peers[0].socket)
    peers[0].reads.set()
    await sending
    assert peers[1].got == []
