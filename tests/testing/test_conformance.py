"""An endpoint has the same outcome on a FakeWebSocket, under TestClient and under uvicorn."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message as Event
from starlette.websockets import WebSocket, WebSocketDisconnect

from hubbub import ConnectionManager
from hubbub.testing import FakeWebSocket
from tests.support.waiting import eventually
from tests.support.websocket_backends import (
    OURS,
    PATIENCE,
    Backend,
    Client,
    Closed,
    Endpoint,
    Expected,
    Refused,
    app_of,
    fakes,
    sessions,
    sockets,
)

Log = list[object]
Logged = Callable[[WebSocket, Log], Awaitable[None]]
Script = Callable[[Backend, Log], Awaitable[None]]
PROTOCOLS = ("websockets-sansio", "wsproto", OURS)
BACKENDS: dict[str, Callable[[Endpoint], AbstractAsyncContextManager[Backend]]] = {
    "fake": fakes,
    "TestClient": lambda endpoint: sessions(app_of(endpoint)),
    **{f"uvicorn, {name}": lambda endpoint, name=name: sockets(app_of(endpoint), name) for name in PROTOCOLS},  # type: ignore[misc]
}
CASES: dict[str, tuple[Logged, Script, Log, Log, frozenset[str]]] = {}
"""The endpoint, the client's script, what each of them must log, and backends on which it differs."""
TESTCLIENT = frozenset({"TestClient"})


def case(*, client: Log, endpoint: Log, differs: frozenset[str] = frozenset()) -> Callable[[Any], None]:
    """Register a class with `endpoint` and `client` as a case."""

    def register(kind: Any) -> None:
        CASES[kind.__name__] = (kind.endpoint, kind.client, client, endpoint, differs)

    return register


async def until_closed(client: Client, log: Log) -> None:
    """Log all messages and the close code."""
    try:
        while True:
            log.append(await client.receive())
    except Closed as end:
        log.append((end.code, end.reason))


@case(client=["hello", b"\x00\x01", '{"a":"ü"}', b"[1]"], endpoint=["text", b"bytes", {"j": 1}, [2], (3001, "bye")])
class TextBytesAndJsonInBothDirections:
    @staticmethod
    async def endpoint(websocket: WebSocket, log: Log) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.send_bytes(b"\x00\x01")
        await websocket.send_json({"a": "ü"})
        await websocket.send_json([1], mode="binary")
        log.append(await websocket.receive_text())
        log.append(await websocket.receive_bytes())
        log.append(await websocket.receive_json())
        log.append(await websocket.receive_json(mode="binary"))
        try:
            await websocket.receive_text()
        except WebSocketDisconnect as end:
            log.append((end.code, end.reason))

    @staticmethod
    async def client(backend: Backend, log: Log) -> None:
        client = await backend.connect()
        log += [await client.receive() for _ in range(4)]
        for message in ("text", b"bytes", '{"j": 1}', b"[2]"):
            await client.send(message)
        await client.close(3001, "bye")


@case(
    client=[],
    endpoint=["/ws/ann", {"name": "ann"}, ["a b", "c"], "t", "v", ["chat.v2", "chat.v1"], "yes", "websocket"],
)
class WhatTheHandshakeContains:
    @staticmethod
    async def endpoint(websocket: WebSocket, log: Log) -> None:
        log += [websocket.url.path, dict(websocket.path_params), websocket.query_params.getlist("q")]
        log += [websocket.query_params["token"], websocket.cookies["k"], websocket.scope["subprotocols"]]
        log += [websocket.headers["X-Extra"], websocket.scope["type"]]
        await websocket.accept()

    @staticmethod
    async def client(backend: Backend, log: Log) -> None:
        headers = {"x-extra": "yes", "Cookie": "k=v"}
        await backend.connect("/ws/ann?q=a%20b&q=c&token=t", headers=headers, subprotocols=["chat.v2", "chat.v1"])


@case(client=["1", "2", (1000, "")], endpoint=[["a", "b"], "end"])
class IterText:
    @staticmethod
    async def endpoint(websocket: WebSocket, log: Log) -> None:
        await websocket.accept()
        await websocket.send_text("1")
        await websocket.send_text("2")
        log.append([text async for text in websocket.iter_text()])
        log.append("end")

    @staticmethod
    async def client(backend: Backend, log: Log) -> None:
        client = await backend.connect()
        log += [await client.receive(), await client.receive()]
        await client.send("a")
        await client.send("b")
        await client.close()
        log.append((1000, ""))


@case(client=["first", (4001, "not you")], endpoint=["RuntimeError"])
class TheEndpointClosesAndSendsOnceMore:
    @staticmethod
    async def endpoint(websocket: WebSocket, log: Log) -> None:
        await websocket.accept()
        await websocket.send_text("first")
        await websocket.close(4001, "not you")
        try:
            await websocket.send_text("after the close")
        except RuntimeError:
            log.append("RuntimeError")

    @staticmethod
    async def client(backend: Backend, log: Log) -> None:
        await until_closed(await backend.connect(), log)


@case(client=[403], endpoint=["end"])
class TheEndpointClosesBeforeItAccepts:
    @staticmethod
    async def endpoint(websocket: WebSocket, log: Log) -> None:
        await websocket.close(4003, "no")
        log.append("end")

    @staticmethod
    async def client(backend: Backend, log: Log) -> None:
        with pytest.raises(Refused) as refused:
            await backend.connect()
        log.append(refused.value.status)


@case(client=[(401, b"who are you?")], endpoint=["end"])
class TheEndpointSendsADenialResponse:
    @staticmethod
    async def endpoint(websocket: WebSocket, log: Log) -> None:
        await websocket.send_denial_response(PlainTextResponse("who are you?", 401))
        log.append("end")

    @staticmethod
    async def client(backend: Backend, log: Log) -> None:
        with pytest.raises(Refused) as refused:
            await backend.connect()
        log.append((refused.value.status, refused.value.body))


@case(client=[], endpoint=["RuntimeError", "RuntimeError", "RuntimeError", "KeyError"])
class CallsInTheWrongState:
    @staticmethod
    async def endpoint(websocket: WebSocket, log: Log) -> None:
        async def tried(call: Awaitable[object]) -> None:
            try:
                await call
            except (RuntimeError, KeyError) as error:
                log.append("RuntimeError" if isinstance(error, RuntimeError) else "KeyError")

        await tried(websocket.receive_text())  # before accept
        await tried(websocket.send_text("early"))
        await websocket.accept()
        await tried(websocket.accept())
        await tried(websocket.receive_text())  # of a binary message

    @staticmethod
    async def client(backend: Backend, log: Log) -> None:
        client = await backend.connect()
        await client.send(b"binary")


@case(client=["go"], endpoint=[(1001, ""), 1006, 1006], differs=TESTCLIENT)
class SendingAfterTheClientHasLeft:
    """TestClient takes what is sent after the end, without an error."""

    @staticmethod
    async def endpoint(websocket: WebSocket, log: Log) -> None:
        await websocket.accept()
        await websocket.send_text("go")
        try:
            await websocket.receive_text()
        except WebSocketDisconnect as end:
            log.append((end.code, end.reason))
        for _ in range(2):
            try:
                await websocket.send_text("too late")
            except WebSocketDisconnect as end:
                log.append(end.code)
            except RuntimeError:
                log.append(1006)  # Starlette's for the second attempt

    @staticmethod
    async def client(backend: Backend, log: Log) -> None:
        client = await backend.connect()
        log.append(await client.receive())
        await client.close(1001)


@case(client=["go"], endpoint=[1006], differs=TESTCLIENT)
class TheConnectionBreaks:
    """TestClient has no network that could break."""

    @staticmethod
    async def endpoint(websocket: WebSocket, log: Log) -> None:
        await websocket.accept()
        await websocket.send_text("go")
        try:
            await websocket.receive_text()
        except WebSocketDisconnect as end:
            log.append(1006 if end.code == 1005 else end.code)  # wsproto and websockets say one or the other

    @staticmethod
    async def client(backend: Backend, log: Log) -> None:
        client: Any = await backend.connect()
        log.append(await client.receive())
        await client.drop()


@case(client=["last", (1006, "")], endpoint=["end"], differs=TESTCLIENT)
class TheEndpointReturnsWithoutClosing:
    """TestClient's client never learns of it."""

    @staticmethod
    async def endpoint(websocket: WebSocket, log: Log) -> None:
        await websocket.accept()
        await websocket.send_text("last")
        log.append("end")

    @staticmethod
    async def client(backend: Backend, log: Log) -> None:
        await until_closed(await backend.connect(), log)


@case(client=["last", (1006, "")], endpoint=["raises"], differs=TESTCLIENT)
class TheEndpointFails:
    """TestClient raises the endpoint's exception in the test."""

    @staticmethod
    async def endpoint(websocket: WebSocket, log: Log) -> None:
        await websocket.accept()
        await websocket.send_text("last")
        log.append("raises")
        raise Expected

    @staticmethod
    async def client(backend: Backend, log: Log) -> None:
        await until_closed(await backend.connect(), log)


@case(client=[(4000, "later")], endpoint=[4000], differs=TESTCLIENT)
class ATaskThatReadsWhileTheEndpointCloses:
    """TestClient tells the reading task only when the client leaves, with the client's code."""

    @staticmethod
    async def endpoint(websocket: WebSocket, log: Log) -> None:
        await websocket.accept()
        reading = asyncio.create_task(websocket.receive_text())
        await asyncio.sleep(0)
        await websocket.close(4000, "later")
        try:
            await reading
        except WebSocketDisconnect as end:
            log.append(end.code)

    @staticmethod
    async def client(backend: Backend, log: Log) -> None:
        await until_closed(await backend.connect(), log)


@case(client=["to all", "to one", "in the room", "echo: hi", "done"], endpoint=["left", 0])
class AManagerBroadcastsAndJoins:
    @staticmethod
    async def endpoint(websocket: WebSocket, log: Log) -> None:
        manager = ConnectionManager()
        await manager.connect(websocket)
        manager.join(websocket, "room")
        await manager.broadcast("to all")
        await manager.send_personal_message("to one", websocket)
        await manager.broadcast("in the room", topic="room")
        manager.leave(websocket, "room")
        await manager.broadcast("to no member", topic="room")
        try:
            while True:
                await manager.broadcast(f"echo: {await websocket.receive_text()}")
                await websocket.send_text("done")
        except WebSocketDisconnect:
            manager.disconnect(websocket)
            log += ["left", len(manager.active_connections)]

    @staticmethod
    async def client(backend: Backend, log: Log) -> None:
        client = await backend.connect()
        log += [await client.receive() for _ in range(3)]
        await client.send("hi")
        log += [await client.receive() for _ in range(2)]
        await client.close()


@case(client=['{"to":"all"}', b"\x00", "to ann", (4001, "enough")], endpoint=[(4001, "enough"), []])
class AManagerSendsJsonAndBytesAndClosesAUser:
    @staticmethod
    async def endpoint(websocket: WebSocket, log: Log) -> None:
        manager = ConnectionManager()
        await manager.connect(websocket, user="ann")
        await manager.broadcast({"to": "all"})
        await manager.broadcast("to all but ann", exclude="ann")
        await manager.broadcast(b"\x00")
        await manager.send_personal_message("to ann", "ann")
        closing = asyncio.create_task(manager.close_user("ann", 4001, "enough"))
        try:
            await websocket.receive_text()
        except WebSocketDisconnect as end:
            log.append((end.code, end.reason))
        await closing
        log.append(manager.users())

    @staticmethod
    async def client(backend: Backend, log: Log) -> None:
        await until_closed(await backend.connect(), log)


@case(client=["tick"], endpoint=[True], differs=TESTCLIENT)
class AManagerClosesASlowClient:
    """TestClient's client is never slow: it takes everything."""

    @staticmethod
    async def endpoint(websocket: WebSocket, log: Log) -> None:
        manager = ConnectionManager(outbox_bytes=2**16)
        await manager.connect(websocket)
        await manager.broadcast("tick")
        await websocket.receive_text()
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    await manager.broadcast("x" * 2**16)
                    await asyncio.sleep(0)
        except WebSocketDisconnect as end:
            log.append(end.code in (4008, 1006))

    @staticmethod
    async def client(backend: Backend, log: Log) -> None:
        client: Any = await backend.connect()
        log.append(await client.receive())
        client.pause()
        await client.send("paused")
        await asyncio.sleep(0)


@asynccontextmanager
async def played(backend: str, name: str) -> AsyncIterator[tuple[Log, Log]]:
    endpoint, script, *_ = CASES[name]
    ours: Log = []
    theirs: Log = []
    ended: list[None] = []

    async def logged(websocket: WebSocket) -> None:
        try:
            await endpoint(websocket, theirs)
        finally:
            ended.append(None)

    async with BACKENDS[backend](logged) as running:
        await script(running, ours)
        await eventually(lambda: ended, PATIENCE, "the endpoint has ended")
    yield ours, theirs


RUNS = [(name, backend) for name, case in CASES.items() for backend in BACKENDS if backend not in case[-1]]


@pytest.mark.parametrize(("name", "backend"), RUNS, ids=[f"{name}, {backend}" for name, backend in RUNS])
async def test_the_same_endpoint_has_the_same_outcome(name: str, backend: str) -> None:
    *_, client, endpoint, _ = CASES[name]
    async with played(backend, name) as (ours, theirs):
        assert (ours, theirs) == (client, endpoint)


async def test_control_a_fake_that_never_notices_the_end_has_another_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeWebSocket, "send", _deaf_send)
    *_, endpoint, _ = CASES["SendingAfterTheClientHasLeft"]
    async with played("fake", "SendingAfterTheClientHasLeft") as (_, theirs):
        assert theirs != endpoint


async def _deaf_send(websocket: FakeWebSocket, event: Event) -> None:
    with suppress(WebSocketDisconnect):
        await WebSocket.send(websocket, event)
