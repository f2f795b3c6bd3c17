"""Notifications from REST endpoints, from background tasks and from threads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import BackgroundTasks, FastAPI, WebSocket, WebSocketDisconnect

from hubbub import ConnectionManager
from tests.manager.programs.stage import Stage


class NotificationManager:
    def __init__(self) -> None:
        self.connections: dict[str, list[WebSocket]] = {}
        self.loop: asyncio.AbstractEventLoop | None = None

    async def connect(self, user: str, websocket: WebSocket) -> None:
        await websocket.accept()
        self.connections.setdefault(user, []).append(websocket)

    def disconnect(self, user: str, websocket: WebSocket) -> None:
        self.connections[user].remove(websocket)

    async def send_to_user(self, user: str, payload: dict[str, Any]) -> None:
        for websocket in list(self.connections.get(user, [])):
            try:
                await websocket.send_json(payload)
            except Exception:
                self.disconnect(user, websocket)

    async def broadcast(self, payload: dict[str, Any]) -> None:
        for user in list(self.connections):
            await self.send_to_user(user, payload)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.loop = asyncio.get_running_loop()
    yield


def before() -> FastAPI:
    app = FastAPI(lifespan=lifespan)
    manager = NotificationManager()

    @app.websocket("/notifications/{user}")
    async def listen(websocket: WebSocket, user: str) -> None:
        await manager.connect(user, websocket)
        try:
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            manager.disconnect(user, websocket)

    @app.post("/orders/{user}")
    async def order(user: str, work: BackgroundTasks) -> str:
        work.add_task(manager.send_to_user, user, {"order": "shipped"})
        await manager.send_to_user(user, {"order": "received"})
        return "ordered"

    @app.post("/sale")
    def sale() -> str:
        """Run in a thread, as every plain `def`."""
        asyncio.run_coroutine_threadsafe(manager.broadcast({"sale": 20}), app.state.loop).result(20)
        return "announced"

    return app


def after() -> FastAPI:
    app = FastAPI(lifespan=lifespan)
    manager = ConnectionManager()

    @app.websocket("/notifications/{user}")
    async def listen(websocket: WebSocket, user: str) -> None:
        await manager.connect(websocket, user=user)
        try:
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            manager.disconnect(websocket)

    @app.post("/orders/{user}")
    async def order(user: str, work: BackgroundTasks) -> str:
        work.add_task(manager.send_personal_message, {"order": "shipped"}, user)
        await manager.send_personal_message({"order": "received"}, user)
        return "ordered"

    @app.post("/sale")
    def sale() -> str:
        """Run in a thread, as every plain `def`."""
        asyncio.run_coroutine_threadsafe(manager.broadcast({"sale": 20}), app.state.loop).result(20)
        return "announced"

    return app


async def play(stage: Stage) -> list[object]:
    ann, bob = await stage.enter("/notifications/ann"), await stage.enter("/notifications/bob")
    heard: list[object] = [await stage.post("/orders/ann"), await ann.hears_json(2)]
    heard += [await stage.post("/sale"), await ann.hears_json(), await bob.hears_json()]
    await bob.leaves()
    heard += [await stage.post("/orders/bob"), await stage.post("/sale"), await ann.hears_json()]
    return heard


EXPECTED: list[object] = [
    *("ordered", [{"order": "received"}, {"order": "shipped"}]),
    *("announced", [{"sale": 20}], [{"sale": 20}]),
    *("ordered", "announced", [{"sale": 20}]),
]
