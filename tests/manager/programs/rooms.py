"""A dictionary of rooms, each with a list of WebSockets."""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from hubbub import ConnectionManager
from tests.manager.programs.stage import Stage


class RoomManager:
    def __init__(self) -> None:
        self.rooms: dict[str, list[WebSocket]] = {}

    async def connect(self, websocket: WebSocket, room: str) -> None:
        await websocket.accept()
        self.rooms.setdefault(room, []).append(websocket)

    def disconnect(self, websocket: WebSocket, room: str) -> None:
        self.rooms[room].remove(websocket)
        if not self.rooms[room]:
            del self.rooms[room]

    async def broadcast(self, message: str, room: str) -> None:
        for websocket in self.rooms.get(room, [])[:]:
            await websocket.send_text(message)


def before() -> FastAPI:
    app = FastAPI()
    manager = RoomManager()

    @app.websocket("/rooms/{room}/{name}")
    async def chat(websocket: WebSocket, room: str, name: str) -> None:
        await manager.connect(websocket, room)
        await manager.broadcast(f"{name} came in", room)
        try:
            while True:
                await manager.broadcast(f"{name}: {await websocket.receive_text()}", room)
        except WebSocketDisconnect:
            manager.disconnect(websocket, room)
            await manager.broadcast(f"{name} went", room)

    @app.get("/rooms")
    async def rooms() -> dict[str, int]:
        return {room: len(members) for room, members in manager.rooms.items()}

    return app


def after() -> FastAPI:
    app = FastAPI()
    manager = ConnectionManager()

    @app.websocket("/rooms/{room}/{name}")
    async def chat(websocket: WebSocket, room: str, name: str) -> None:
        await manager.connect(websocket)
        manager.join(websocket, room)
        await manager.broadcast(f"{name} came in", topic=room)
        try:
            while True:
                await manager.broadcast(f"{name}: {await websocket.receive_text()}", topic=room)
        except WebSocketDisconnect:
            manager.disconnect(websocket)
            await manager.broadcast(f"{name} went", topic=room)

    @app.get("/rooms")
    async def rooms() -> dict[str, int]:
        return {str(room): count for room, count in manager.topics().items()}

    return app


async def play(stage: Stage) -> list[object]:
    ann = await stage.enter("/rooms/tea/ann")
    heard: list[object] = [await ann.hears()]
    bob, eve = await stage.enter("/rooms/tea/bob"), await stage.enter("/rooms/coffee/eve")
    heard += [await ann.hears(), await bob.hears(), await eve.hears(), await stage.get("/rooms")]
    await eve.says("black")
    await bob.says("green")
    heard += [await ann.hears(), await bob.hears(), await eve.hears()]
    await bob.leaves()
    heard.append(await ann.hears())
    await eve.leaves()
    await stage.until("/rooms", {"tea": 1})
    return heard


EXPECTED: list[object] = [
    ["ann came in"],
    *(["bob came in"], ["bob came in"], ["eve came in"], {"tea": 2, "coffee": 1}),
    *(["bob: green"], ["bob: green"], ["eve: black"]),
    ["bob went"],
]
