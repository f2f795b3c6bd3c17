"""The glue both WebSocket gateways share: carries out what the session asks for. Decides nothing about chat."""

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence

import structlog

from hubbub.domain import names, text
from hubbub.domain.commands import Command, EventsSince, Signal
from hubbub.domain.errors import Busy, HubbubError, Internal, RateLimited
from hubbub.domain.model import Role
from hubbub.engine.batch import Receipt
from hubbub.engine.live_connections import Attached, LiveConnection, TooManyConnections
from hubbub.engine.ports import Connection, Message
from hubbub.engine.services import Services
from hubbub.features import sync
from hubbub.features.sessions import AuthenticatedUser
from hubbub.features.sync import MissingEvents
from hubbub.protocol import close_codes, wire
from hubbub.protocol.session import Authenticate, Close, Effect, Execute, HandleSignal, Hello, Query, Send, Session
from hubbub.protocol.tokens import Credential

MAX_ASKED = 2_000
READ_FIRST = 256 * 1024
"""Bytes that may wait for a reader before the next page is read for him; looked at again every PATIENCE seconds."""
PATIENCE = 0.02
logger = structlog.get_logger(__name__)


class Pump:
    """One connection's traffic. The gateway calls `received` with each text message, and `lost` at the end."""

    __slots__ = ("_asked", "_connection", "_credentials", "_live", "_peer", "_services", "_session", "_tasks")

    def __init__(
        self, services: Services, connection: Connection, credentials: Sequence[Credential], peer: str
    ) -> None:
        self._services = services
        self._connection = connection
        self._credentials = credentials
        self._peer = peer
        self._session = Session(limited=services.limits.enabled)
        self._live: LiveConnection | None = None
        self._asked: deque[tuple[int, EventsSince]] | None = None
        self._tasks: set[asyncio.Task[None]] | None = None

    def opened(self) -> None:
        """The handshake is done. Until the greeting is, events wait behind `welcome`."""
        self._connection.cork()

    def received(self, message: str | bytes) -> None:
        """One complete text message."""
        self._do(self._session.receive(message, self._services.clock.monotonic()))

    def lost(self) -> None:
        """The connection is gone; harmless when repeated."""
        self._services.hub.detach(self._connection)
        for task in self._tasks or ():
            task.cancel()

    def _do(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Execute(id_, command):
                    self._run(id_, command)
                case Send(said):
                    self._say(said)
                case Query(id_, query):
                    self._ask(id_, query)
                case HandleSignal(id_, signal):
                    self._sign(id_, signal)
                case Authenticate(hello):
                    self._spawn(self._greet(hello))
                case Close(code, reason):
                    if self._connection in self._services.fanout:
                        self._services.fanout.flush_now(self._connection)  # the last word is said first
                    self._services.hub.detach(self._connection)
                    self._connection.close(code, reason)

    # --- commands and queries ------------------------------------------------------------------------------------

    def _run(self, id_: int, command: Command) -> None:
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
                said = wire.error(id_, result) if isinstance(result, HubbubError) else wire.ok(id_, result.answer)
                services.fanout.send(self._connection, said)

        services.journal.enqueue(command, live.actor, reply, self)

    def _sign(self, id_: int, signal: Signal) -> None:
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
            self._say(wire.error(id_, Internal()))
        else:
            if not live.ended:
                self._say(wire.ok(id_, answer))

    def _ask(self, id_: int, query: EventsSince) -> None:
        """Catching up is not limited in time: questions are answered one after the other, at the reader's pace."""
        if self._asked is None:
            self._asked = deque([(id_, query)])
            self._spawn(self._answer(self._asked))
        elif len(self._asked) < MAX_ASKED:
            self._asked.append((id_, query))
        else:
            self._refuse(id_, Busy("Too many questions at once.", retry_after=1.0))

    async def _answer(self, asked: deque[tuple[int, EventsSince]]) -> None:
        live = self._live
        try:
            while asked and live is not None and not live.ended:
                if self._connection.buffered() > READ_FIRST:
                    await asyncio.sleep(PATIENCE)
                    continue
                id_, query = asked.popleft()
                try:
                    site = live.user.role is not Role.GUEST
                    answer = await self._services.read(sync.events_since, live.user.id, site, query)
                    self._say(wire.ok(id_, answer))
                except HubbubError as error:
                    self._say(wire.error(id_, error))
                except Exception as error:
                    logger.exception("query_failed", exc_info=error)
                    self._say(wire.error(id_, Internal()))
        finally:
            self._asked = None

    def _refuse(self, id_: int, error: HubbubError) -> None:
        self._do(self._session.charge(self._services.clock.monotonic(), [Send(wire.error(id_, error))]))

    def _say(self, said: bytes) -> None:
        """In its place among what the connection is owed; directly where nobody follows anything yet or any more."""
        connection = self._connection
        if self._live is not None and connection in self._services.fanout:
            self._services.fanout.send(connection, said)
        else:
            connection.uncork(type(connection).pack([Message(said)]))

    # --- the greeting --------------------------------------------------------------------------------------------

    async def _greet(self, hello: Hello) -> None:
        try:
            identity = await self._identify(hello.token)
            attached = await self._services.hub.attach(self._connection, identity, epoch=hello.epoch, have=hello.have)
        except TooManyConnections as error:
            self._do(self._session.end(close_codes.TOO_MANY, error))
        except HubbubError as error:
            self._do(self._session.refused(error))
        except Exception as error:
            logger.exception("greeting_failed", exc_info=error)
            self._do(self._session.end(close_codes.INTERNAL, Internal()))
        else:
            first = [self._welcome(attached), *_missing(attached.snapshot.missing), *wire.events(attached.gap)]
            self._live = attached.live
            if attached.live.user.is_stale(self._services.clock.now()):
                self._services.touch(attached.live.user)
            self._connection.authenticated = True
            self._connection.uncork(type(self._connection).pack([Message(said) for said in first]))
            self._do(self._session.welcomed(self._services.clock.monotonic()))

    async def _identify(self, token: str | None) -> AuthenticatedUser:
        """Whose the credentials of the handshake and of `hello` are. Raises Unauthenticated."""
        shown = (Credential("bearer", token),) if token is not None else ()
        return await self._services.identify((*self._credentials, *shown))

    def _welcome(self, attached: Attached) -> bytes:
        services, snapshot = self._services, attached.snapshot
        settings = services.settings
        return wire.dumps(
            {
                "type": "welcome",
                "epoch": services.epoch,
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
            self._connection.abort(close_codes.INTERNAL)


def _missing(topics: Sequence[MissingEvents]) -> list[bytes]:
    """What `have` lacks, topic by topic, and what to do where that is not all."""
    said: list[bytes] = []
    for missing in topics:
        if missing.page is None:
            place = {} if missing.head is None else {"head": missing.head, "floor": missing.floor}
            said.append(wire.dumps({"type": "reset", "topic": missing.topic, **place}))
            continue
        said += wire.events(missing.page.texts)
        if not missing.page.complete:
            said.append(wire.dumps({"type": "more", "topic": missing.topic, "head": missing.head}))
    return said
