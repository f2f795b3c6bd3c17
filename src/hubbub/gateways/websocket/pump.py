"""Executes the effects of a session for both WebSocket gateways.

Makes no decisions about chat.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence

import structlog

from hubbub.delivery.connections import Message
from hubbub.domain import names, text
from hubbub.domain.commands import Command, EventsSince, Signal
from hubbub.domain.disconnects import Disconnect
from hubbub.domain.errors import Busy, HubbubError, Internal, RateLimited
from hubbub.domain.model import Role
from hubbub.engine.batch import Receipt
from hubbub.engine.live_connections import Attached, LiveConnection, TooManyConnections
from hubbub.engine.services import Services
from hubbub.features import sessions, sync
from hubbub.features.sessions import AuthenticatedUser
from hubbub.features.sync import MissingEvents
from hubbub.gateways.websocket.connection import WebSocketConnection
from hubbub.protocol import close_codes, wire
from hubbub.protocol.session import Authenticate, Close, Effect, Execute, HandleSignal, Hello, Query, Send, Session
from hubbub.protocol.tokens import Credential

MAX_QUERIES = 2_000
READ_FIRST = 256 * 1024
"""Bytes that may wait for a client before its next page is read.

The pump checks again every PATIENCE seconds.
"""
PATIENCE = 0.02
logger = structlog.get_logger(__name__)


class Pump:
    """The traffic of one connection.

    The gateway calls `received` per text message, and `lost` at the end.
    """

    __slots__ = ("_connection", "_credentials", "_live", "_peer", "_queries", "_services", "_session", "_tasks")

    def __init__(
        self, services: Services, connection: WebSocketConnection, credentials: Sequence[Credential], peer: str
    ) -> None:
        self._services = services
        self._connection = connection
        self._credentials = credentials
        self._peer = peer
        self._session = Session(limited=services.limits.enabled)
        self._live: LiveConnection | None = None
        self._queries: deque[tuple[int, EventsSince]] | None = None
        self._tasks: set[asyncio.Task[None]] | None = None

    def opened(self) -> None:
        """Cork the connection after the handshake.

        Until the greeting is complete, events wait behind `welcome`.
        """
        self._connection.cork()

    def received(self, message: str | bytes) -> None:
        """Handle one complete text message."""
        self._do(self._session.receive(message, self._services.clock.monotonic()))

    def lost(self) -> None:
        """Clean up after the end of the connection. Idempotent."""
        live = self._live
        if live is not None and not live.ended and live.user.is_stale(self._services.clock.now(), sessions.MINUTE):
            self._services.touch(live.user)
        self._services.hub.detach(self._connection)
        for task in self._tasks or ():
            task.cancel()

    def _do(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Execute(id_, command):
                    self._execute(id_, command)
                case Send(frame):
                    self._send(frame)
                case Query(id_, query):
                    self._enqueue_query(id_, query)
                case HandleSignal(id_, signal):
                    self._handle_signal(id_, signal)
                case Authenticate(hello):
                    self._spawn(self._greet(hello))
                case Close(code, reason):
                    if self._connection in self._services.fanout:
                        self._services.fanout.flush_now(self._connection)  # what is queued is sent before the Close
                    self._services.hub.detach(self._connection)
                    self._connection.close(code, reason)

    # --- commands and queries ------------------------------------------------------------------------------------

    def _execute(self, id_: int, command: Command) -> None:
        live = self._live
        if live is None or live.ended:
            return
        services = self._services
        wait = services.limits.command(live.user.id, sending=command.posts, founding=command.creates_room)
        if wait is not None:
            self._refuse(id_, RateLimited(retry_after=wait))
            return

        def reply(result: Receipt | HubbubError) -> None:
            if not live.ended:
                frame = wire.error(id_, result) if isinstance(result, HubbubError) else wire.ok(id_, result.answer)
                services.fanout.send(self._connection, frame)

        services.journal.enqueue(command, live.actor, reply, self)

    def _handle_signal(self, id_: int, signal: Signal) -> None:
        live = self._live
        if live is None or live.ended:
            return
        wait = self._services.limits.command(live.user.id, sending=False)
        if wait is not None:
            self._refuse(id_, RateLimited(retry_after=wait))
            return
        self._spawn(self._handle(live, id_, signal))

    async def _handle(self, live: LiveConnection, id_: int, signal: Signal) -> None:
        try:
            answer = await self._services.ephemeral.handle(live, signal)
        except HubbubError as error:
            self._refuse(id_, error)
        except Exception as error:
            logger.exception("signal_failed", exc_info=error)
            self._send(wire.error(id_, Internal()))
        else:
            if not live.ended:
                self._send(wire.ok(id_, answer))

    def _enqueue_query(self, id_: int, query: EventsSince) -> None:
        """Queue a query.

        Queries are answered in order, at the pace of the client and of the limit of reads: no client
        that catches up is refused.
        """
        if self._queries is None:
            self._queries = deque([(id_, query)])
            self._spawn(self._answer(self._queries))
        elif len(self._queries) < MAX_QUERIES:
            self._queries.append((id_, query))
        else:
            self._refuse(id_, Busy("Too many queries are waiting. Try again later.", retry_after=1.0))

    async def _answer(self, queries: deque[tuple[int, EventsSince]]) -> None:
        live = self._live
        try:
            while queries and live is not None and not live.ended:
                if self._connection.buffered() > READ_FIRST:
                    await asyncio.sleep(PATIENCE)
                    continue
                try:
                    self._services.limits.read(live.user.id)
                except RateLimited as limited:
                    await asyncio.sleep(min(limited.retry_after or PATIENCE, 1.0))
                    continue
                id_, query = queries.popleft()
                try:
                    site = live.user.role is not Role.GUEST
                    answer = await self._services.read(sync.events_since, live.user.id, site, query)
                    frame = wire.ok(id_, answer)
                    self._services.limits.has_read(live.user.id, len(frame))
                    self._send(frame)
                except HubbubError as error:
                    self._send(wire.error(id_, error))
                except Exception as error:
                    logger.exception("query_failed", exc_info=error)
                    self._send(wire.error(id_, Internal()))
        finally:
            self._queries = None

    def _refuse(self, id_: int, error: HubbubError) -> None:
        self._do(self._session.charge(self._services.clock.monotonic(), [Send(wire.error(id_, error))]))

    def _send(self, frame: bytes) -> None:
        """Send in order with queued frames; directly if not in the fan-out."""
        connection = self._connection
        if self._live is not None and connection in self._services.fanout:
            self._services.fanout.send(connection, frame)
        else:
            connection.uncork(connection.format.pack([Message(frame)]))

    # --- the greeting --------------------------------------------------------------------------------------------

    async def _greet(self, hello: Hello) -> None:
        try:
            identity = await self._identify(hello.token)
            self._services.limits.hello(identity.id)
            attached = await self._services.hub.attach(self._connection, identity, epoch=hello.epoch, have=hello.have)
        except TooManyConnections as error:
            self._do(self._session.end(close_codes.TOO_MANY, error))
        except HubbubError as error:
            self._do(self._session.refused(error))
        except Exception as error:
            logger.exception("greeting_failed", exc_info=error)
            self._do(self._session.end(close_codes.INTERNAL, Internal()))
        else:
            first = [self._welcome(attached), *_missing(attached.snapshot.missing), *attached.gap]
            self._live = attached.live
            if attached.live.user.is_stale(self._services.clock.now()):
                self._services.touch(attached.live.user)
            self._connection.authenticated = True
            self._connection.uncork(self._connection.format.pack([Message(frame) for frame in first]))
            self._do(self._session.welcomed(self._services.clock.monotonic()))

    async def _identify(self, token: str | None) -> AuthenticatedUser:
        """Return the owner of the credentials of the handshake and of `hello`.

        Raises Unauthenticated.
        """
        given = (Credential("bearer", token),) if token is not None else ()
        return await self._services.identify((*self._credentials, *given))

    def _welcome(self, attached: Attached) -> bytes:
        services, snapshot = self._services, attached.snapshot
        settings = services.settings
        return wire.dumps(
            {
                "type": "welcome",
                "epoch": snapshot.epoch,
                "user": snapshot.user.model_dump(),
                "rooms": [room.model_dump(exclude_none=True) for room in snapshot.rooms],
                "heads": snapshot.heads,
                "limits": {
                    "body": text.MAX_BODY_BYTES,
                    "characters": text.MAX_BODY_CHARACTERS,
                    "frame": settings.frame_bytes,
                    "page": text.MAX_PAGE,
                    "name": names.MAX_ROOM_NAME,
                    "key": text.MAX_KEY,
                },
                "session": attached.live.user.session,
                "status": snapshot.status.model_dump(exclude_none=True),
            }
        )

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        if self._tasks is None:
            self._tasks = set()
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        if self._tasks is not None:
            self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("conversation_failed", exc_info=error)
            self._services.hub.detach(self._connection)
            self._connection.end(Disconnect.INTERNAL)


def _missing(topics: Sequence[MissingEvents]) -> list[bytes]:
    """Return the frames with the events missing from `have`.

    Each topic gets its events, `more` or `reset`.
    """
    frames: list[bytes] = []
    for missing in topics:
        if missing.page is None:
            bounds = {} if missing.head is None else {"head": missing.head, "floor": missing.floor}
            frames.append(wire.dumps({"type": "reset", "topic": missing.topic, **bounds}))
            continue
        frames += missing.page.texts
        if not missing.page.complete:
            frames.append(wire.dumps({"type": "more", "topic": missing.topic, "head": missing.head}))
    return frames
