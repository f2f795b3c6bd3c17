"""`broadcast_json`: dictionaries to all."""

from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from hubbub import ConnectionManager
from tests.manager.programs.stage import Stage


class JsonManager:
    def __init__(self) -> None:
        self.active_connections: list[WebSocket] = []

    async def connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.active_connections.append(websocket)

    def disconnect(self, websocket: WebSocket) -> None:
        self.active_connections.remove(websocket)

    async def send_json(self, data: Any, websocket: WebSocket) -> None:
        await websocket.send_json(data)

    async def broadcast_json(self, data: Any) -> None:
        for websocket in list(self.active_connections):
            await websocket.send_json(data)


def before() -> FastAPI:
    app = FastAPI()
    manager = JsonManager()

    @app.websocket("/board")
    async def board(websocket: WebSocket) -> None:
        await manager.connect(websocket)
        await manager.send_json({"type": "welcome", "online": len(manager.active_connections)}, websocket)
        try:
            while True:
                note = await websocket.receive_json()
                await manager.broadcast_json({"type": "note", **note})
        except WebSocketDisconnect:
            manager.disconnect(websocket)
            await manager.broadcast_json({"type": "left"})

    return app


def after() -> FastAPI:
    app = FastAPI()
    manager = ConnectionManager()

    @app.websocket("/board")
    async def board(websocket: WebSocket) -> None:
        await manager.connect(websocket)
        await manager.send_personal_message({"type": "welcome", "online": len(manager.active_connections)}, websocket)
        try:
            while True:
                note = await websocket.receive_json()
                await manager.broadcast({"type": "note", **note})
        except WebSocketDisconnect:
            manager.disconnect(websocket)
            await manager.broadcast({"type": "left"})

    return app


async def play(stage: Stage) -> list[object]:
    ann = await stage.enter("/board")
    heard: list[object] = [await ann.hears()]
    bob = await stage.enter("/board")
    heard.append(await bob.hears())
    await bob.says_json(text="Grüße", tags=["a", None, 1.5])
    heard += [await ann.hears(), await bob.hears()]
    await bob.leaves()
    heard.append(await ann.hears())
    return heard


NOTE = '{"type":"note","text":"Grüße","tags":["a",null,1.5]}'
EXPECTED: list[object] = [
    ['{"type":"welcome","online":1}'],
    ['{"type":"welcome","online":2}'],
    [NOTE],
    [NOTE],
    ['{"type":"left"}'],
]
