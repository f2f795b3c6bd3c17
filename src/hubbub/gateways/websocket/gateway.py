"""The way in: the answer to a request to open a WebSocket."""

import asyncio
import math
from collections.abc import Callable, Sequence

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from hubbub.engine.services import Services
from hubbub.gateways.websocket import handshake
from hubbub.gateways.websocket.admission import AdmissionControl
from hubbub.gateways.websocket.connection_set import ConnectionSet
from hubbub.gateways.websocket.native import Conversation, NativeConnection
from hubbub.protocol.headers import forwarded_https, network
from hubbub.protocol.tokens import Credential

PATH = b"/ws"
RETRY_AFTER = 5
DRAINING = handshake.Rejection(503, "The server goes away.", RETRY_AFTER)
NO_HANDSHAKE = handshake.Rejection(400, "That is no WebSocket handshake (RFC 6455).")

Converse = Callable[[Services, NativeConnection, Sequence[Credential], str], Conversation]


def opening(target: str, headers: handshake.Headers) -> tuple[ServerProtocol, Response] | None:
    """The state machine and its 101 for an opening handshake (RFC 6455, section 4.2.1); None if it is none."""
    machine = ServerProtocol()
    response = machine.accept(Request(target, Headers([(n.decode(), v.decode("latin-1")) for n, v in headers])))
    return (machine, response) if response.status_code == 101 else None


class NativeGateway:
    """Lets connections in, as long as the server stays."""

    def __init__(self, services: Services, converse: Converse) -> None:
        self.company: ConnectionSet[NativeConnection] = ConnectionSet(services, state="live")
        self.waiting = AdmissionControl()
        """HTTP connections for whose clients the server waits."""
        self.converse = converse
        self.paths = frozenset({PATH, services.settings.root_path.encode() + PATH})
        """Where it is reached: a proxy may strip the root path or hand it on."""
        self.draining = False
        """Nobody comes in any more: everybody who is in has been told to come back later."""

    def make_room(self, newcomer: str | None) -> bool:
        """Ends an idle connection of another network than the newcomer's (None: a trusted proxy), if there is one."""
        admission = self.company.admission
        if self.waiting.make_room(newcomer, admission.idle_of(newcomer)):
            return True
        # Without limits per time, as in load tests, sockets may wait for as long as they like.
        limited = self.company.services.settings.rate_limits
        return limited and admission.make_room(newcomer, self.waiting.idle_of(newcomer))

    def upgrade(
        self, transport: asyncio.Transport, target: str, headers: handshake.Headers, peer: str
    ) -> NativeConnection | handshake.Rejection:
        """Answers a request to open a WebSocket: with the connection that has to become the transport's protocol, and
        the 101 sent; or with a refusal that has to be sent."""
        if self.draining:
            return DRAINING
        services = self.company.services
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
        slot = self.company.admission.try_acquire(network(address), lambda: connection.evict())
        if slot is None:
            again = math.ceil(settings.hello_timeout)
            return handshake.Rejection(429, "Too many connections wait to log in from your address.", again)
        if admitted.subprotocol is not None:
            response.headers["Sec-WebSocket-Protocol"] = admitted.subprotocol
        machine.send_response(response)
        transport.write(b"".join(machine.data_to_send()))
        # Not the same one, since its parser would keep the request and all its headers in memory.
        machine = ServerProtocol(state=State.OPEN, max_size=settings.frame_bytes)
        connection = NativeConnection(self.company, transport, machine, slot, address)
        connection.open(self.converse(services, connection, admitted.credentials, address))
        return connection
