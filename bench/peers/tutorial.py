"""The usual endpoint around a ConnectionManager, the same for each measured class."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

from fastapi import FastAPI, WebSocket, WebSocketDisconnect


class Manager(Protocol):
    """The methods of the tutorial's class that the endpoint needs."""

    def connect(self, websocket: WebSocket, /) -> Awaitable[Any]: ...
    def disconnect(self, websocket: WebSocket, /) -> Any: ...
    def broadcast(self, message: str, /) -> Awaitable[Any]: ...


def build_app(manager: Manager) -> FastAPI:
    app = FastAPI()

    @app.websocket("/ws")
    async def chat(websocket: WebSocket) -> None:
        await manager.connect(websocket)
        try:
            while True:
                await manager.broadcast(await websocket.receive_text())
        except WebSocketDisconnect:
            manager.disconnect(websocket)

    return app
