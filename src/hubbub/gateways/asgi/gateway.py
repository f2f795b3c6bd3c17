"""The ASGI gateway: the native gateway's session on any ASGI server.

It uses Starlette's `WebSocket`.

Only the ASGI server can do some things: protocol pings, limits on frames before they are in memory,
on the number of fragments, and on the duration of a handshake. The limits that the ASGI server
lacks are enforced here.
"""

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from hubbub.delivery.connections import Blob
from hubbub.engine import reconnects
from hubbub.engine.external_auth import ExternalAuth
from hubbub.engine.services import Services
from hubbub.features.sessions import AuthenticatedUser
from hubbub.gateways.websocket import handshake, scope
from hubbub.gateways.websocket.admission import Slot
from hubbub.gateways.websocket.connection import Conversation
from hubbub.gateways.websocket.connection_set import ConnectionSet
from hubbub.gateways.websocket.outbox import CUT_OFF, FAREWELL
from hubbub.gateways.websocket.pump import Pump
from hubbub.gateways.websocket.reject import reject
from hubbub.gateways.websocket.starlette_sockets import QueuedWebSocket
from hubbub.protocol import close_codes
from hubbub.protocol.headers import network
from hubbub.protocol.tokens import Credential

QUIET = 90.0
"""Seconds without traffic in both directions after which a client counts as gone.

Clients ping after 25 s.
"""
TURN = 16
"""Messages handled for one connection before the event loop runs other tasks."""
logger = structlog.get_logger(__name__)


class AsgiConnection(QueuedWebSocket):
    """One WebSocket.

    The fanout writes to it, its endpoint reads from it, and the timer wheel enforces deadlines.
    """

    __slots__ = ("_active", "_authenticated", "_connections", "_deadline", "_slot", "address", "code", "spoke")

    def __init__(
        self, connections: "ConnectionSet[AsgiConnection]", socket: WebSocket, slot: Slot, address: str
    ) -> None:
        self._connections = connections
        self._authenticated = False
        self._slot: Slot | None = slot
        self.address = address
        self.code: int | None = None
        """The close code, after the end."""
        self.spoke = -1
        now = connections.services.clock.monotonic()
        self._active = now
        self._deadline = now + connections.hello_timeout
        super().__init__(socket, connections.services.settings.outbox_bytes, _ignore_end)
        connections.add(self)
        connections.wheel.put(self, self._deadline - now)

    @property
    def authenticated(self) -> bool:
        """Set by the conversation after log-in. An authenticated connection holds no slot."""
        return self._authenticated

    @authenticated.setter
    def authenticated(self, value: bool) -> None:
        if value and not self._authenticated:
            self._release_slot()
        self._authenticated = value or self._authenticated

    @property
    def ending(self) -> bool:
        """True if incoming messages are ignored because the connection is closing."""
        return self._closing

    def record_message(self) -> None:
        """Record that a message arrived.

        The first message is `hello`, and ends its deadline.
        """
        self._active = self._connections.wheel.now
        if not self._authenticated and not self._closing:
            self._deadline = math.inf
            if self._slot is not None:
                self._connections.admission.set_busy(self._slot)

    def write(self, blob: Blob) -> None:
        self._active = self._connections.wheel.now
        super().write(blob)

    def close(self, code: int, reason: str = "") -> None:
        if not self._closing:
            self.code = self.code or code
            self._deadline = self._connections.services.clock.monotonic() + FAREWELL
            self._connections.wheel.put(self, FAREWELL)
            if self._slot is not None:
                self._connections.admission.set_idle(self._slot)
        super().close(code, reason)

    def abort(self, code: int, reason: str = "") -> None:
        self.code = self.code or code
        super().abort(code, reason)

    def evict(self) -> None:
        """End the connection for a newcomer.

        The client is told to reconnect, unless it was already rejected.
        """
        self._slot = None
        self._connections.services.metrics.connections_evicted.labels(kind="websocket").inc()
        self.abort(close_codes.GOING_AWAY, close_codes.come_back(reconnects.delay()))

    def _release_slot(self) -> None:
        slot, self._slot = self._slot, None
        if slot is not None:
            self._connections.admission.release(slot)

    def visit(self, now: float) -> float | None:
        """Enforce the deadlines, and close after silence. Called by the wheel."""
        if now >= self._deadline:
            if self._closing:
                self.abort(self.code or 1006)
                return None
            self.close(close_codes.NOT_AUTHENTICATED, "no hello in time")
            return None
        if now - self._active >= QUIET and not self._closing:
            self.close(close_codes.GOING_AWAY, close_codes.come_back(1.0))
            return None
        return min(self._deadline, self._active + QUIET) - now

    def leave(self) -> None:
        """Clean up after the endpoint has ended."""
        self._connections.discard(self)
        self._connections.wheel.remove(self)
        self._release_slot()
        self.abort(1006)


class HostedPump(Pump):
    """A conversation whose user the host application authenticates.

    It gets the handshake, with `hello`'s token if there is one.
    """

    __slots__ = ("_host", "_scope")

    def __init__(self, services: Services, connection: AsgiConnection, host: ExternalAuth, socket: WebSocket) -> None:
        super().__init__(services, connection, (), connection.address)
        self._host = host
        self._scope = socket.scope

    async def _identify(self, token: str | None) -> AuthenticatedUser:
        if token is None:
            return await self._host.identify(self._scope)
        given = handshake.with_token(self._scope["headers"], token)
        return await self._host.identify({**self._scope, "headers": given})


class AsgiGateway:
    """All WebSocket connections of one server.

    `serve` is the endpoint of the route `/ws`.
    """

    def __init__(self, services: Services) -> None:
        self.services = services
        self.connections: ConnectionSet[AsgiConnection] = ConnectionSet(services, state="asgi")

    async def serve(self, socket: WebSocket) -> None:
        """Serve one connection from the handshake to its end."""
        address = scope.address(socket, self.services.settings.trusted_proxies)
        admitted = self._admit(socket)
        if isinstance(admitted, handshake.Rejection):
            await self._reject(socket, admitted)
            return
        slot = self.connections.admission.try_acquire(network(address), lambda: connection.evict())
        if slot is None:
            retry_after = math.ceil(self.services.settings.hello_timeout)
            crowded = handshake.Rejection(429, handshake.CROWDED, retry_after)
            await self._reject(socket, crowded)
            return
        connection = AsgiConnection(self.connections, socket, slot, address)
        conversation = self._converse(connection, admitted.credentials, socket)
        try:
            await socket.accept(admitted.subprotocol)
            conversation.opened()
            code = await self._listen(socket, connection, conversation)
            connection.code = connection.code or code  # a close by the server comes first
            await _send_close(socket, connection)
        except (WebSocketDisconnect, OSError):
            pass  # the client disconnected before the 101 was sent
        finally:
            connection.leave()
            conversation.lost()
            self.services.metrics.disconnected(connection.code)

    async def _reject(self, socket: WebSocket, refused: handshake.Rejection) -> None:
        self.services.metrics.connections_refused.labels(status=refused.status).inc()
        await reject(socket, refused)

    async def close(self, seconds: float) -> None:
        """Ask all clients to reconnect later, wait `seconds`, then abort the rest."""
        connections = self.connections
        self.services.stopping.begin(seconds)
        among = len(connections.open)
        for connection in list(connections.open):
            connection.shutdown(self.services.fanout, among)
        if connections.open:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await connections.empty.wait()
        for connection in list(connections.open):
            connection.abort(close_codes.GOING_AWAY)

    def _admit(self, socket: WebSocket) -> handshake.Admitted | handshake.Rejection:
        settings = self.services.settings
        if len(self.connections.open) >= settings.connections_limit:
            return handshake.FULL
        headers, offered = socket.scope["headers"], scope.subprotocols(socket)
        if self.services.external_auth is not None:
            ambient = self.services.external_auth.ambient
            return handshake.admit_hosted(headers, settings, ambient=ambient, subprotocols=offered)
        secure = scope.is_secure(socket, settings.trusted_proxies)
        return handshake.admit(headers, settings, secure=secure, subprotocols=offered)

    def _converse(
        self, connection: AsgiConnection, credentials: Sequence[Credential], socket: WebSocket
    ) -> Conversation:
        if self.services.external_auth is not None:
            return HostedPump(self.services, connection, self.services.external_auth, socket)
        return Pump(self.services, connection, credentials, connection.address)

    async def _listen(self, socket: WebSocket, connection: AsgiConnection, conversation: Conversation) -> int:
        """Receive messages until the end.

        Return the close code of the peer or the ASGI server.
        """
        most, turn = self.services.settings.frame_bytes, 0
        while True:
            event = await socket.receive()
            if event["type"] == "websocket.disconnect":
                return int(event.get("code") or 1005)
            connection.record_message()
            text = event.get("text")
            if connection.ending:
                continue
            if text is None:
                connection.close(close_codes.UNSUPPORTED, "text only")
            elif len(text) > most or (len(text) * 4 > most and len(text.encode(errors="surrogatepass")) > most):
                connection.close(close_codes.TOO_BIG, "too big")
            else:
                self._receive(conversation, connection, text)
            turn += 1
            if turn % TURN == 0:  # messages in the server's queue arrive without yielding to the event loop
                await asyncio.sleep(0)

    def _receive(self, conversation: Conversation, connection: AsgiConnection, text: str) -> None:
        try:
            conversation.received(text)
        except Exception:
            logger.exception("conversation_failed", address=connection.address)
            connection.close(close_codes.INTERNAL)


async def _send_close(socket: WebSocket, connection: AsgiConnection) -> None:
    """Send the Close frame of a connection that the server has ended."""
    if connection.ended is not None:
        with suppress(Exception):
            async with asyncio.timeout(CUT_OFF):
                await socket.close(connection.ended.code, connection.ended.reason)


def _ignore_end() -> None:
    """Do nothing: the endpoint notices the end of the connection first."""
