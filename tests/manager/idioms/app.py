"""The app under test with both classes: `/tutorial/…` and `/hubbub/…`.

Each run has its own manager.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import anyio.to_thread
from fastapi import BackgroundTasks, Depends, FastAPI, WebSocket, WebSocketDisconnect
from starlette.responses import JSONResponse

from tests.manager.idioms.calls import CALLS, CLASSES, Call, Manager
from tests.manager.idioms.endpoints import ENDPOINTS
from tests.support.waiting import eventually

app = FastAPI()
managers: dict[tuple[str, str], Manager] = {}
ended: dict[str, str] = {}
ENDS = os.environ.get("IDIOMS_ENDS")
"""A file with a line for each endpoint that ended, to read after the stop."""


def get_manager(kind: str, run: str) -> Manager:
    key = kind, run
    if key not in managers:
        managers[key] = CLASSES[kind]()
    return managers[key]


async def of_the_run(kind: str, run: str) -> Manager:
    return get_manager(kind, run)


async def connected(websocket: WebSocket, kind: str, run: str) -> AsyncIterator[Manager]:
    """Connect and disconnect in a dependency."""
    manager = get_manager(kind, run)
    await manager.connect(websocket)
    try:
        yield manager
    finally:
        if websocket in manager.active_connections:
            manager.disconnect(websocket)


@app.get("/ready")
async def ready() -> int:
    return os.getpid()


@app.websocket("/{kind}/{run}/ws")
async def listen(websocket: WebSocket, manager: Manager = Depends(connected)) -> None:
    """Serve a client that only listens."""
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        pass


@app.get("/{kind}/{run}/count")
async def count(manager: Manager = Depends(of_the_run)) -> int:
    return len(manager.active_connections)


@app.post("/{kind}/{run}/call/{name}")
async def call(name: str, background: BackgroundTasks, manager: Manager = Depends(of_the_run)) -> object:
    """Run one idiom; return its result, or the type of what it raised."""
    given = Call(manager, manager.active_connections[0], background)
    run = CALLS[name].run
    try:
        if asyncio.iscoroutinefunction(run):
            return await run(given)
        return await anyio.to_thread.run_sync(run, given)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@app.post("/{kind}/{run}/mark")
async def mark(manager: Manager = Depends(of_the_run)) -> None:
    """Send the last message of an idiom without the manager."""
    for websocket in list(manager.active_connections):
        await websocket.send_text("end")


for kind in CLASSES:

    @app.post(f"/{kind}/depends/sent", dependencies=[Depends(get_manager(kind, "depends").broadcast)])
    async def sent_by_a_dependency() -> None:
        """Broadcast by `Depends(manager.broadcast)`: FastAPI calls it with `?message=…`."""


@app.post("/{kind}/{run}/disconnect-all")
async def disconnect_all(close: bool, copy: bool, manager: Manager = Depends(of_the_run)) -> list[int]:
    """Call `disconnect`, and perhaps `close`, in a loop over the connections."""
    seen = 0
    for websocket in list(manager.active_connections) if copy else manager.active_connections:
        manager.disconnect(websocket)
        await websocket.send_text("bye")
        if close:
            await websocket.close(4242)
        seen += 1
    return [seen, len(manager.active_connections)]


@app.post("/{kind}/{run}/newcomer")
async def newcomer(manager: Manager = Depends(of_the_run)) -> None:
    """Loop over the connections and continue when another client has connected."""
    before = len(manager.active_connections)
    for websocket in manager.active_connections:
        await websocket.send_text("1")
        await eventually(lambda: len(manager.active_connections) > before, 60, "another client connects")


@app.websocket("/{kind}/{run}/only/{name}")
async def only(websocket: WebSocket, kind: str, run: str, name: str) -> None:
    """Run an endpoint that only sends, as programs contain it, and record how it ends."""
    manager = get_manager(kind, run)
    await manager.connect(websocket)
    try:
        await ENDPOINTS[name][1](manager, websocket)
    except WebSocketDisconnect:
        if websocket in manager.active_connections:
            manager.disconnect(websocket)
        await manager.broadcast("left")
        _ended(kind, run, name, "WebSocketDisconnect")
    except BaseException as error:
        _ended(kind, run, name, type(error).__name__)
        raise
    else:
        _ended(kind, run, name, "returned")


def _ended(kind: str, run: str, name: str, how: str) -> None:
    ended[f"{kind}/{run}/{name}"] = how
    if ENDS:
        with Path(ENDS).open("a") as file:
            file.write(f"{name} {how}\n")


@app.get("/ended")
async def all_ended() -> JSONResponse:
    return JSONResponse(ended)
