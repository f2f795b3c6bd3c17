"""The native gateway: the response to a request to open a WebSocket."""

import asyncio
import math
from collections.abc import Callable, Sequence

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from hubbub.engine.services import Services
from hubbub.gateways.native.connection import NativeConnection
from hubbub.gateways.websocket import handshake
from hubbub.gateways.websocket.admission import AdmissionControl
from hubbub.gateways.websocket.connection import Conversation
from hubbub.gateways.websocket.connection_set import ConnectionSet
from hubbub.protocol.headers import forwarded_https, network
from hubbub.protocol.tokens import Credential

PATH = b"/ws"
RETRY_AFTER = 5
DRAINING = handshake.Rejection(503, "The server is shutting down. Try again in a few seconds.", RETRY_AFTER)
NO_HANDSHAKE = handshake.Rejection(400, "The request is not a valid WebSocket handshake (RFC 6455).")

Converse = Callable[[Services, NativeConnection, Sequence[Credential], str], Conversation]


def opening(target: str, headers: handshake.Headers) -> tuple[ServerProtocol, Response] | None:
    """Return the state machine and its 101 for an opening handshake; None if invalid.

    See RFC 6455, section 4.2.1.
    """
    machine = ServerProtocol()
    response = machine.accept(Request(target, Headers([(n.decode(), v.decode("latin-1")) for n, v in headers])))
    return (machine, response) if response.status_code == 101 else None


class NativeGateway:
    """Accepts WebSocket connections until the server shuts down."""

    def __init__(self, services: Services, converse: Converse) -> None:
        self.connections: ConnectionSet[NativeConnection] = ConnectionSet(services, state="live")
        self.waiting = AdmissionControl()
        """Slots of HTTP connections that wait for their clients."""
        self.converse = converse
        self.paths = frozenset({PATH, services.settings.root_path.encode() + PATH})
        """The paths of the endpoint: a proxy may strip the root path or pass it on."""

    def make_room(self, newcomer: str | None) -> bool:
        """Evict an idle connection of another network. Return False if there is none.

        `newcomer` is the network of the new connection; None for a trusted proxy.
        """
        admission = self.connections.admission
        if self.waiting.make_room(newcomer, admission.idle_of(newcomer)):
            return True
        # With rate limits off, as in load tests, sockets may wait without limit.
        limited = self.connections.services.settings.rate_limits
        return limited and admission.make_room(newcomer, self.waiting.idle_of(newcomer))

    def upgrade(
        self, transport: asyncio.Transport, target: str, headers: handshake.Headers, peer: str
    ) -> NativeConnection | handshake.Rejection:
        """Accept or reject a request to open a WebSocket.

        Returns the connection, with the 101 sent; the caller makes it the transport's protocol. Or
        returns a rejection for the caller to send.
        """
        services = self.connections.services
        if services.stopping.has_begun:
            return DRAINING
        settings = services.settings
        secure = transport.get_extra_info("sslcontext") is not None or forwarded_https(
            peer, headers, settings.trusted_proxies
        )
        admitted = handshake.admit(headers, settings, secure=secure, subprotocols=handshake.offered(headers))
        if isinstance(admitted, handshake.Rejection):
            return admitted
        opened = opening(target, headers)
        if opened is None:
            return NO_HANDSHAKE
        machine, response = opened
        address = handshake.client_address(peer, headers, settings.trusted_proxies)
        slot = self.connections.admission.try_acquire(network(address), lambda: connection.evict())
        if slot is None:
            retry_after = math.ceil(settings.hello_timeout)
            return handshake.Rejection(429, handshake.CROWDED, retry_after)
        if admitted.subprotocol is not None:
            response.headers["Sec-WebSocket-Protocol"] = admitted.subprotocol
        machine.send_response(response)
        transport.write(b"".join(machine.data_to_send()))
        # A new machine: the parser of the first would keep the request and all its headers in
        # memory.
        machine = ServerProtocol(state=State.OPEN, max_size=settings.frame_bytes)
        connection = NativeConnection(self.connections, transport, machine, slot, address)
        connection.open(self.converse(services, connection, admitted.credentials, address))
        return connection
