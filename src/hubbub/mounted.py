"""Hubbub as an ASGI application.

It runs standalone on any ASGI server, or mounted in a host application with its users.
"""

import asyncio
import inspect
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from hubbub import log, main, meters
from hubbub.domain.errors import Internal
from hubbub.domain.identities import Identity, check_part
from hubbub.engine import any_thread
from hubbub.engine.external_auth import AuthSettings
from hubbub.engine.services import Services
from hubbub.gateways.asgi.gateway import AsgiGateway
from hubbub.gateways.http import errors
from hubbub.gateways.http.event_stream import end_streams, end_with_server
from hubbub.gateways.websocket.scope import can_answer
from hubbub.host.events import Callbacks, Events
from hubbub.host.messages import Messages
from hubbub.host.model import Event, Position, RoomRef
from hubbub.host.rooms import Rooms
from hubbub.host.running import Host
from hubbub.host.users import Users
from hubbub.settings import Settings, WrongSetting, check_login_url, check_token_url, from_arguments
from hubbub.storage.locks import InUse, Unsupported
from hubbub.storage.migrate import TooNew
from hubbub.storage.signing_key import KeyUnusable

if TYPE_CHECKING:
    from hubbub.outbox import Outbox

Authenticate = Callable[[HTTPConnection], Awaitable[Identity | None] | Identity | None]
NOT_STARTED = (
    "Hubbub is mounted but was not started. Use FastAPI(lifespan=hubbub.lifespan), "
    "or `async with hubbub.lifespan(app):` in the application's own lifespan. "
    "In tests, write `with TestClient(app) as client:`; without `with`, TestClient starts nothing."
)
ORIGINS_MISSING = (
    "Hubbub(authenticate=…) needs origins=[…], the origins of the pages that may use your users' cookies, such as "
    '"https://app.example.org". If browsers never send your credential by themselves, pass ambient=False instead.'
)
NO_DATABASE = "Hubbub(outbox=…) needs Outbox(address), with the address of your database."
HOST_APP = "hubbub.host_app"
"""The scope's key for the host application.

Starlette overwrites `scope["app"]` with the innermost application.
"""
F = TypeVar("F", bound=Callable[[Event], object])
T = TypeVar("T")
logger = structlog.get_logger(__name__)


class Hubbub:
    """Everything behind `hubbub serve` as an ASGI application, for one data folder.

    Settings are keyword arguments; those not given come from `HUBBUB_*` variables::

        hubbub = Hubbub(authenticate=identify, origins=["https://app.example.org"], data="chat-data")
        app = FastAPI(lifespan=hubbub.lifespan)
        app.mount("/chat", hubbub.app)

    With `authenticate` the host application authenticates the users: it gets the headers, cookies
    and state of each request and each WebSocket, and returns an Identity, or None for unknown
    callers. It may be a coroutine function, or a plain function, which runs in a thread. Accounts are
    created at first sight. A token that a client sends with `hello` is passed to it as
    `Authorization: Bearer`. `ambient=False` is your promise that no browser sends the credential by
    itself. Without `authenticate`, Hubbub has accounts of its own.

    `login_url` is the log-in page of the host application, and `token_url` the path of its endpoint
    that gives the web client a bearer token.

    ASGI servers do not start mounted applications: the host application must enter `lifespan`. An
    ASGI server that runs `app` directly needs nothing else. Several workers of an ASGI server need
    `database_url` with PostgreSQL and `bus_url`; without a bus the second one is refused.

    With `outbox`, posts that the host application has written in its own SQL transactions become
    messages.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        authenticate: Authenticate | None = None,
        ambient: bool = True,
        login_url: str | None = None,
        token_url: str | None = None,
        outbox: "Outbox | None" = None,
        **overrides: Any,
    ) -> None:
        """Create the application.

        Raises WrongSetting, and pydantic's ValidationError for an invalid setting.
        """
        self.settings = _settings(settings, overrides)
        if authenticate is not None and ambient and not self.settings.origins:
            raise WrongSetting(ORIGINS_MISSING)
        if outbox is not None and outbox.database is None:
            raise WrongSetting(NO_DATABASE)
        self._outbox = outbox
        self._login = _auth_settings(authenticate, ambient, login_url, token_url)
        self._running: tuple[Services, ASGIApp] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._refusal = NOT_STARTED
        self._host = Host(NOT_STARTED)
        self._callbacks = Callbacks(self._host)
        self.users = Users(self._host)
        self.rooms = Rooms(self._host)
        self.messages = Messages(self._host)

    @property
    def app(self) -> ASGIApp:
        """The ASGI application: web client, REST, `/ws`, and plain text at `/ws/{name}`."""
        return self

    def revoke(self, subject: str, *, issuer: str) -> any_thread.Call[None]:
        """Log a user out of Hubbub.

        Close the connections that were authenticated before this call, and keep out log-ins with an
        `Identity.issued_at` from before it.

        Call it after the host application has ended the log-in, so that `authenticate` no longer
        recognises it. In a coroutine, await the result: the change is then on disk. In a plain
        function on another thread, such as a `def` endpoint, the call itself returns when it is.
        Raises Unavailable if it cannot be stored; RuntimeError before the start.
        """
        if self._running is None or self._loop is None or (host := self._running[0].external_auth) is None:
            raise RuntimeError(
                NOT_STARTED
                if self._login is not None
                else "revoke() needs Hubbub(authenticate=…): there are no host users."
            )
        parts = check_part("issuer", issuer), check_part("subject", subject)
        return any_thread.call(self._loop, partial(host.revoke, *parts))

    def events(
        self, room: RoomRef | None = None, *, topic: str | None = None, after: Position | int | None = None
    ) -> Events:
        """Return the events of a room, or of a topic, for `async for`.

        After `after`, a position or a seq, none is left out and none comes twice; 0 is the beginning
        of what the log keeps. Without `after`, only new ones come. The iterator ends when the server
        stops. It raises PositionLost if events after the position are gone, and NotFound.

        Raises RuntimeError before the start, ValueError, TypeError.
        """
        return Events(self._host, room, topic, after)

    def on(self, *types: str, name: str | None = None) -> Callable[[F], F]:
        """Return a decorator for a callback, which is called with each event of these types in any room.

        The callback is durable: it is called at least once for each event after its first start, in
        the order of each room, in one process of the site. If it raises, that room waits, longer each
        time; after eight failures the event becomes a dead letter. It may be a plain function, which
        runs in a thread, and has 60 seconds. `name`, or else the function's name, identifies its
        stored positions.

        Raises ValueError, and RuntimeError after the start.
        """
        return self._callbacks.add(types, name)

    async def forget_callback(self, name: str) -> None:
        """Remove the stored positions of a callback that is declared no longer. Idempotent."""
        await self._callbacks.forget(name)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of this interface from a thread, such as a plain `def` endpoint::

            hubbub.run(hubbub.messages.post("order:42", "Shipped."))

        Raises what it raises, and RuntimeError on a thread with an event loop or before the start.
        """
        return self._host.run(coroutine)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._serve_lifespan(receive, send)
        elif self._running is None:
            await _refuse(self._refusal, scope, receive, send)
        else:
            await self._running[1]({**scope, HOST_APP: scope.get("app")}, receive, send)

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Start on entering; drain and stop on leaving.

        May be entered again. `app` is ignored.

        Raises InUse if another process without the same bus, or another Hubbub in this process, uses the
        data folder or the database, and what `main.running` raises. If another server takes the database later (a
        failover of PostgreSQL can make that possible), every request is refused from then on; the
        host application continues.
        """
        if not structlog.is_configured():
            log.configure_for_host()
        self._refusal = NOT_STARTED
        self._loop = asyncio.get_running_loop()
        async with self._operated() as services:
            gateway = AsgiGateway(services)
            if self._login is None and services.number == 0:  # one of several workers is enough
                await main.greet_operator(services, self.settings.address)
            self._host.start(services)
            self._running = services, main.compose(services, gateway)
            tasks = [
                asyncio.create_task(self._guard(services, gateway)),
                asyncio.create_task(end_with_server(services)),
            ]
            try:
                await self._callbacks.start(services)
                async with self._taking_posts_over(services):
                    yield
            finally:
                self._running = None
                await self._callbacks.stop()
                self._host.stop(NOT_STARTED)
                for task in tasks:
                    task.cancel()
                end_streams(services)
                await gateway.close(self.settings.drain_seconds)

    @asynccontextmanager
    async def _operated(self) -> AsyncIterator[Services]:
        async with AsyncExitStack() as stack:
            operated = main.operated(self.settings, self._login, labelled=self.settings.bus_url is not None)
            try:
                services = await stack.enter_async_context(operated)
            except (InUse, KeyUnusable, TooNew, Unsupported, WrongSetting) as error:
                # ASGI servers log the whole traceback: the last line must be easy to find.
                raise error.with_traceback(None) from None
            yield services

    @asynccontextmanager
    async def _taking_posts_over(self, services: Services) -> AsyncIterator[None]:
        if self._outbox is None:
            yield
            return
        from hubbub.host.outbox import taking_over

        async with taking_over(services, self._host, self._outbox) as taker:
            meters.attach_outbox(services.metrics, taker.counts)
            yield

    async def _guard(self, services: Services, gateway: AsgiGateway) -> None:
        """End the service if another server takes the database. The host continues."""
        self._refusal = await services.lost_database
        self._running = None
        await self._callbacks.stop()
        self._host.stop(self._refusal)
        logger.error("database_taken", advice=self._refusal)
        end_streams(services)
        await gateway.close(self.settings.drain_seconds)

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        """Handle the server's lifespan messages when Hubbub is not mounted."""
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
    return settings if settings is not None and not overrides else from_arguments(overrides, settings)


def _auth_settings(
    authenticate: Authenticate | None, ambient: bool, login_url: str | None, token_url: str | None
) -> AuthSettings | None:
    """Return how the host application authenticates the users; None if it does not."""
    if authenticate is None:
        if login_url is not None or token_url is not None:
            raise WrongSetting("login_url and token_url need Hubbub(authenticate=…): there are no host users.")
        return None
    if not callable(authenticate):
        raise WrongSetting("Hubbub(authenticate=…) must be a function, or an object that can be called.")
    return AuthSettings(
        _for_scopes(authenticate),
        ambient,
        blocks=not _is_async(authenticate),
        login_url=None if login_url is None else check_login_url(login_url),
        token_url=None if token_url is None else check_token_url(token_url),
    )


def _is_async(function: Callable[..., object]) -> bool:
    """Return True for a coroutine function, a partial of one, and an object with one as `__call__`."""
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def _connection(scope: Scope) -> HTTPConnection:
    """Return a connection like those of the host application's dependencies."""
    host_app = scope.get(HOST_APP)
    return HTTPConnection({**scope, "app": host_app} if host_app is not None else dict(scope))


def _for_scopes(authenticate: Callable[..., Any]) -> Callable[[Scope], Awaitable[Identity | None] | Identity | None]:
    """Return `authenticate` for scopes. A refusal as FastAPI apps report it becomes None."""

    async def settled(found: Awaitable[Identity | None]) -> Identity | None:
        try:
            return await found
        except HTTPException as refused:
            _check_unknown(refused)
            return None

    def identify(scope: Scope) -> Any:
        try:
            found = authenticate(_connection(scope))
        except HTTPException as refused:
            _check_unknown(refused)
            return None
        return settled(found) if inspect.isawaitable(found) else found

    return identify


def _check_unknown(refused: HTTPException) -> None:
    """Raise again any refusal that does not mean an unknown caller."""
    if refused.status_code not in (401, 403):
        raise refused


async def _refuse(sentence: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer while Hubbub does not run.

    The lifespan was not entered, or another server has the database.
    """
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
