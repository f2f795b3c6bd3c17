"""A shared canvas: binary frames to the others, and the picture so far to a newcomer."""

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from hubbub import ConnectionManager
from tests.manager.programs.stage import Stage


class CanvasManager:
    def __init__(self) -> None:
        self.painters: list[WebSocket] = []

    async def connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.painters.append(websocket)

    def disconnect(self, websocket: WebSocket) -> None:
        self.painters.remove(websocket)

    async def broadcast_bytes(self, data: bytes, sender: WebSocket) -> None:
        for websocket in [painter for painter in self.painters if painter is not sender]:
            await websocket.send_bytes(data)


def before() -> FastAPI:
    app = FastAPI()
    manager = CanvasManager()
    picture = bytearray()

    @app.websocket("/canvas")
    async def canvas(websocket: WebSocket) -> None:
        await manager.connect(websocket)
        await websocket.send_bytes(bytes(picture))
        try:
            while True:
                stroke = await websocket.receive_bytes()
                picture.extend(stroke)
                await manager.broadcast_bytes(stroke, websocket)
        except WebSocketDisconnect:
            manager.disconnect(websocket)

    return app


def after() -> FastAPI:
    app = FastAPI()
    manager = ConnectionManager()
    picture = bytearray()

    @app.websocket("/canvas")
    async def canvas(websocket: WebSocket) -> None:
        await manager.connect(websocket)
        await manager.send_personal_message(bytes(picture), websocket)
        try:
            while True:
                stroke = await websocket.receive_bytes()
                picture.extend(stroke)
                await manager.broadcast(stroke, exclude=websocket)
        except WebSocketDisconnect:
            manager.disconnect(websocket)

    return app


ALL_BYTES = bytes(range(256))


async def play(stage: Stage) -> list[object]:
    ann = await stage.enter("/canvas")
    heard: list[object] = [await ann.hears()]
    bob = await stage.enter("/canvas")
    heard.append(await bob.hears())
    await ann.says(ALL_BYTES)
    heard.append(await bob.hears())
    await bob.says(b"\x00" * 60_000)
    heard.append(await ann.hears() == [b"\x00" * 60_000])
    eve = await stage.enter("/canvas")
    heard.append(await eve.hears() == [ALL_BYTES + b"\x00" * 60_000])
    return heard


EXPECTED: list[object] = [[b""], [b""], [ALL_BYTES], True, True]
