"""Section 4.1, ConnectionManager.

The public class in another FastAPI app, under plain uvicorn.
"""

import asyncio
import inspect
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.contract.client import receive_rest
from tests.support.server import free_port
from tests.support.waiting import eventually_blocking

APP = """
import asyncio

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from hubbub import ConnectionManager

app = FastAPI()
manager = ConnectionManager()


@app.get("/count")
async def count() -> int:
    return len(manager.active_connections)


@app.post("/flood")
async def flood(times: int, size: int) -> int:
    for number in range(times):
        await manager.broadcast(f"{number:06}" + "x" * size)
        await asyncio.sleep(0.002)
    return len(manager.active_connections)


@app.websocket("/ws/{client_id}")
async def chat(websocket: WebSocket, client_id: str) -> None:
    await manager.connect(websocket)
    await manager.broadcast(f"Client #{client_id} joined the chat.")
    try:
        while True:
            data = await websocket.receive_text()
            if data == "many":
                for number in range(50):
                    await manager.send_personal_message(f"personal {number}", websocket)
                    await manager.broadcast(f"all {number}")
                    asyncio.create_task(manager.broadcast(f"task {number}"))
                    await asyncio.sleep(0)
            elif data == "twice":
                manager.disconnect(websocket)
                manager.disconnect(websocket)
                await manager.broadcast("gone")
                await websocket.close()
                return
            else:
                await manager.send_personal_message(f"You wrote: {data}", websocket)
                await manager.broadcast(f"Client #{client_id} says: {data}")
    except WebSocketDisconnect:
        manager.disconnect(websocket)
        manager.disconnect(websocket)
        await manager.broadcast(f"Client #{client_id} left the chat.")
"""


class App:
    def __init__(self, port: int, log: Path) -> None:
        self.port, self.log = port, log

    async def enter(self, name: str) -> ClientConnection:
        ws = await connect(f"ws://127.0.0.1:{self.port}/ws/{name}", proxy=None, compression=None, max_size=None)
        while await ws.recv() != f"Client #{name} joined the chat.":
            pass
        return ws

    def count(self) -> int:
        return int(httpx.get(f"http://127.0.0.1:{self.port}/count", trust_env=False).json())


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("manager")
    (folder / "chat.py").write_text(APP)
    port, log = free_port(), folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "chat:app", "--port", str(port)], cwd=folder, stdout=out, stderr=out,
            env=dict(os.environ),
        )  # fmt: skip

    def ready() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/count", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        eventually_blocking(ready, 60, "the app answers")
        yield App(port, log)
        text = log.read_text()
        assert "Traceback" not in text, text[-4000:]
    finally:
        process.terminate()
        process.wait(10)


async def test_the_manager_works_as_in_the_tutorial(app: App) -> None:
    one = await app.enter("1")
    two = await app.enter("2")
    assert await one.recv() == "Client #2 joined the chat."
    await two.send("hello")
    assert await two.recv() == "You wrote: hello"
    assert await two.recv() == "Client #2 says: hello"
    assert await one.recv() == "Client #2 says: hello"
    await two.close()
    assert await one.recv() == "Client #2 left the chat."
    await one.close()


async def test_messages_arrive_in_the_order_of_the_calls_on_each_connection(app: App) -> None:
    one, two = await app.enter("order"), await app.enter("other")
    assert await one.recv() == "Client #other joined the chat."
    await one.send("many")
    for number in range(50):
        assert [await one.recv() for _ in range(3)] == [f"personal {number}", f"all {number}", f"task {number}"]
        assert [await two.recv() for _ in range(2)] == [f"all {number}", f"task {number}"]
    await one.close()
    await two.close()


async def test_disconnect_may_be_repeated_and_nothing_arrives_after_it(app: App) -> None:
    one, two = await app.enter("leaver"), await app.enter("stayer")
    assert await one.recv() == "Client #stayer joined the chat."
    await one.send("twice")
    assert await receive_rest(one) == ([], 1000)
    assert await two.recv() == "gone"
    await two.close()


async def test_a_dead_socket_is_dropped_without_an_exception(app: App) -> None:
    stay = await app.enter("alive")
    for number in range(5):
        dead = await app.enter(f"dead{number}")
        dead.transport.abort()
    await stay.send("still?")
    received = [await stay.recv()]
    while received[-1] != "Client #alive says: still?":
        received.append(await stay.recv())
    assert received.count("You wrote: still?") == 1
    await asyncio.to_thread(eventually_blocking, lambda: app.count() == 1, 5.0, "the dead connections are removed")
    await stay.close()


async def test_a_slow_client_delays_no_others_and_is_closed_with_4008_or_a_reset(app: App) -> None:
    quick, slow = await app.enter("quick"), await app.enter("slow")
    slow.transport.pause_reading()
    assert await quick.recv() == "Client #slow joined the chat."

    async def read() -> int:
        seen = 0
        while seen < 400:
            text = await quick.recv()
            assert isinstance(text, str)
            if text[:6] == f"{seen:06}":
                seen += 1
        return seen

    reading = asyncio.create_task(read())
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        answer = await client.post(f"http://127.0.0.1:{app.port}/flood", params={"times": 400, "size": 20_000})
        assert answer.status_code == 200
    assert await asyncio.wait_for(reading, 20) == 400
    await asyncio.to_thread(eventually_blocking, lambda: app.count() == 1, 15.0, "the slow connection is removed")
    slow.transport.resume_reading()
    _, code = await receive_rest(slow, 15)
    assert code in (4008, 1006), code
    await quick.close()


def test_the_manager_needs_no_arguments_and_has_the_interface_of_the_tutorial() -> None:
    code = """
        from hubbub import ConnectionManager
        manager = ConnectionManager()
        assert list(manager.active_connections) == [] and len(manager.active_connections) == 0
        try:
            manager.active_connections = []
        except AttributeError:
            pass
        else:
            raise SystemExit("active_connections can be set")
        for verb in ("append", "remove", "add", "clear", "discard"):
            if hasattr(manager.active_connections, verb):
                raise SystemExit(f"active_connections has {verb}")
        manager.disconnect(object())
        import asyncio
        async def later() -> None:
            await manager.broadcast("nobody")
            await manager.broadcast("nobody", topic="a topic")
        asyncio.run(later())
        asyncio.run(later())
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    from hubbub import ConnectionManager

    assert not inspect.iscoroutinefunction(ConnectionManager.disconnect)
