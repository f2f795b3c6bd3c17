"""Types of the public classes, for the type checker.

`make check` reads this file, and nothing runs it. What must be an error is marked as one. A mark
that is not needed is an error as well.
"""

from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from typing import Any, TypedDict, assert_type
from uuid import UUID

from fastapi import WebSocket
from pydantic import BaseModel

from hubbub import BusOptions, Client, ConnectionManager
from hubbub.client import Entry, Positions, Reset, Sent
from hubbub.domain.events import MessageSent
from hubbub.domain.model import Room, User


class Model(BaseModel):
    """A message."""


class Fields(TypedDict):
    """A message."""

    text: str


async def manager_types(manager: ConnectionManager, websocket: WebSocket) -> None:
    assert_type(manager, ConnectionManager)
    assert_type(await manager.connect(websocket), None)
    assert_type(manager.active_connections, Sequence[WebSocket])
    assert_type(manager.active_connections[0], WebSocket)
    sending: Coroutine[Any, Any, None] = manager.broadcast("to all")
    await sending
    assert_type(await manager.broadcast("to some", topic="topic"), None)
    assert_type(await manager.send_personal_message("to one", websocket), None)
    assert_type(manager.join(websocket, "topic"), bool)
    assert_type(manager.join(websocket, UUID(int=1), since="id"), bool)
    manager.leave(websocket, 5)
    manager.disconnect(websocket)
    ConnectionManager(outbox_bytes=2**16)
    ConnectionManager(bus="nats://localhost")
    ConnectionManager(bus=BusOptions("nats://localhost", name="chat", secret=b"0" * 16, ca="ca.pem"))
    assert_type(await manager.close(), None)
    ConnectionManager(history=100)
    await manager.connect(websocket, user=5)
    assert_type(manager.add(websocket, user="ann"), None)
    await manager.broadcast({"json": [1, None]}, topic=5, exclude=websocket)
    await manager.broadcast(Model(), exclude=["ann", websocket, UUID(int=1)])
    await manager.broadcast([Model()], exclude={"ann"})
    await manager.broadcast(Fields(text="a TypedDict"))
    await manager.broadcast(memoryview(b"bytes"))
    await manager.send_personal_message(b"to a user", "ann")
    await manager.send_personal_message(1.5, UUID(int=1))
    assert_type(manager.connections(topic="topic", user=5), list[WebSocket])
    assert_type(manager.users(topic=5), list[str | int | UUID])
    assert_type(manager.topics(), dict[str | int | UUID, int])
    assert_type(manager.topics(websocket), dict[str | int | UUID, int])
    assert_type(manager.user_of(websocket), str | int | UUID | None)
    assert_type(await manager.close_topic("topic", 4000, "reason"), None)
    assert_type(await manager.close_user(5, reason="reason"), None)
    assert_type(await manager.close_all(), None)
    assert_type(await manager.drained(topic="topic"), None)

    @manager.on_joined
    @manager.on_left
    def moved(websocket: WebSocket, topic: str | None) -> None:
        """Registered twice."""

    @manager.on_slow
    async def slow(websocket: WebSocket, waiting: int) -> None:
        """Registered."""

    assert_type(moved(websocket, None), None)
    await slow(websocket, 1)

    ConnectionManager(bus=4222)  # type: ignore[arg-type]
    BusOptions("nats://localhost", "chat")  # type: ignore[call-arg]
    ConnectionManager(2**16)  # type: ignore[call-arg]
    await manager.broadcast("to some", "topic")  # type: ignore[arg-type]
    await manager.broadcast(None)  # type: ignore[arg-type]
    await manager.broadcast(object())  # type: ignore[arg-type]
    await manager.broadcast("text", exclude=1.5)  # type: ignore[arg-type]
    await manager.broadcast("text", topic=b"topic")  # type: ignore[arg-type]
    await manager.connect(websocket, user=None)
    await manager.connect(websocket, None, None, "ann")  # type: ignore[call-arg]
    manager.on_slow(lambda: None)  # type: ignore[type-var]
    manager.active_connections.append(websocket)  # type: ignore[attr-defined]
    await manager.disconnect(websocket)  # type: ignore[func-returns-value, misc]
    manager.active_connections = []  # type: ignore[misc]


async def client_types(client: Client) -> None:
    async with client as same:
        assert_type(same, Client)
    assert_type(client.me, User)
    assert_type(client.rooms, Mapping[int, Room])
    assert_type(client.connected, bool)
    assert_type(client.positions, Positions)
    assert_type(await client.send(1, "hello", key="k"), Sent)
    assert_type((await client.send(1, "hello")).seq, int)
    assert_type(await client.command("room.join", room=1), dict[str, Any])
    assert_type(client.events(), AsyncIterator[Entry | Reset])
    async for one in client.events():
        if isinstance(one, Reset):
            assert_type(one.floor, int)
        elif isinstance(one.event, MessageSent):
            assert_type(one.event.body, str | None)

    await client.send("1", "hello")  # type: ignore[arg-type]
    await client.send(1)  # type: ignore[call-arg]
    client.rooms[1] = client.rooms[1]  # type: ignore[index]
