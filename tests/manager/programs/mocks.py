"""Unit tests of code around a manager: with mocks of the WebSocket, and with fakes.

`before` and `after` are such tests. Both return what they have observed.
"""

from unittest.mock import AsyncMock, call

from fastapi import WebSocket

from hubbub import ConnectionManager
from hubbub.testing import connected


class Notifier:
    """The code under test, which was written for the tutorial's class."""

    def __init__(self, manager: "TutorialManager | ConnectionManager") -> None:
        self.manager = manager

    async def announce(self, text: str, winner: WebSocket) -> None:
        await self.manager.broadcast(f"news: {text}")
        await self.manager.send_personal_message("you won", winner)


class TutorialManager:
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
        for websocket in self.active_connections:
            await websocket.send_text(message)


async def with_mocks(manager: TutorialManager | ConnectionManager) -> list[object]:
    """Run the test as programs have it, with either class."""
    ann, bob = AsyncMock(spec=WebSocket), AsyncMock(spec=WebSocket)
    for websocket in (ann, bob):
        await manager.connect(websocket)
        websocket.accept.assert_awaited_once()
    await Notifier(manager).announce("tea is ready", winner=bob)
    ann.send_text.assert_awaited_once_with("news: tea is ready")
    assert bob.send_text.await_args_list == [call("news: tea is ready"), call("you won")]
    manager.disconnect(ann)
    await manager.broadcast("more")
    return [[sent.args[0] for sent in websocket.send_text.await_args_list] for websocket in (ann, bob)]


async def before() -> list[object]:
    return await with_mocks(TutorialManager())


async def after() -> list[object]:
    manager = ConnectionManager()
    async with connected(manager, "ann", "bob") as (ann, bob):
        await Notifier(manager).announce("tea is ready", winner=bob)
        assert await ann.peer.receive_text() == "news: tea is ready"
        assert [await bob.peer.receive_text() for _ in range(2)] == ["news: tea is ready", "you won"]
        manager.disconnect(ann)
        await manager.broadcast("more")
        assert await bob.peer.receive_text() == "more"
        return [ann.peer.received, bob.peer.received]


EXPECTED: list[object] = [["news: tea is ready"], ["news: tea is ready", "you won", "more"]]
