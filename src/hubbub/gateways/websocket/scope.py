"""The handshake's properties as the ASGI server parsed them.

The raw headers need not contain them.

`client`, `extensions`, `scheme` and `subprotocols` are optional in the ASGI specification.
"""

from collections.abc import Iterable

from starlette.websockets import WebSocket

from hubbub.gateways.websocket import handshake
from hubbub.protocol.headers import Networks, forwarded_https

SECURE = ("wss", "https")
"""Hypercorn's `ProxyFixMiddleware` writes `https` for WebSockets as well."""


def peer(socket: WebSocket) -> str:
    """Return the address of the client or proxy; empty if none, as on a Unix socket."""
    return socket.client.host if socket.client is not None else ""


def address(socket: WebSocket, trusted: Networks) -> str:
    """Return the client's address for rate limits.

    Behind trusted proxies it is the right-most untrusted hop.
    """
    return handshake.client_address(peer(socket), socket.scope["headers"], trusted)


def is_secure(socket: WebSocket, trusted: Networks) -> bool:
    """Return True if the server or a trusted proxy reports TLS."""
    secure = socket.scope.get("scheme") in SECURE  # `socket.url` has no scheme without a valid Host header
    return secure or forwarded_https(peer(socket), socket.scope["headers"], trusted)


def subprotocols(socket: WebSocket) -> Iterable[str]:
    return socket.scope.get("subprotocols") or ()


def can_answer(socket: WebSocket) -> bool:
    """Return True if the server can reject with a body and a status other than 403."""
    return "websocket.http.response" in (socket.scope.get("extensions") or {})
