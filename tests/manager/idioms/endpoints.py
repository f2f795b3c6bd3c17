"""Endpoints that only send.

Each must end when its client leaves, and when the server stops.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.manager.idioms.calls import Manager

PAUSE = 0.05
Endpoint = Callable[[Manager, WebSocket], Awaitable[None]]
ENDPOINTS: dict[str, tuple[str, Endpoint]] = {}


def endpoint(title: str) -> Callable[[Endpoint], Endpoint]:
    def register(run: Endpoint) -> Endpoint:
        ENDPOINTS[run.__name__] = (title, run)
        return run

    return register


@endpoint("`while True: await manager.send_personal_message(…); await sleep(…)`")
async def personal(manager: Manager, websocket: WebSocket) -> None:
    while True:
        await manager.send_personal_message("tick", websocket)
        await asyncio.sleep(PAUSE)


@endpoint("`while True: await manager.broadcast(…); await sleep(…)`")
async def to_all(manager: Manager, websocket: WebSocket) -> None:
    while True:
        await manager.broadcast("tick")
        await asyncio.sleep(PAUSE)


@endpoint("a producer that is fed by a queue")
async def fed_by_a_queue(manager: Manager, websocket: WebSocket) -> None:
    waiting: asyncio.Queue[str] = asyncio.Queue()

    async def feed() -> None:
        while True:
            waiting.put_nowait("tick")
            await asyncio.sleep(PAUSE)

    feeding = asyncio.create_task(feed())
    try:
        while True:
            await manager.send_personal_message(await waiting.get(), websocket)
    finally:
        feeding.cancel()


@endpoint("a producer in a task of its own that the endpoint awaits")
async def in_a_task(manager: Manager, websocket: WebSocket) -> None:
    await asyncio.create_task(_ticks(manager, websocket))


async def _ticks(manager: Manager, websocket: WebSocket) -> None:
    while True:
        await manager.send_personal_message("tick", websocket)
        await asyncio.sleep(PAUSE)


@endpoint("one `receive_text` first, then nothing but sends")
async def after_one_message(manager: Manager, websocket: WebSocket) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(websocket.receive_text(), 20)
    while True:
        await manager.send_personal_message("tick", websocket)
        await asyncio.sleep(PAUSE)


@endpoint("`for ws in manager.active_connections: await ws.send_text(…)` for ever")
async def own_loop(manager: Manager, websocket: WebSocket) -> None:
    while True:
        for one in manager.active_connections:
            await one.send_text("tick")
        await asyncio.sleep(PAUSE)


@endpoint("`receive` with a timeout, and a message in between")
async def receive_with_timeout(manager: Manager, websocket: WebSocket) -> None:
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(websocket.receive_text(), PAUSE)
        await manager.send_personal_message("tick", websocket)


@endpoint("a reading and a sending task in a `TaskGroup`")
async def both_in_a_group(manager: Manager, websocket: WebSocket) -> None:
    async def read() -> None:
        while True:
            await websocket.receive_text()

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            group.create_task(_ticks(manager, websocket))
    except* WebSocketDisconnect:
        ended = True
    else:
        ended = False
    if ended:  # raised inside of `except*`, it would be in a group again if both tasks have ended
        raise WebSocketDisconnect(1006)


@endpoint("`while True: await manager.broadcast(await websocket.receive_text())`, as in the tutorial")
async def reads(manager: Manager, websocket: WebSocket) -> None:
    await manager.broadcast("tick")
    while True:
        await manager.broadcast(await websocket.receive_text())
