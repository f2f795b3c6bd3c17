"""The plain manager: a list of sockets and a loop that awaits each of them."""

from __future__ import annotations

from fastapi import WebSocket

from bench.peers.tutorial import build_app


class ConnectionManager:
    """A list of connections; sends a message to one after the other."""

    def __init__(self) -> None:
        self.active_connections: list[WebSocket] = []

    async def connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.active_connections.append(websocket)

    def disconnect(self, websocket: WebSocket) -> None:
        self.active_connections.remove(websocket)

    async def broadcast(self, message: str) -> None:
        for websocket in self.active_connections.copy():
            await websocket.send_text(message)


app = build_app(ConnectionManager())
