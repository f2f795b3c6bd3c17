"""The plain-text gateway, `/ws/{name}?room=`, for any WebSocket tool.

It exchanges lines of text, through plain ASGI.

protocol/plain_text.py defines the lines. The hub decides who may follow what, as for all gateways.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar
from uuid import uuid4

import structlog
from pydantic import ValidationError
from starlette.types import Message as Event
from starlette.websockets import WebSocket, WebSocketDisconnect

from hubbub.delivery.connections import Blob, Format, Message
from hubbub.domain import names
from hubbub.domain.commands import CloseGuest, OpenGuest
from hubbub.domain.errors import Conflict, HubbubError, NotFound, RateLimited, Unauthenticated
from hubbub.domain.model import ANYBODY, SYSTEM, Role, room_topic
from hubbub.domain.text import MAX_QUERY
from hubbub.engine.external_auth import ExternalAuth
from hubbub.engine.live_connections import Attached, LiveConnection, TooManyConnections
from hubbub.engine.services import Services
from hubbub.features import sessions
from hubbub.features.sessions import AuthenticatedUser
from hubbub.gateways.websocket import handshake, scope
from hubbub.gateways.websocket.reject import reject
from hubbub.gateways.websocket.starlette_sockets import QueuedWebSocket
from hubbub.protocol import close_codes, headers, plain_text, validation
from hubbub.protocol.headers import network
from hubbub.protocol.plain_text import Notice
from hubbub.protocol.tokens import Credential

if TYPE_CHECKING:
    from hubbub.engine.soft_table import SoftTable, Value

FAREWELL = 2.0
GUESTS_PER_NETWORK = 20
"""Guests of one network on one node. One network must not take all places, nor all names."""
NULL_ORIGIN = "null"
"""The Origin of the tutorial's page, opened as a local file, and of a sandboxed frame on any page."""
NOT_YOUR_NAME = "The name in the address is not the name of your account."
logger = structlog.get_logger(__name__)


class EncodedLine:
    """A line as an ASGI event.

    Its length counts in an outbox. Empty for events that plain text does not show.
    """

    __slots__ = ("_size", "text")

    def __init__(self, message: Message) -> None:
        self.text = plain_text.render(message.event)
        self._size = len(self.text.encode()) if self.text is not None else 0

    def __len__(self) -> int:
        return self._size

    def event(self) -> Event:
        return {"type": "websocket.send", "text": self.text}


class LineFormat:
    """Events and notices as lines."""

    def pack(self, messages: Sequence[Message]) -> Blob:
        """Return the lines, rendered once for all recipients."""
        return [line for message in messages if (line := message.encoded(EncodedLine)).text is not None]


LINES = LineFormat()


class PlainConnection(QueuedWebSocket):
    """A Starlette WebSocket that receives lines."""

    __slots__ = ()
    format: ClassVar[Format] = LINES


class NameTaken(Conflict):
    """The client cannot use the name."""


class PlainText:
    """All plain-text connections of one server.

    `serve` is the endpoint of the route `/ws/{name}`.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._presence = plain_text.Presence()
        self._elsewhere: dict[tuple[str, int], tuple[str, frozenset[int]]] = {}
        self._table: SoftTable | None = None
        if services.site_presence is not None:
            self._table = services.site_presence.state.table("plain", self._changed)
        self._open = 0
        self._guests: Counter[str] = Counter()
        """The guests of this node, by network."""
        services.metrics.connections.labels(state="plain").set_function(lambda: self._open)

    async def serve(self, socket: WebSocket) -> None:
        """Serve one connection from the handshake to its end."""
        full = self._open >= self._services.settings.connections_limit
        admitted = handshake.FULL if full else self._admit(socket)
        if isinstance(admitted, handshake.Rejection):
            await reject(socket, admitted)
            return
        await socket.receive()  # `websocket.connect`; later events go through the connection
        self._open += 1
        connection = PlainConnection(
            socket, self._services.settings.outbox_bytes, lambda: self._services.hub.detach(connection)
        )
        connection.cork()
        code: int | None = None
        try:
            code = await self._converse(socket, connection, admitted.credentials)
        except WebSocketDisconnect as end:
            code = end.code
        finally:
            self._open -= 1
            self._services.hub.detach(connection)
            self._services.metrics.disconnected(code)

    def _admit(self, socket: WebSocket) -> handshake.Admitted | handshake.Rejection:
        """Admit the handshake. Cookies and anonymous pages both need a listed Origin."""
        settings, host = self._services.settings, self._services.external_auth
        origin = socket.headers.get("origin")
        given = socket.scope["headers"]
        if host is not None:
            # A page could make its visitors post as guests, whatever credentials the host uses:
            # pages must be listed.
            return handshake.admit_hosted(given, settings, ambient=not self._comes_as_guest(socket))
        if self._services.site.guests and self._is_no_page(origin):
            given = [pair for pair in given if pair[0] != b"cookie"]
        secure = scope.is_secure(socket, settings.trusted_proxies)
        admitted = handshake.admit(given, settings, secure=secure)
        if isinstance(admitted, handshake.Admitted) and not admitted.credentials and not self._is_no_page(origin):
            problem = handshake.origin_problem(origin, socket.headers.get("host"), settings)
            if problem is not None:
                return handshake.Rejection(403, problem)
        return admitted

    def _comes_as_guest(self, socket: WebSocket) -> bool:
        """Return True without page and token.

        Credentials that browsers attach do not count, so skip the host.
        """
        origin, bearer = socket.headers.get("origin"), headers.bearer(socket.scope["headers"])
        return self._services.site.guests and self._is_no_page(origin) and not bearer

    def _is_no_page(self, origin: str | None) -> bool:
        """Return True for the Origin of programs, and of local files if the settings allow them."""
        return origin is None or (origin == NULL_ORIGIN and self._services.settings.guests_from_files)

    # --- one conversation ----------------------------------------------------------------------------------------

    async def _converse(self, socket: WebSocket, connection: PlainConnection, credentials: Sequence[Credential]) -> int:
        """Run the conversation. Return the close code.

        Raises WebSocketDisconnect if the client leaves before the handshake is answered.
        """
        guest: AuthenticatedUser | None = None
        place = network(scope.address(socket, self._services.settings.trusted_proxies))
        try:
            try:
                room = plain_text.room_of(_room(socket))
                identity = await self._identify(socket, credentials, place)
                guest = identity if identity.role is Role.GUEST else None
                self._services.limits.hello(identity.id)
                attached = await self._services.hub.attach(connection, identity, only_topic=room_topic(room))
            except HubbubError as error:
                await _accept(socket)
                code = await _close_with_error(connection, error)
            else:
                code = await self._talk(socket, connection, attached, room, place)
            await _send_close(socket, connection)
            return code
        finally:
            if guest is not None:
                self._leave_place(place)
                await self._close_guest(guest)

    async def _talk(
        self, socket: WebSocket, connection: PlainConnection, attached: Attached, room: int, place: str
    ) -> int:
        """Answer the handshake once the connection is subscribed.

        So the client gets every later line.

        Until then lines wait in the corked connection.
        """
        live, fanout, topic = attached.live, self._services.fanout, f"lines:{room}"
        fanout.join(connection, topic)
        visible = self._services.hub.presences.is_visible(live.user.id)
        if self._presence.enter(room, live.user.id, visible=visible):
            fanout.broadcast(b"", topic, Notice(plain_text.joined(live.user.name)))
        elif not visible:  # an invisible user sees their own arrival only
            fanout.send(connection, b"", Notice(plain_text.joined(live.user.name)))
        self._tell(live.user)
        try:
            await _accept(socket)
            connection.uncork(LINES.pack(_missed(attached.gap)))
            return await self._listen(socket, connection, live, room, place)
        finally:
            self._services.hub.detach(connection)
            if self._presence.leave(room, live.user.id):
                fanout.broadcast(b"", topic, Notice(plain_text.left(live.user.name)))
            self._tell(live.user)

    async def _listen(
        self, socket: WebSocket, connection: PlainConnection, live: LiveConnection, room: int, place: str
    ) -> int:
        """Handle lines one by one, each stored before the next is read.

        A fast client has to wait.
        """
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
                if live.user.role is Role.GUEST:
                    self._services.limits.guest_sends(place)
                await self._execute(live, line if line is not None else event.get("bytes"), room, connection)
            except HubbubError as error:
                self._services.fanout.send(connection, b"", Notice(plain_text.refusal(error)))

    async def _execute(
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

    # --- the other nodes -----------------------------------------------------------------------------------------

    def _tell(self, user: AuthenticatedUser) -> None:
        """Tell the other nodes in which rooms the user was announced, before the user's first message."""
        if self._table is None:
            return
        rooms = self._presence.rooms_here(user.id)
        self._table.set(user.id, [user.name, rooms] if rooms else None)
        self._table.flush()

    def _changed(self, node: str, user: int, value: "Value | None") -> None:
        """Announce the users of another node."""
        name, before = self._elsewhere.get((node, user), ("", frozenset()))
        now = frozenset[int]()
        if value is None:
            self._elsewhere.pop((node, user), None)
        else:
            name, now = str(value[0]), frozenset(map(int, value[1]))
            self._elsewhere[node, user] = name, now
        for room in now - before:
            if self._presence.enter_elsewhere(room, user, node):
                self._services.fanout.broadcast(b"", f"lines:{room}", Notice(plain_text.joined(name)))
        for room in before - now:
            if self._presence.leave_elsewhere(room, user, node):
                self._services.fanout.broadcast(b"", f"lines:{room}", Notice(plain_text.left(name)))

    # --- identification ------------------------------------------------------------------------------------------

    async def _identify(self, socket: WebSocket, credentials: Sequence[Credential], place: str) -> AuthenticatedUser:
        """Return the user with this name.

        Raises NameTaken, Unauthenticated and what the store raises.
        """
        services = self._services
        name = plain_text.name_of(socket.path_params["name"])
        if services.external_auth is not None:
            identity = await self._identify_hosted(socket, services.external_auth)
            if identity is not None and not names.look_alike(name, identity.name):
                raise NameTaken(NOT_YOUR_NAME)
            if identity is not None:
                return identity
        elif credentials:
            identity = await services.identify(credentials)
            if names.look_alike(name, identity.name):
                return identity
            if any(credential.kind == "bearer" for credential in credentials) or not services.site.guests:
                raise NameTaken(NOT_YOUR_NAME)
        if not services.site.guests:
            raise Unauthenticated("Guests are not allowed on this server. Log in first.")
        return await self._open_guest(name, place)

    async def _identify_hosted(self, socket: WebSocket, host: ExternalAuth) -> AuthenticatedUser | None:
        """Return the host application's user; None for a guest, where guests are allowed."""
        if self._comes_as_guest(socket):
            return None
        try:
            return await host.identify(socket.scope)
        except Unauthenticated:
            if not self._services.site.guests:
                raise
            return None

    async def _open_guest(self, name: str, place: str) -> AuthenticatedUser:
        """Open a guest's account. The caller gives the guest's place back when the guest leaves."""
        services = self._services
        services.limits.attempt(place)
        try:
            command = OpenGuest(username=name)
        except ValidationError as error:
            raise NameTaken(validation.refuse(error).message) from None
        if services.limits.enabled and self._guests[place] >= GUESTS_PER_NETWORK:
            raise RateLimited("Too many guests from your network. Log in, or try again later.", retry_after=60.0)
        self._guests[place] += 1
        try:
            receipt = await services.journal.submit(command, ANYBODY)
        except BaseException as error:
            self._leave_place(place)
            if isinstance(error, Conflict):
                raise NameTaken(error.message) from None
            raise
        made = receipt.answer["user"]
        return sessions.guest(made.id, made.name)

    def _leave_place(self, place: str) -> None:
        self._guests[place] -= 1
        if not self._guests[place]:
            del self._guests[place]

    async def _close_guest(self, guest: AuthenticatedUser) -> None:
        try:
            await self._services.journal.submit(CloseGuest(user=guest.id), SYSTEM)
        except HubbubError as error:  # the next start closes guests that are left over
            logger.warning("guest_not_closed", code=error.code)


def _missed(entries: Sequence[bytes]) -> list[Message]:
    """Return the lines of stored entries."""
    lines = (plain_text.render_stored(entry) for entry in entries)
    return [Message(b"", event=Notice(line)) for line in lines if line is not None]


def _room(socket: WebSocket) -> str | None:
    """Return the `room` parameter.

    Raises NotFound if the query is longer than any that names a room.
    """
    if len(socket.scope["query_string"]) > MAX_QUERY:
        raise NotFound("There is no such room.")
    found: str | None = socket.query_params.get("room")
    return found


async def _accept(socket: WebSocket) -> None:
    """Complete the handshake. Raises WebSocketDisconnect if the client has left."""
    try:
        await socket.accept()
    except OSError as error:
        raise WebSocketDisconnect(1006) from error


async def _send_close(socket: WebSocket, connection: PlainConnection) -> None:
    """Send the Close frame of a connection that the server has ended."""
    if connection.ended is not None:
        with suppress(Exception):
            async with asyncio.timeout(FAREWELL):
                await socket.close(connection.ended.code, connection.ended.reason)


async def _close_with_error(connection: PlainConnection, error: HubbubError) -> int:
    """Send one line with the reason and close. Return the close code."""
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
    connection.uncork(LINES.pack([Message(b"", event=Notice(plain_text.refusal(error)))]))
    connection.close(code, reason)
    with suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL):
            await connection.settled()
    return code
