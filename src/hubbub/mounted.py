"""Hubbub as an ASGI application: on any ASGI server by itself, or mounted in somebody else's app, with its users."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from hubbub import log, main
from hubbub.domain.errors import Internal
from hubbub.domain.identities import Identity, check_part
from hubbub.engine.external_auth import AuthSettings
from hubbub.engine.services import Services
from hubbub.gateways.http import errors
from hubbub.gateways.websocket.asgi import AsgiGateway
from hubbub.gateways.websocket.scope import can_answer
from hubbub.settings import Settings, WrongSetting

Authenticate = Callable[[HTTPConnection], Awaitable[Identity | None]]
NOT_STARTED = (
    "Hubbub is mounted but was not started: write FastAPI(lifespan=hubbub.lifespan), "
    "or `async with hubbub.lifespan(app):` inside the app's own lifespan."
)
ORIGINS_MISSING = (
    "Hubbub(authenticate=…) needs origins=[…], the origins of the pages that may use your users' cookies, such as "
    '"https://app.example.org". If browsers never send your credential by themselves, say ambient=False instead.'
)
AROUND = "hubbub.around"
"""Where a scope has the app around this one: Starlette puts whichever app is at work into `scope["app"]`."""
logger = structlog.get_logger(__name__)


class Hubbub:
    """Everything behind `hubbub serve` as an ASGI application, for one data folder.

    Settings are given as arguments, by their names; what is not given comes from `HUBBUB_*` variables, as always::

        hubbub = Hubbub(authenticate=who_is_it, origins=["https://app.example.org"], data="chat-data")
        app = FastAPI(lifespan=hubbub.lifespan)
        app.mount("/chat", hubbub.app)

    With `authenticate` the app around this one knows who people are: it is given the headers, cookies and state of
    each request and each WebSocket, and returns an Identity, or None for nobody. Accounts appear at first sight. A
    token that a client sends with `hello` is shown to it as `Authorization: Bearer`. With `ambient=False` you promise
    that no browser sends the credential by itself. Without `authenticate` there are accounts of Hubbub's own.

    An ASGI server does not start what is mounted: `lifespan` does, and must be entered by the app around it. An ASGI
    server that runs `app` itself needs nothing else. One process serves a data folder: no second worker.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        authenticate: Authenticate | None = None,
        ambient: bool = True,
        **overrides: Any,
    ) -> None:
        """Raises WrongSetting, and pydantic's ValidationError for a setting that cannot be used."""
        self.settings = _settings(settings, overrides)
        if authenticate is not None and ambient and not self.settings.origins:
            raise WrongSetting(ORIGINS_MISSING)
        self._login = AuthSettings(_asking(authenticate), ambient) if authenticate is not None else None
        self._running: tuple[Services, ASGIApp] | None = None
        self._refusal = NOT_STARTED

    @property
    def app(self) -> ASGIApp:
        """The ASGI application: the web client at its root, REST, `/ws`, and plain text at `/ws/{name}`."""
        return self

    async def revoke(self, subject: str, *, issuer: str) -> None:
        """Logs the person out here as well: closes the connections of whoever was recognised before this call.

        To be called after the app itself has ended the log-in, so that `authenticate` no longer recognises it. Returns
        when it is on disk, and raises Unavailable where it cannot be; RuntimeError before the start.
        """
        if self._running is None or (host := self._running[0].external_auth) is None:
            raise RuntimeError(NOT_STARTED if self._login is not None else "There is no authenticate= to log out from.")
        await host.revoke(check_part("issuer", issuer), check_part("subject", subject))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._serve_lifespan(receive, send)
        elif self._running is None:
            await _refuse(self._refusal, scope, receive, send)
        else:
            await self._running[1]({**scope, AROUND: scope.get("app")}, receive, send)

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Started on entering, drained and stopped on leaving; may be entered again. `app` is not looked at.

        Raises InUse where another process, or another Hubbub in this one, uses the data folder or the database, and
        what else `main.running` raises. Should another server take the database later on (a failover of PostgreSQL
        can make that possible), every request is refused from then on; the host application goes on.
        """
        if not structlog.is_configured():
            log.hand_on()
        self._refusal = NOT_STARTED
        async with main.operated(self.settings, self._login) as services:
            gateway = AsgiGateway(services)
            if self._login is None:
                await main.greet_operator(services, self.settings.address)
            self._running = services, main.compose(services, gateway)
            guard = asyncio.create_task(self._guard(services, gateway))
            try:
                yield
            finally:
                self._running = None
                guard.cancel()
                await gateway.close(self.settings.drain_seconds)

    async def _guard(self, services: Services, gateway: AsgiGateway) -> None:
        """Ends the service, though not the host application, when another server has taken the database."""
        self._refusal = await services.lost_database
        self._running = None
        logger.error("database_taken", advice=self._refusal)
        await gateway.close(self.settings.drain_seconds)

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        """The server's own lifespan messages, where nothing stands between it and us."""
        await receive()
        running = self.lifespan()
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


def _asking(authenticate: Authenticate) -> Callable[[Scope], Awaitable[Identity | None]]:
    """`authenticate`, given what a dependency of the app around this one would be given."""

    async def ask(scope: Scope) -> Identity | None:
        around = scope.get(AROUND)
        connection = HTTPConnection({**scope, "app": around} if around is not None else dict(scope))
        try:
            return await authenticate(connection)
        except HTTPException as refused:  # how a FastAPI app says that nobody is logged in
            if refused.status_code in (401, 403):
                return None
            raise

    return ask


async def _refuse(sentence: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers where Hubbub does not run: the lifespan was forgotten, or another server has the database."""
    logger.error("not_running", advice=sentence)
    answer = errors.answer(Internal(sentence))
    if scope["type"] == "http":
        await answer(scope, receive, send)
        return
    socket = WebSocket(scope, receive, send)
    if can_answer(socket):
        await socket.send_denial_response(answer)
    else:
        await socket.close(1011, sentence[:120])
