"""Fake clients of a manager under test."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from hubbub.testing.fake_websocket import TIMEOUT, FakeWebSocket

if TYPE_CHECKING:
    from hubbub.gateways.manager.manager import ConnectionManager

Name = str | int | UUID


@asynccontextmanager
async def connected(
    manager: "ConnectionManager", *users: Name, topics: Iterable[Name] = (), timeout: float = TIMEOUT
) -> AsyncIterator[list[FakeWebSocket]]:
    """Connect one fake client for each of `users`, and join `topics` with each::

        async with connected(ConnectionManager(), "ann", "bob", topics=["tea"]) as (ann, bob):
            await manager.broadcast("hello", topic="tea", exclude=ann)
            assert await bob.peer.receive_text() == "hello"

    The same user several times has several devices. At the end of the block the clients leave.
    `timeout` is in seconds, for what the test receives.
    """
    clients: list[FakeWebSocket] = []
    topics = list(topics)
    try:
        for user in users:
            websocket = FakeWebSocket(timeout=timeout)
            # In a task of its own: the manager raises in the task that connected the clients which left.
            await asyncio.create_task(manager.connect(websocket, user=user))
            clients.append(websocket)
            for topic in topics:
                manager.join(websocket, topic)
        yield clients
    finally:
        for websocket in clients:
            websocket.peer.close()
            manager.disconnect(websocket)
