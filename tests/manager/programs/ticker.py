"""A dashboard: one producer for all, and each client chooses what it gets."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from hubbub import ConnectionManager
from tests.manager.programs.stage import Stage


class TickerManager:
    def __init__(self) -> None:
        self.watchers: defaultdict[str, list[WebSocket]] = defaultdict(list)

    def watch(self, websocket: WebSocket, symbol: str) -> None:
        if websocket not in self.watchers[symbol]:
            self.watchers[symbol].append(websocket)

    def unwatch(self, websocket: WebSocket, symbol: str) -> None:
        if websocket in self.watchers[symbol]:
            self.watchers[symbol].remove(websocket)

    def disconnect(self, websocket: WebSocket) -> None:
        for symbol in self.watchers:
            self.unwatch(websocket, symbol)

    async def publish(self, symbol: str, price: float) -> None:
        dead = []
        for websocket in self.watchers[symbol]:
            try:
                await websocket.send_json({"symbol": symbol, "price": price})
            except Exception:
                dead.append(websocket)
        for websocket in dead:
            self.disconnect(websocket)


def before() -> FastAPI:
    manager = TickerManager()
    prices: asyncio.Queue[tuple[str, float]] = asyncio.Queue()

    async def produce() -> None:
        while True:
            await manager.publish(*await prices.get())

    app = FastAPI(lifespan=producing(produce))

    @app.websocket("/ticker")
    async def ticker(websocket: WebSocket) -> None:
        await websocket.accept()
        try:
            while True:
                verb, _, symbol = (await websocket.receive_text()).partition(" ")
                (manager.watch if verb == "watch" else manager.unwatch)(websocket, symbol)
                await websocket.send_json({"done": f"{verb} {symbol}"})
        except WebSocketDisconnect:
            manager.disconnect(websocket)

    @app.post("/prices/{symbol}")
    async def price(symbol: str, value: float) -> None:
        prices.put_nowait((symbol, value))

    return app


def after() -> FastAPI:
    manager = ConnectionManager()
    prices: asyncio.Queue[tuple[str, float]] = asyncio.Queue()

    async def produce() -> None:
        while True:
            symbol, value = await prices.get()
            await manager.broadcast({"symbol": symbol, "price": value}, topic=symbol)

    app = FastAPI(lifespan=producing(produce))

    @app.websocket("/ticker")
    async def ticker(websocket: WebSocket) -> None:
        await manager.connect(websocket)
        try:
            while True:
                verb, _, symbol = (await websocket.receive_text()).partition(" ")
                (manager.join if verb == "watch" else manager.leave)(websocket, symbol)
                await manager.send_personal_message({"done": f"{verb} {symbol}"}, websocket)
        except WebSocketDisconnect:
            manager.disconnect(websocket)

    @app.post("/prices/{symbol}")
    async def price(symbol: str, value: float) -> None:
        prices.put_nowait((symbol, value))

    return app


def producing(
    produce: Callable[[], Coroutine[Any, Any, None]],
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return a lifespan that runs the producer."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(produce())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    return lifespan


async def play(stage: Stage) -> list[object]:
    ann, bob = await stage.enter("/ticker"), await stage.enter("/ticker")
    await ann.says("watch EUR", "watch USD", "watch EUR")
    await bob.says("watch USD")
    heard: list[object] = [await ann.hears_json(3), await bob.hears_json()]
    await stage.post("/prices/EUR?value=1.5")
    await stage.post("/prices/USD?value=2")
    heard += [await ann.hears_json(2), await bob.hears_json()]
    await ann.says("unwatch USD")
    heard.append(await ann.hears_json())
    await bob.leaves()
    for path in ("/prices/USD?value=3", "/prices/JPY?value=0.1", "/prices/EUR?value=4"):
        await stage.post(path)
    heard.append(await ann.hears_json())
    return heard


EXPECTED: list[object] = [
    *([{"done": "watch EUR"}, {"done": "watch USD"}, {"done": "watch EUR"}], [{"done": "watch USD"}]),
    *([{"symbol": "EUR", "price": 1.5}, {"symbol": "USD", "price": 2.0}], [{"symbol": "USD", "price": 2.0}]),
    [{"done": "unwatch USD"}],
    [{"symbol": "EUR", "price": 4.0}],
]
