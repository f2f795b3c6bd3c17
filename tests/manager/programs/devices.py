"""Several devices for each user: a message to the user reaches all of them."""

from collections import defaultdict

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from hubbub import ConnectionManager
from tests.manager.programs.stage import Stage


class DeviceManager:
    def __init__(self) -> None:
        self.devices: defaultdict[str, set[WebSocket]] = defaultdict(set)

    async def connect(self, websocket: WebSocket, user: str) -> None:
        await websocket.accept()
        self.devices[user].add(websocket)

    def disconnect(self, websocket: WebSocket, user: str) -> bool:
        """Return whether this was the user's last device."""
        self.devices[user].discard(websocket)
        if self.devices[user]:
            return False
        del self.devices[user]
        return True

    async def send_to_user(self, message: str, user: str) -> None:
        for websocket in list(self.devices.get(user, ())):
            await websocket.send_text(message)

    async def broadcast(self, message: str) -> None:
        for user in list(self.devices):
            await self.send_to_user(message, user)


def before() -> FastAPI:
    app = FastAPI()
    manager = DeviceManager()

    @app.websocket("/ws/{user}")
    async def listen(websocket: WebSocket, user: str) -> None:
        await manager.connect(websocket, user)
        await manager.send_to_user(f"{len(manager.devices[user])} devices", user)
        try:
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            if manager.disconnect(websocket, user):
                await manager.broadcast(f"{user} is offline")

    @app.post("/users/{user}/notify")
    async def notify(user: str, text: str) -> int:
        await manager.send_to_user(text, user)
        return len(manager.devices.get(user, ()))

    return app


def after() -> FastAPI:
    app = FastAPI()
    manager = ConnectionManager()

    @app.websocket("/ws/{user}")
    async def listen(websocket: WebSocket, user: str) -> None:
        await manager.connect(websocket, user=user)
        await manager.send_personal_message(f"{len(manager.connections(user=user))} devices", user)
        try:
            while True:
                await websocket.receive_text()
        except WebSocketDisconnect:
            manager.disconnect(websocket)
            if not manager.connections(user=user):
                await manager.broadcast(f"{user} is offline")

    @app.post("/users/{user}/notify")
    async def notify(user: str, text: str) -> int:
        await manager.send_personal_message(text, user)
        return len(manager.connections(user=user))

    return app


async def play(stage: Stage) -> list[object]:
    phone = await stage.enter("/ws/ann")
    heard: list[object] = [await phone.hears()]
    desk = await stage.enter("/ws/ann")
    heard += [await phone.hears(), await desk.hears()]
    bob = await stage.enter("/ws/bob")
    heard += [
        await bob.hears(),
        await stage.post("/users/ann/notify?text=mail"),
        await stage.post("/users/eve/notify?text=x"),
    ]
    heard += [await phone.hears(), await desk.hears()]
    await phone.leaves()
    await desk.leaves()
    heard.append(await bob.hears())
    return heard


EXPECTED: list[object] = [
    ["1 devices"],
    ["2 devices"],
    ["2 devices"],
    ["1 devices"],
    2,
    0,
    ["mail"],
    ["mail"],
    ["ann is offline"],
]
