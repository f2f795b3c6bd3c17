"""Hubbub as an ASGI application: on any ASGI server by itself, or mounted in somebody else's app."""

import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from hubbub import log, main
from hubbub.control import folder_lock
from hubbub.domain.errors import Internal
from hubbub.engine.services import Services
from hubbub.gateways.http import errors
from hubbub.gateways.websocket.asgi import AsgiGateway
from hubbub.settings import Settings

NOT_STARTED = (
    "Hubbub is mounted but was not started: write FastAPI(lifespan=hubbub.lifespan), "
    "or `async with hubbub.lifespan(app):` inside the app's own lifespan."
)
logger = structlog.get_logger(__name__)


class Hubbub:
    """Everything behind `hubbub serve` as an ASGI application, for one data folder.

    Settings are given as arguments, by their names; what is not given comes from `HUBBUB_*` variables, as always::

        hubbub = Hubbub(data="chat-data")
        app = FastAPI(lifespan=hubbub.lifespan)
        app.mount("/chat", hubbub.app)

    An ASGI server does not start what is mounted: `lifespan` does, and must be entered by the app around it. An ASGI
    server that runs `app` itself needs nothing else. One process serves a data folder: no second worker.
    """

    def __init__(self, settings: Settings | None = None, **overrides: Any) -> None:
        """Raises pydantic's ValidationError for a setting that cannot be used."""
        self.settings = _settings(settings, overrides)
        self._running: tuple[Services, ASGIApp] | None = None

    @property
    def app(self) -> ASGIApp:
        """The ASGI application: the web client at its root, REST, `/ws`, and plain text at `/ws/{name}`."""
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._serve_lifespan(receive, send)
        elif self._running is None:
            await _refuse(scope, receive, send)
        else:
            await self._running[1](scope, receive, send)

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Started on entering, drained and stopped on leaving; may be entered again. `app` is not looked at.

        Raises FolderInUse where another process, or another Hubbub in this one, works on the data folder, and what
        the database raises where it does not answer.
        """
        if not structlog.is_configured():
            log.hand_on()
        with folder_lock(self.settings.data):
            async with main.operated(self.settings) as services:
                gateway = AsgiGateway(services)
                await main.greet_operator(services, self.settings.address)
                self._running = services, main.compose(services, gateway)
                try:
                    yield
                finally:
                    self._running = None
                    await gateway.close(self.settings.drain_seconds)

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        """The server's own lifespan messages, where nothing stands between it and us."""
        await receive()
        running: AbstractAsyncContextManager[None] = self.lifespan()
        try:
            await running.__aenter__()
        except BaseException as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.startup.complete"})
        try:
            await receive()
        finally:
            await running.__aexit__(*sys.exc_info())
        await send({"type": "lifespan.shutdown.complete"})


def _settings(settings: Settings | None, overrides: dict[str, Any]) -> Settings:
    if settings is None:
        return Settings(**overrides)
    return Settings(**{**settings.model_dump(), **overrides}) if overrides else settings


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Somebody forgot the lifespan: he shall read what to write."""
    logger.error("not_started", advice=NOT_STARTED)
    answer = errors.answer(Internal(NOT_STARTED))
    if scope["type"] == "http":
        await answer(scope, receive, send)
        return
    socket = WebSocket(scope, receive, send)
    if "websocket.http.response" in scope.get("extensions", {}):
        await socket.send_denial_response(answer)
    else:
        await socket.close(1011, NOT_STARTED[:120])
