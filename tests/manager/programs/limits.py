"""At most three connections in all; a second one of a user replaces the first."""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from hubbub import ConnectionManager
from tests.manager.programs.stage import Stage

MOST, REPLACED, TRY_LATER = 3, 4009, 1013


class LimitedManager:
    def __init__(self, most: int) -> None:
        self.most = most
        self.connections: dict[str, WebSocket] = {}

    async def connect(self, websocket: WebSocket, user: str) -> bool:
        if user not in self.connections and len(self.connections) >= self.most:
            await websocket.close(TRY_LATER)  # before accept: the client gets HTTP 403
            return False
        older = self.connections.get(user)
        await websocket.accept()
        self.connections[user] = websocket
        if older is not None:
            await older.close(REPLACED, "logged in elsewhere")
        return True

    def disconnect(self, websocket: WebSocket, user: str) -> None:
        if self.connections.get(user) is websocket:
            del self.connections[user]


def before() -> FastAPI:
    app = FastAPI()
    manager = LimitedManager(MOST)

    @app.websocket("/ws/{user}")
    async def echo(websocket: WebSocket, user: str) -> None:
        if not await manager.connect(websocket, user):
            return
        try:
            while True:
                await websocket.send_text(f"{user}: {await websocket.receive_text()}")
        except WebSocketDisconnect:
            manager.disconnect(websocket, user)

    @app.get("/online")
    async def online() -> list[str]:
        return sorted(manager.connections)

    return app


def after() -> FastAPI:
    app = FastAPI()
    manager = ConnectionManager()

    @app.websocket("/ws/{user}")
    async def echo(websocket: WebSocket, user: str) -> None:
        if user not in manager.users() and len(manager.active_connections) >= MOST:
            await websocket.close(TRY_LATER)
            return
        await manager.close_user(user, REPLACED, "logged in elsewhere")
        await manager.connect(websocket, user=user)
        try:
            while True:
                await manager.send_personal_message(f"{user}: {await websocket.receive_text()}", websocket)
        except WebSocketDisconnect:
            manager.disconnect(websocket)

    @app.get("/online")
    async def online() -> list[str]:
        return sorted(map(str, manager.users()))

    return app


async def play(stage: Stage) -> list[object]:
    ann, bob, eve = [await stage.enter(f"/ws/{name}") for name in ("ann", "bob", "eve")]
    heard: list[object] = [await stage.refused("/ws/mallory"), await stage.get("/online")]
    again = await stage.enter("/ws/ann")
    heard.append(await ann.end())
    await again.says("I am here now")
    heard.append(await again.hears())
    await eve.leaves()
    await stage.until("/online", ["ann", "bob"])
    late = await stage.enter("/ws/mallory")
    for actor in (bob, late):
        await actor.says("hello")
        heard.append(await actor.hears())
    return heard


EXPECTED: list[object] = [
    403,
    ["ann", "bob", "eve"],
    ([], REPLACED),
    ["ann: I am here now"],
    ["bob: hello"],
    ["mallory: hello"],
]
