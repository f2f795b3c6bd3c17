"""What an ASGI server has parsed of the request that opens a WebSocket; the raw headers need not contain it.

`client`, `extensions`, `scheme` and `subprotocols` are optional in the ASGI specification.
"""

from collections.abc import Iterable

from starlette.websockets import WebSocket

from hubbub.gateways.websocket import handshake
from hubbub.protocol.headers import Networks, forwarded_https

SECURE = ("wss", "https")
"""`https` is what Hypercorn's `ProxyFixMiddleware` writes into the scope of a WebSocket, too."""


def peer(socket: WebSocket) -> str:
    """The address of the client or of the proxy in front; empty where there is none, as on a Unix socket."""
    return socket.client.host if socket.client is not None else ""


def address(socket: WebSocket, trusted: Networks) -> str:
    """The client's address, for limits; behind trusted proxies the right-most hop that is not one of them."""
    return handshake.client_address(peer(socket), socket.scope["headers"], trusted)


def is_secure(socket: WebSocket, trusted: Networks) -> bool:
    """Whether the browser's connection is TLS: the server says so, or a trusted proxy."""
    secure = socket.scope.get("scheme") in SECURE  # `socket.url` has no scheme without a valid Host header
    return secure or forwarded_https(peer(socket), socket.scope["headers"], trusted)


def subprotocols(socket: WebSocket) -> Iterable[str]:
    return socket.scope.get("subprotocols") or ()


def can_answer(socket: WebSocket) -> bool:
    """Whether the server can answer the handshake with an HTTP status other than 403, and a body."""
    return "websocket.http.response" in (socket.scope.get("extensions") or {})
