"""Fixtures: a real listener in this process with an echo conversation."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
import uvloop
from fastapi import FastAPI, Request, WebSocket

from hubbub.clock import Clock
from hubbub.delivery.connections import Message
from hubbub.delivery.fanout import Fanout
from hubbub.engine.services import Services
from hubbub.engine.stopping import Stopping
from hubbub.gateways.native.connection import NativeConnection
from hubbub.gateways.native.gateway import NativeGateway
from hubbub.gateways.native.listener import Listener
from hubbub.metrics import Metrics
from hubbub.protocol.tokens import Credential
from hubbub.settings import Settings


@dataclass
class Echo:
    """Answer each message with itself; "in" authenticates; record what arrived."""

    connection: NativeConnection
    credentials: Sequence[Credential]
    heard: list[str] = field(default_factory=list)
    gone: bool = False

    def opened(self) -> None:
        pass

    def received(self, message: str) -> None:
        self.heard.append(message)
        if message == "in":
            self.connection.authenticated = True
        elif message == "raise":
            raise RuntimeError("a bug")
        self.connection.write(self.connection.format.pack([Message(message.encode())]))

    def lost(self) -> None:
        self.gone = True


@dataclass
class Running:
    """A running listener and what a test may inspect."""

    listener: Listener
    gateway: NativeGateway
    talks: list[Echo]
    metrics: Metrics

    @property
    def port(self) -> int:
        return self.listener.port

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"


Serve = Callable[..., Awaitable[Running]]


def make_app() -> FastAPI:
    app = FastAPI()

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/body")
    async def body(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @app.websocket("/ws/{name}")
    async def plain(websocket: WebSocket, name: str) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(f"{name}: {text}")

    return app


async def nothing_to_settle() -> None:
    """Return at once: there are no commands."""


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[Running]:
    """Serve until the end of the block, with default settings except for those given."""
    talks: list[Echo] = []

    def converse(_: Services, connection: NativeConnection, credentials: Sequence[Credential], _peer: str) -> Echo:
        talks.append(Echo(connection, credentials))
        return talks[-1]

    metrics = Metrics()
    parts = {"settings": Settings(**settings), "clock": Clock(), "metrics": metrics, "streams": set()}
    parts |= {"stopping": Stopping(), "fanout": Fanout(), "journal": SimpleNamespace(settle=nothing_to_settle)}
    services = cast(Services, SimpleNamespace(**parts))
    listener = Listener()
    gateway = await listener.open(make_app(), services, "127.0.0.1", 0, converse=converse)
    try:
        yield Running(listener, gateway, talks, metrics)
    finally:
        await listener.close(0.5)


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Return a factory: `running = await serve(hello_timeout=1)`.

    The server stops with the test.
    """
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Running:
            return await stack.enter_async_context(serving(**settings))

        yield start


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run these tests on the event loop that the server uses."""
    return {"uvloop": uvloop.new_event_loop}
