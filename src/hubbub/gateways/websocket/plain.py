"""The plain-text gateway, `/ws/{name}?room=`: any WebSocket tool can chat. Lines in, lines out, the ordinary ASGI way.

What a line means and how it reads is in protocol/lines.py; who follows what is decided where it is for everybody.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from uuid import uuid4

import structlog
from pydantic import ValidationError
from starlette.types import Message as Event
from starlette.websockets import WebSocket, WebSocketDisconnect

from hubbub.domain import names
from hubbub.domain.commands import CloseGuest, OpenGuest
from hubbub.domain.errors import Conflict, HubbubError, NotFound, RateLimited, Unauthenticated
from hubbub.domain.model import ANYBODY, SYSTEM, Role
from hubbub.domain.text import MAX_QUERY
from hubbub.engine.external_auth import ExternalAuth
from hubbub.engine.live_connections import Attached, LiveConnection, TooManyConnections
from hubbub.engine.ports import Blob, Message
from hubbub.engine.services import Services
from hubbub.features import sessions
from hubbub.features.sessions import AuthenticatedUser
from hubbub.gateways.websocket import handshake, scope
from hubbub.gateways.websocket.reject import reject
from hubbub.gateways.websocket.starlette_sockets import QueuedWebSocket
from hubbub.protocol import close_codes, headers, plain_text, validation
from hubbub.protocol.tokens import Credential

FAREWELL = 2.0
# The tutorial's page, opened from a disk, has the Origin `null`; a tool has none.
NO_PAGE = (None, "null")
logger = structlog.get_logger(__name__)


class EncodedLine:
    """One line as ASGI sends it; its length is what it counts in an outbox. Empty for what is not spoken of."""

    __slots__ = ("_size", "text")

    def __init__(self, message: Message) -> None:
        self.text = plain_text.render(message.text)
        self._size = len(self.text.encode()) if self.text is not None else 0

    def __len__(self) -> int:
        return self._size

    def event(self) -> Event:
        return {"type": "websocket.send", "text": self.text}


def pack(messages: Sequence[Message]) -> Blob:
    """Events and notices as lines, rendered once for everybody."""
    return [line for message in messages if (line := message.encoded(EncodedLine)).text is not None]


class PlainConnection(QueuedWebSocket):
    """A Starlette WebSocket that hears lines."""

    __slots__ = ()
    pack = staticmethod(pack)


class NameTaken(Conflict):
    """The name cannot be had by whoever asks."""


class PlainText:
    """All plain-text connections of one server; `serve` is the endpoint of the route `/ws/{name}`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._presence = plain_text.Presence()
        self._open = 0
        services.metrics.connections.labels(state="plain").set_function(lambda: self._open)

    async def serve(self, socket: WebSocket) -> None:
        """One connection, from the handshake to its end."""
        full = self._open >= self._services.settings.connections_limit
        admitted = handshake.FULL if full else self._admit(socket)
        if isinstance(admitted, handshake.Rejection):
            await reject(socket, admitted)
            return
        await socket.receive()  # `websocket.connect`; what is received after it goes through the connection
        self._open += 1
        connection = PlainConnection(
            socket, self._services.settings.outbox_bytes, lambda: self._services.hub.detach(connection)
        )
        connection.cork()
        code: int | None = None
        try:
            code = await self._converse(socket, connection, admitted.credentials)
        except WebSocketDisconnect as gone:
            code = gone.code
        finally:
            self._open -= 1
            self._services.hub.detach(connection)
            self._services.metrics.disconnected(code)

    def _admit(self, socket: WebSocket) -> handshake.Admitted | handshake.Rejection:
        """Cookies count with a listed Origin only; without a credential a page must be of a listed Origin, too."""
        settings, host = self._services.settings, self._services.external_auth
        origin = socket.headers.get("origin")
        given = socket.scope["headers"]
        if host is not None:
            # Whatever the app goes by: a page could make its visitors speak as guests, so pages have to be listed.
            return handshake.admit_hosted(given, settings, ambient=not self._comes_as_guest(socket))
        if settings.guests and origin in NO_PAGE:
            given = [pair for pair in given if pair[0] != b"cookie"]
        secure = scope.is_secure(socket, settings.trusted_proxies)
        admitted = handshake.admit(given, settings, secure=secure)
        if isinstance(admitted, handshake.Admitted) and not admitted.credentials and origin not in NO_PAGE:
            problem = handshake.origin_problem(origin, socket.headers.get("host"), settings)
            if problem is not None:
                return handshake.Rejection(403, problem)
        return admitted

    def _comes_as_guest(self, socket: WebSocket) -> bool:
        """From no page, and without a token: what browsers send unasked does not count, so the app is not asked."""
        origin, bearer = socket.headers.get("origin"), headers.bearer(socket.scope["headers"])
        return self._services.settings.guests and origin in NO_PAGE and not bearer

    # --- one conversation ----------------------------------------------------------------------------------------

    async def _converse(self, socket: WebSocket, connection: PlainConnection, credentials: Sequence[Credential]) -> int:
        """From the greeting to the end; returns the code the connection ended with.

        Raises WebSocketDisconnect if the client is gone before the handshake is answered.
        """
        guest: AuthenticatedUser | None = None
        try:
            try:
                room = plain_text.room_of(_room(socket))
                identity = await self._identify(socket, credentials)
                guest = identity if identity.role is Role.GUEST else None
                attached = await self._services.hub.attach(connection, identity, only_room=room)
            except HubbubError as error:
                await _answer(socket)
                code = await _turn_away(connection, error)
            else:
                code = await self._talk(socket, connection, attached, room)
            await _say_why(socket, connection)
            return code
        finally:
            if guest is not None:
                await self._close_guest(guest)

    async def _talk(self, socket: WebSocket, connection: PlainConnection, attached: Attached, room: int) -> int:
        """Answers the handshake once the connection is subscribed: the client hears every line that follows it.

        Until then lines wait in the corked connection.
        """
        live, registry, topic = attached.live, self._services.fanout, f"lines:{room}"
        registry.join(connection, topic)
        visible = self._services.hub.presences.is_visible(live.user.id)
        if self._presence.enter(room, live.user.id, visible=visible):
            registry.broadcast(plain_text.notice(plain_text.joined(live.user.name)), topic)
        elif not visible:  # to oneself alone
            registry.send(connection, plain_text.notice(plain_text.joined(live.user.name)))
        try:
            await _answer(socket)
            connection.uncork(pack([Message(text.encode()) for text in attached.gap]))
            return await self._listen(socket, connection, live, room)
        finally:
            self._services.hub.detach(connection)
            if self._presence.leave(room, live.user.id):
                registry.broadcast(plain_text.notice(plain_text.left(live.user.name)), topic)

    async def _listen(self, socket: WebSocket, connection: PlainConnection, live: LiveConnection, room: int) -> int:
        """Line after line, each stored before the next is read: whoever writes faster waits."""
        while True:
            event = await socket.receive()
            if event["type"] == "websocket.disconnect":
                return int(event.get("code") or 1005)
            if live.ended:
                return close_codes.SESSION_ENDED
            line = event.get("text")
            if isinstance(line, str) and len(line) > self._services.settings.frame_bytes:
                connection.close(close_codes.TOO_BIG, "too big")
                await connection.settled()
                return close_codes.TOO_BIG
            try:
                await self._say(live, line if line is not None else event.get("bytes"), room, connection)
            except HubbubError as error:
                self._services.fanout.send(connection, plain_text.notice(plain_text.refusal(error)))

    async def _say(
        self, live: LiveConnection, line: str | bytes | None, room: int, connection: PlainConnection
    ) -> None:
        wait = self._services.limits.command(live.user.id, sending=True)
        if wait is not None:
            raise RateLimited(retry_after=wait)
        try:
            command = plain_text.command(line, room, uuid4().hex)
        except ValidationError as error:
            raise validation.refuse(error) from None
        await self._services.journal.submit(command, live.actor, connection)

    # --- who it is -----------------------------------------------------------------------------------------------

    async def _identify(self, socket: WebSocket, credentials: Sequence[Credential]) -> AuthenticatedUser:
        """The person under this name. Raises NameTaken, Unauthenticated and what the store raises."""
        services = self._services
        name = plain_text.name_of(socket.path_params["name"])
        if services.external_auth is not None:
            identity = await self._identify_hosted(socket, services.external_auth)
            if identity is not None and not names.look_alike(name, identity.name):
                raise NameTaken("That is not your name.")
            if identity is not None:
                return identity
        elif credentials:
            identity = await services.identify(credentials)
            if names.look_alike(name, identity.name):
                return identity
            if any(credential.kind == "bearer" for credential in credentials) or not services.settings.guests:
                raise NameTaken("That is not your name.")
        if not services.settings.guests:
            raise Unauthenticated("Guests are not let in here: log in first.")
        return await self._open_guest(name, scope.address(socket, services.settings.trusted_proxies))

    async def _identify_hosted(self, socket: WebSocket, host: ExternalAuth) -> AuthenticatedUser | None:
        """Whoever the app around this one says; nobody may be a guest where guests are let in."""
        if self._comes_as_guest(socket):
            return None
        try:
            return await host.identify(socket.scope)
        except Unauthenticated:
            if not self._services.settings.guests:
                raise
            return None

    async def _open_guest(self, name: str, address: str) -> AuthenticatedUser:
        services = self._services
        services.limits.attempt(address)
        try:
            command = OpenGuest(username=name)
        except ValidationError as error:
            raise NameTaken(validation.refuse(error).message) from None
        try:
            receipt = await services.journal.submit(command, ANYBODY)
        except Conflict as error:
            raise NameTaken(error.message) from None
        made = receipt.answer["user"]
        assert isinstance(made, dict)
        return sessions.guest(made["id"], made["name"])

    async def _close_guest(self, guest: AuthenticatedUser) -> None:
        try:
            await self._services.journal.submit(CloseGuest(user=guest.id), SYSTEM)
        except HubbubError as error:  # the next start closes whoever is left over
            logger.warning("guest_not_closed", code=error.code)


def _room(socket: WebSocket) -> str | None:
    """What `?room=` says. Raises NotFound where the query is longer than one that names a room."""
    if len(socket.scope["query_string"]) > MAX_QUERY:
        raise NotFound("There is no such room.")
    found: str | None = socket.query_params.get("room")
    return found


async def _answer(socket: WebSocket) -> None:
    """Completes the handshake. Raises WebSocketDisconnect if the client has gone meanwhile."""
    try:
        await socket.accept()
    except OSError as error:
        raise WebSocketDisconnect(1006) from error


async def _say_why(socket: WebSocket, connection: PlainConnection) -> None:
    """Sends the Close of a connection that the server has ended, as far as the peer still takes it."""
    if connection.ended is not None:
        with suppress(Exception):
            async with asyncio.timeout(FAREWELL):
                await socket.close(connection.ended.code, connection.ended.reason)


async def _turn_away(connection: PlainConnection, error: HubbubError) -> int:
    """One line that says why, then the end."""
    if isinstance(error, NameTaken):
        code, reason = close_codes.NAME_TAKEN, "name taken"
    elif isinstance(error, TooManyConnections):
        code, reason = close_codes.TOO_MANY, "too many connections"
    elif error.retryable:
        code, reason = close_codes.GOING_AWAY, close_codes.come_back(error.retry_after or 1.0)
    elif isinstance(error, NotFound):
        code, reason = close_codes.NOT_AUTHENTICATED, "no such room"
    else:
        code, reason = close_codes.NOT_AUTHENTICATED, "not authenticated"
    connection.uncork(pack([Message(plain_text.notice(plain_text.refusal(error)))]))
    connection.close(code, reason)
    with suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL):
            await connection.settled()
    return code
