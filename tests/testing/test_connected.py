"""Fake clients of a manager."""

import asyncio

import pytest
from starlette.websockets import WebSocketDisconnect

from hubbub import ConnectionManager
from hubbub.testing import connected
from tests.support.waiting import eventually

PATIENCE = 60.0


async def test_each_client_has_its_user_and_its_topics() -> None:
    manager = ConnectionManager()
    async with connected(manager, "ann", 7, "ann", topics=["tea", 1], timeout=PATIENCE) as (ann, seven, phone):
        assert list(manager.active_connections) == [ann, seven, phone]
        assert manager.users() == ["ann", 7]
        assert manager.connections(user="ann") == [ann, phone]
        assert manager.topics() == {"tea": 3, 1: 3}
        await manager.broadcast("to all but ann", topic="tea", exclude="ann")
        await manager.send_personal_message({"to": "ann"}, "ann")
        assert await seven.peer.receive_text() == "to all but ann"
        assert await ann.peer.receive_json() == await phone.peer.receive_json() == {"to": "ann"}
        await manager.drained()
        assert [websocket.peer.unread for websocket in (ann, seven, phone)] == [[], [], []]


async def test_the_clients_have_left_at_the_end_also_after_a_failure() -> None:
    manager = ConnectionManager()
    with pytest.raises(ZeroDivisionError):
        async with connected(manager, "ann", "bob", topics=["tea"], timeout=PATIENCE) as clients:
            raise ZeroDivisionError
    assert list(manager.active_connections) == []
    assert manager.topics() == {}
    assert [websocket.peer.close_code for websocket in clients] == [1000, 1000]


async def test_broadcast_does_not_raise_in_the_test_after_all_clients_have_left() -> None:
    manager = ConnectionManager()
    async with connected(manager, "ann", timeout=PATIENCE) as (ann,):
        ann.peer.close()
        for _ in range(5):
            await manager.broadcast("to no client")
            await asyncio.sleep(0)


async def test_the_manager_closes_a_user_with_a_code() -> None:
    manager = ConnectionManager()
    async with connected(manager, "ann", "bob", timeout=PATIENCE) as (ann, bob):
        await manager.broadcast("before")
        await manager.close_user("ann", 4001, "enough")
        assert await ann.peer.receive_text() == "before"
        assert await ann.peer.closed() == 4001
        assert ann.peer.close_reason == "enough"
        assert manager.users() == ["bob"]
        assert await bob.peer.receive_text() == "before"


async def test_an_endpoint_that_reads_while_the_close_waits_for_its_client_gets_the_code() -> None:
    """Starlette itself raises RuntimeError then, which says that `accept` is missing."""
    manager = ConnectionManager()
    async with connected(manager, "ann", timeout=PATIENCE) as (ann,):
        ann.peer.pause()
        await manager.close_user("ann", 4001, "enough")
        await eventually(lambda: manager.users() == [], PATIENCE, "she is gone from the manager")
        for _ in range(3):
            await asyncio.sleep(0)
        with pytest.raises(WebSocketDisconnect) as end:
            await ann.receive_text()
        assert end.value.code == 4001
