"""Types of `hubbub.testing`, for the type checker.

`make check` reads this file, and nothing runs it.
"""

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, assert_type
from uuid import UUID

from starlette.websockets import WebSocket

from hubbub import ConnectionManager
from hubbub.client import Positions, Sent
from hubbub.testing import Chat, ChatUser, FakeWebSocket, Peer, chat, connected


async def fake_types(endpoint: Any) -> None:
    websocket = FakeWebSocket(
        "/ws", headers={"a": "b"}, query_params=[("a", "b")], path_params={"id": 7}, subprotocols=["v1"], accepted=True
    )
    same: WebSocket = websocket
    assert_type(same.query_params["a"], str)
    async with websocket.run(endpoint(websocket)) as peer:
        assert_type(peer, Peer)
        assert_type(await peer.receive(), str | bytes)
        assert_type(await peer.receive_text(timeout=1), str)
        assert_type(await peer.receive_bytes(), bytes)
        assert_type(await peer.closed(), int)
        assert_type(peer.close_code, int | None)
        peer.send_text(b"bytes")  # type: ignore[arg-type]
        peer.unread = []  # type: ignore[misc]


async def connected_types(manager: ConnectionManager) -> None:
    clients: AbstractAsyncContextManager[list[FakeWebSocket]] = connected(manager, "ann", 7, UUID(int=1), topics=["t"])
    async with clients as (ann, *_):
        assert_type(ann.peer.received, list[str | bytes])
    connected(manager, ["ann"])  # type: ignore[arg-type]


def chat_types() -> None:
    opened: AbstractContextManager[Chat] = chat(users=["ann"], owner="ann", guests=True)
    with opened as running:
        ann = running["ann"]
        assert_type(ann, ChatUser)
        assert_type(ann.send(1, "hello"), Sent)
        assert_type(ann.positions, Positions)
        assert_type(ann.wait_for("message.sent", room=1), dict[str, Any])
        assert_type(ann.create_room("Tea", members=[running.add_user("bob")]), int)
