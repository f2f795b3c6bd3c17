"""The ASGI gateway: the same session as the native one, on any ASGI server, behind a Starlette `WebSocket`.

What only whoever owns the transport can do is left to the ASGI server: protocol pings, the size of a frame before it
is in memory, the number of fragments, the time a handshake may take. What it leaves open is limited here.
"""

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from secrets import SystemRandom

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from hubbub.engine.external_auth import ExternalAuth
from hubbub.engine.ports import Blob
from hubbub.engine.services import Services
from hubbub.features.sessions import AuthenticatedUser
from hubbub.gateways.websocket import handshake, scope
from hubbub.gateways.websocket.admission import Slot
from hubbub.gateways.websocket.connection_set import ConnectionSet
from hubbub.gateways.websocket.native import Conversation
from hubbub.gateways.websocket.outbox import CUT_OFF, FAREWELL
from hubbub.gateways.websocket.pump import Pump
from hubbub.gateways.websocket.reject import reject
from hubbub.gateways.websocket.starlette_sockets import QueuedWebSocket
from hubbub.protocol import close_codes
from hubbub.protocol.headers import network
from hubbub.protocol.tokens import Credential

QUIET = 90.0
"""Seconds in which a client that is there has said something, or was told something: it pings after 25 of silence."""
TURN = 16
"""Messages taken up for one connection before the loop goes on."""
logger = structlog.get_logger(__name__)
_random = SystemRandom()


class AsgiConnection(QueuedWebSocket):
    """One WebSocket. The registry writes to it; its endpoint reads; the wheel ends it when its time has come."""

    __slots__ = ("_active", "_authenticated", "_company", "_deadline", "_slot", "address", "code", "spoke")

    def __init__(self, company: "ConnectionSet[AsgiConnection]", socket: WebSocket, slot: Slot, address: str) -> None:
        self._company = company
        self._authenticated = False
        self._slot: Slot | None = slot
        self.address = address
        self.code: int | None = None
        """What it ended with, once it did."""
        self.spoke = -1
        now = company.services.clock.monotonic()
        self._active = now
        self._deadline = now + company.hello_timeout
        super().__init__(socket, company.services.settings.outbox_bytes, _nobody)
        company.came(self)
        company.wheel.put(self, self._deadline - now)

    @property
    def authenticated(self) -> bool:
        """Set by the conversation once it knows the user; then the connection holds no slot any more."""
        return self._authenticated

    @authenticated.setter
    def authenticated(self, value: bool) -> None:
        if value and not self._authenticated:
            self._release_slot()
        self._authenticated = value or self._authenticated

    @property
    def ending(self) -> bool:
        """Nothing that comes counts any more."""
        return self._closing

    def heard(self) -> None:
        """A message came; the first one is hello, and in time."""
        self._active = self._company.wheel.now
        if not self._authenticated and not self._closing:
            self._deadline = math.inf
            if self._slot is not None:
                self._company.admission.set_busy(self._slot)

    def write(self, blob: Blob) -> None:
        self._active = self._company.wheel.now
        super().write(blob)

    def close(self, code: int, reason: str = "") -> None:
        if not self._closing:
            self.code = self.code or code
            self._deadline = self._company.services.clock.monotonic() + FAREWELL
            self._company.wheel.put(self, FAREWELL)
            if self._slot is not None:
                self._company.admission.set_idle(self._slot)
        super().close(code, reason)

    def abort(self, code: int, reason: str = "") -> None:
        self.code = self.code or code
        super().abort(code, reason)

    def shutdown(self) -> None:
        """The server stops: come back, each after another delay."""
        self.close(close_codes.GOING_AWAY, close_codes.come_back(_random.uniform(1.0, 5.0)))

    def evict(self) -> None:
        """Gives way to a newcomer: the client is told to come back, unless it has been refused already."""
        self._slot = None
        self._company.services.metrics.connections_evicted.labels(kind="websocket").inc()
        self.abort(close_codes.GOING_AWAY, close_codes.come_back(_random.uniform(1.0, 5.0)))

    def _release_slot(self) -> None:
        slot, self._slot = self._slot, None
        if slot is not None:
            self._company.admission.release(slot)

    def visit(self, now: float) -> float | None:
        """The wheel's turn: deadlines, and silence on both sides, where nobody seems to be there any more."""
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
        """The endpoint is over."""
        self._company.went(self)
        self._company.wheel.remove(self)
        self._release_slot()
        self.abort(1006)


class HostedPump(Pump):
    """A conversation with somebody whom the app around this one recognises, by the handshake or by `hello`'s token."""

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
    """All connections of one server; `serve` is the endpoint of the route `/ws`."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.company: ConnectionSet[AsgiConnection] = ConnectionSet(services, state="asgi")

    async def serve(self, socket: WebSocket) -> None:
        """One connection, from the handshake to its end."""
        address = scope.address(socket, self.services.settings.trusted_proxies)
        admitted = self._admit(socket)
        if isinstance(admitted, handshake.Rejection):
            await self._deny(socket, admitted)
            return
        slot = self.company.admission.try_acquire(network(address), lambda: connection.evict())
        if slot is None:
            again = math.ceil(self.services.settings.hello_timeout)
            crowded = handshake.Rejection(429, "Too many connections wait to log in from your address.", again)
            await self._deny(socket, crowded)
            return
        connection = AsgiConnection(self.company, socket, slot, address)
        conversation = self._converse(connection, admitted.credentials, socket)
        try:
            await socket.accept(admitted.subprotocol)
            conversation.opened()
            code = await self._listen(socket, connection, conversation)
            connection.code = connection.code or code  # whoever said it first
            await _say_why(socket, connection)
        except (WebSocketDisconnect, OSError):
            pass  # it went before the 101 was out
        finally:
            connection.leave()
            conversation.lost()
            self.services.metrics.disconnected(connection.code)

    async def _deny(self, socket: WebSocket, refused: handshake.Rejection) -> None:
        self.services.metrics.connections_refused.labels(status=refused.status).inc()
        await reject(socket, refused)

    async def close(self, seconds: float) -> None:
        """Tells everybody to come back later, gives them so long to take leave, then ends what is left."""
        company = self.company
        for connection in list(company.open):
            connection.shutdown()
        if company.open:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await company.empty.wait()
        for connection in list(company.open):
            connection.abort(close_codes.GOING_AWAY)

    def _admit(self, socket: WebSocket) -> handshake.Admitted | handshake.Rejection:
        settings = self.services.settings
        if len(self.company.open) >= settings.connections_limit:
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
        """Message after message, until the end; returns the code the peer, or the ASGI server, ended it with."""
        most, turn = self.services.settings.frame_bytes, 0
        while True:
            event = await socket.receive()
            if event["type"] == "websocket.disconnect":
                return int(event.get("code") or 1005)
            connection.heard()
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
            if turn % TURN == 0:  # what is in the server's queue comes without a pause
                await asyncio.sleep(0)

    def _receive(self, conversation: Conversation, connection: AsgiConnection, text: str) -> None:
        try:
            conversation.received(text)
        except Exception:
            logger.exception("conversation_failed", address=connection.address)
            connection.close(close_codes.INTERNAL)


async def _say_why(socket: WebSocket, connection: AsgiConnection) -> None:
    """The Close of a connection that was ended from this side, as far as the peer still takes it."""
    if connection.ended is not None:
        with suppress(Exception):
            async with asyncio.timeout(CUT_OFF):
                await socket.close(connection.ended.code, connection.ended.reason)


def _nobody() -> None:
    """Nobody else needs to hear of its end: the endpoint, which hears of it first, tells all who do."""
