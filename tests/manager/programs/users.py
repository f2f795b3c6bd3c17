"""A dictionary from user id to WebSocket, and `send_personal_message(message, user_id)`."""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from hubbub import ConnectionManager
from tests.manager.programs.stage import Stage


class UserManager:
    def __init__(self) -> None:
        self.active: dict[int, WebSocket] = {}

    async def connect(self, websocket: WebSocket, user_id: int) -> None:
        await websocket.accept()
        self.active[user_id] = websocket

    def disconnect(self, user_id: int) -> None:
        self.active.pop(user_id, None)

    async def send_personal_message(self, message: str, user_id: int) -> None:
        if user_id in self.active:
            await self.active[user_id].send_text(message)

    async def broadcast(self, message: str) -> None:
        for websocket in list(self.active.values()):
            await websocket.send_text(message)


def before() -> FastAPI:
    app = FastAPI()
    manager = UserManager()

    @app.websocket("/ws/{user_id}")
    async def chat(websocket: WebSocket, user_id: int) -> None:
        await manager.connect(websocket, user_id)
        try:
            while True:
                to, _, text = (await websocket.receive_text()).partition(" ")
                if to == "all":
                    await manager.broadcast(f"{user_id} to all: {text}")
                else:
                    await manager.send_personal_message(f"{user_id}: {text}", int(to))
        except WebSocketDisconnect:
            manager.disconnect(user_id)

    @app.get("/online")
    async def online() -> list[int]:
        return list(manager.active)

    return app


def after() -> FastAPI:
    app = FastAPI()
    manager = ConnectionManager()

    @app.websocket("/ws/{user_id}")
    async def chat(websocket: WebSocket, user_id: int) -> None:
        await manager.connect(websocket, user=user_id)
        try:
            while True:
                to, _, text = (await websocket.receive_text()).partition(" ")
                if to == "all":
                    await manager.broadcast(f"{user_id} to all: {text}")
                else:
                    await manager.send_personal_message(f"{user_id}: {text}", int(to))
        except WebSocketDisconnect:
            manager.disconnect(websocket)

    @app.get("/online")
    async def online() -> list[int]:
        return [user for user in manager.users() if isinstance(user, int)]

    return app


async def play(stage: Stage) -> list[object]:
    one = await stage.enter("/ws/1")
    await stage.until("/online", [1])
    two = await stage.enter("/ws/2")
    await stage.until("/online", [1, 2])
    await one.says("2 hello", "3 nobody is there", "all good morning")
    heard: list[object] = [await two.hears(2), await one.hears()]
    await two.leaves()
    await stage.until("/online", [1])
    await one.says("2 too late", "1 to myself")
    heard.append(await one.hears())
    return heard


EXPECTED: list[object] = [["1: hello", "1 to all: good morning"], ["1 to all: good morning"], ["1: to myself"]]
