"""Everyone but the sender gets the message."""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from hubbub import ConnectionManager
from tests.manager.programs.stage import Stage


class OthersManager:
    def __init__(self) -> None:
        self.active_connections: list[WebSocket] = []

    async def connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.active_connections.append(websocket)

    def disconnect(self, websocket: WebSocket) -> None:
        if websocket in self.active_connections:
            self.active_connections.remove(websocket)

    async def broadcast(self, message: str, exclude: WebSocket | None = None) -> None:
        for websocket in self.active_connections.copy():
            if websocket is not exclude:
                await websocket.send_text(message)


def app_of(manager: OthersManager | ConnectionManager) -> FastAPI:
    app = FastAPI()

    @app.websocket("/ws/{name}")
    async def chat(websocket: WebSocket, name: str) -> None:
        await manager.connect(websocket)
        await manager.broadcast(f"{name} joined", exclude=websocket)
        try:
            while True:
                await manager.broadcast(f"{name}: {await websocket.receive_text()}", exclude=websocket)
        except WebSocketDisconnect:
            manager.disconnect(websocket)
            await manager.broadcast(f"{name} left")

    return app


def before() -> FastAPI:
    return app_of(OthersManager())


def after() -> FastAPI:
    """Only the class is another one."""
    return app_of(ConnectionManager())


async def play(stage: Stage) -> list[object]:
    ann = await stage.enter("/ws/ann")
    bob = await stage.enter("/ws/bob")
    heard: list[object] = [await ann.hears()]
    eve = await stage.enter("/ws/eve")
    heard += [await ann.hears(), await bob.hears()]
    await ann.says("hello")
    heard += [await bob.hears(), await eve.hears()]
    await bob.says("hi")
    heard += [await ann.hears(), await eve.hears()]
    await eve.leaves()
    heard += [await ann.hears(), await bob.hears()]
    return heard


EXPECTED: list[object] = [
    ["bob joined"],
    *(["eve joined"], ["eve joined"]),
    *(["ann: hello"], ["ann: hello"]),
    *(["bob: hi"], ["bob: hi"]),
    *(["eve left"], ["eve left"]),
]
