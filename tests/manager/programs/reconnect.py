"""A client that comes back gets what it has missed, or the last messages if that is too much."""

from collections import deque
from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from hubbub import ConnectionManager
from tests.manager.programs.stage import Stage

KEPT = 3


class HistoryManager:
    def __init__(self, kept: int) -> None:
        self.connections: list[WebSocket] = []
        self.history: deque[dict[str, Any]] = deque(maxlen=kept)
        self.last = 0

    async def connect(self, websocket: WebSocket, since: str | None) -> bool:
        """Return whether nothing is missing."""
        await websocket.accept()
        complete = True
        if since is not None:
            seen = int(since or 0)
            complete = since == "" or not self.history or seen >= self.history[0]["id"] - 1
            for message in list(self.history):
                if message["id"] > seen or not complete:
                    await websocket.send_json(message)
        self.connections.append(websocket)
        return complete

    def disconnect(self, websocket: WebSocket) -> None:
        self.connections.remove(websocket)

    async def broadcast(self, message: dict[str, Any]) -> None:
        self.last += 1
        message = {**message, "id": self.last}
        self.history.append(message)
        for websocket in list(self.connections):
            await websocket.send_json(message)


def before() -> FastAPI:
    app = FastAPI()
    manager = HistoryManager(KEPT)

    @app.websocket("/ws")
    async def chat(websocket: WebSocket, since: str | None = None) -> None:
        complete = await manager.connect(websocket, since)
        await websocket.send_json({"complete": complete})
        try:
            while True:
                await manager.broadcast({"text": await websocket.receive_text()})
        except WebSocketDisconnect:
            manager.disconnect(websocket)

    return app


def after() -> FastAPI:
    app = FastAPI()
    manager = ConnectionManager(history=KEPT)

    @app.websocket("/ws")
    async def chat(websocket: WebSocket, since: str | None = None) -> None:
        await manager.connect(websocket)
        complete = manager.join(websocket, "chat", since=since)
        await manager.send_personal_message({"complete": complete}, websocket)
        try:
            while True:
                await manager.broadcast({"text": await websocket.receive_text()}, topic="chat")
        except WebSocketDisconnect:
            manager.disconnect(websocket)

    return app


async def play(stage: Stage) -> list[object]:
    ann = await stage.enter("/ws")
    heard: list[object] = [await ann.hears_json()]
    bob = await stage.enter("/ws")
    heard.append(await bob.hears_json())
    await ann.says("1", "2")
    seen = await bob.hears_json(2)
    await bob.leaves()
    await ann.says("3", "4")
    sent = await ann.hears_json(4)
    # An id is what the program makes of it: the clients pass it on as it is.
    bob = await stage.enter(f"/ws?since={seen[-1]['id']}")
    heard.append(texts(await bob.hears_json(3)))
    await bob.leaves()
    await ann.says("5", "6")
    await ann.hears_json(2)
    for since in (seen[0]["id"], "", sent[-1]["id"]):
        again = await stage.enter(f"/ws?since={since}")
        heard.append(texts(await again.hears_json(3 if since == sent[-1]["id"] else 4)))
        await again.leaves()
    return heard


def texts(messages: list[dict[str, Any]]) -> list[object]:
    return [message.get("text", message.get("complete")) for message in messages]


EXPECTED: list[object] = [
    [{"complete": True}],
    [{"complete": True}],
    ["3", "4", True],
    ["4", "5", "6", False],
    ["4", "5", "6", True],
    ["5", "6", True],
]
