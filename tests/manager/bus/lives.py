"""A program with one manager and many event loops, as tests, jobs and reloads have: `lives ADDRESS`.

Writes "done" and must write nothing to stderr.
"""

import asyncio
import logging
import sys
import warnings

import uvloop
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from hubbub import ConnectionManager
from tests.manager.bus.conftest import connected, hears, is_up
from tests.manager.peer import Peer

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Starlette warns that it prefers another HTTP client.
    from fastapi.testclient import TestClient

ADDRESS = sys.argv[-1]
manager = ConnectionManager(bus=ADDRESS)
app = FastAPI()


@app.websocket("/ws")
async def chat(websocket: WebSocket) -> None:
    await manager.connect(websocket)
    manager.join(websocket, "a")
    try:
        while True:
            await manager.broadcast(await websocket.receive_text(), topic="a")
    except WebSocketDisconnect:
        manager.disconnect(websocket)
        await manager.broadcast("left")


async def hear_another() -> None:
    """Hear a manager that lives on the same loop, and let the loop end both without a word."""
    other = ConnectionManager(bus=ADDRESS)
    peer = await connected(manager)
    await connected(other)
    await other.broadcast("1")
    await hears(peer, "1")


async def end_early() -> None:
    """End the loop while the manager is about to connect."""
    await manager.broadcast("before the end")
    manager.disconnect(Peer().socket)


async def close_at_the_end() -> None:
    await manager.connect(Peer().socket)
    await is_up(manager)
    await manager.broadcast("the end")
    await manager.close()


async def end_while_connecting(tick: int) -> None:
    """End the loop at some moment of an attempt that is refused."""
    refused = ConnectionManager(
        bus="nats://127.0.0.1:1" if ADDRESS.startswith("nats") else "postgresql://127.0.0.1:1/x"
    )
    await refused.broadcast("refused")
    for _ in range(tick):
        await asyncio.sleep(0)


def main() -> None:
    log = logging.getLogger("hubbub.bus")
    log.disabled = True  # it reports the outages
    for tick in range(60):
        asyncio.run(end_while_connecting(tick))
    log.disabled = False
    for main in (hear_another, end_early, close_at_the_end, hear_another):
        asyncio.run(main())
        uvloop.run(main())
    with asyncio.Runner() as runner:
        runner.run(close_at_the_end())
        runner.run(hear_another())
    for _ in range(2):
        with TestClient(app) as client, client.websocket_connect("/ws") as one, client.websocket_connect("/ws") as two:
            one.send_text("hello")
            assert one.receive_text() == two.receive_text() == "hello"
    with TestClient(app).websocket_connect("/ws") as alone:  # on a loop of its own
        alone.send_text("hello")
        assert alone.receive_text() == "hello"
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main()
