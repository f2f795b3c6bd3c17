"""Several processes: a relay over Redis pub/sub, and a bus.

The processes are two applications with nothing in common but the broker.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from redis.asyncio import Redis

from hubbub import ConnectionManager
from tests.manager.programs.stage import PATIENCE, Stage
from tests.support.waiting import eventually_async

CHANNEL = "chat"


class RelayManager:
    def __init__(self, url: str) -> None:
        self.url = url
        self.rooms: dict[str, set[WebSocket]] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with Redis.from_url(self.url) as self.redis, self.redis.pubsub() as subscription:
            await subscription.subscribe(CHANNEL)
            reading = asyncio.create_task(self.relay(subscription))
            yield
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading

    async def relay(self, subscription) -> None:  # type: ignore[no-untyped-def]
        async for event in subscription.listen():
            if event["type"] == "message":
                room, message = json.loads(event["data"])
                for websocket in list(self.rooms.get(room, ())):
                    with suppress(WebSocketDisconnect, RuntimeError):
                        await websocket.send_text(message)

    async def connect(self, websocket: WebSocket, room: str) -> None:
        await websocket.accept()
        self.rooms.setdefault(room, set()).add(websocket)

    def disconnect(self, websocket: WebSocket, room: str) -> None:
        self.rooms[room].discard(websocket)

    async def broadcast(self, message: str, room: str) -> None:
        await self.redis.publish(CHANNEL, json.dumps([room, message]))


def before() -> FastAPI:
    manager = RelayManager(os.environ["REDIS_URL"])

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with manager.running():
            yield

    app = FastAPI(lifespan=lifespan)

    @app.websocket("/ws/{room}")
    async def chat(websocket: WebSocket, room: str) -> None:
        await manager.connect(websocket, room)
        try:
            while True:
                await manager.broadcast(await websocket.receive_text(), room)
        except WebSocketDisconnect:
            manager.disconnect(websocket, room)

    return app


def after() -> FastAPI:
    manager = ConnectionManager(bus=os.environ["BUS_URL"])
    app = FastAPI()

    @app.websocket("/ws/{room}")
    async def chat(websocket: WebSocket, room: str) -> None:
        await manager.connect(websocket)
        manager.join(websocket, room)
        try:
            while True:
                await manager.broadcast(await websocket.receive_text(), topic=room)
        except WebSocketDisconnect:
            manager.disconnect(websocket)

    return app


async def play(stage: Stage) -> list[object]:
    here, there = await stage.enter("/ws/tea", 0), await stage.enter("/ws/tea", 1)
    elsewhere = await stage.enter("/ws/coffee", 1)
    arrived: list[str | bytes] = []

    async def both_processes_are_subscribed() -> bool:
        await here.says("are you there?")
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                arrived.extend(await there.hears())
        return bool(arrived)

    await eventually_async(both_processes_are_subscribed, PATIENCE, "a message crosses")
    heard: list[object] = []
    await there.says("1")
    await here.says("2")
    await elsewhere.says("3")
    for actor, last in ((here, "2"), (there, "2"), (elsewhere, "3")):
        got: list[str | bytes] = []
        while last not in got or (actor is not elsewhere and "1" not in got):
            got += await actor.hears()
        heard.append(sorted({text for text in got if isinstance(text, str) and text.isdigit()}))
    return heard


EXPECTED: list[object] = [["1", "2"], ["1", "2"], ["3"]]
