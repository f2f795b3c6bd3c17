"""The opening handshake, pure: request headers and settings in, admitted or refused out. Knows no socket.

A cookie is sent by browsers whichever page asks, so it counts only together with a listed Origin (cross-site
WebSocket hijacking, RFC 6455 section 10.2). A bearer token is never sent unasked: with it, or with none but the
token in `hello`, the Origin does not matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Protocol
from urllib.parse import urlsplit

import orjson

from hubbub.protocol.tokens import Credential

SUBPROTOCOL = "hubbub.v1"
COOKIE = "hubbub_session"
SECURE_COOKIE = "__Host-hubbub_session"
MAX_TOKEN = 4096

Headers = Sequence[tuple[bytes, bytes]]
"""Names in lower case, as ASGI has them."""
Networks = Sequence[IPv4Network | IPv6Network]

_CODES = {400: "bad_request", 401: "unauthenticated", 403: "forbidden", 408: "bad_request", 429: "rate_limited",
          431: "too_large", 503: "busy"}  # fmt: skip


class OriginSettings(Protocol):
    """The settings this module reads."""

    @property
    def public_url(self) -> str | None: ...
    @property
    def origins(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Admitted:
    """May open; whether the credential is worth anything shows at `hello`."""

    credential: Credential | None
    subprotocol: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Gets an HTTP answer with this status and sentence, and no WebSocket."""

    status: int
    sentence: str
    retry_after: int | None = None

    def response(self) -> bytes:
        """The whole HTTP/1.1 answer, after which the connection closes."""
        error: dict[str, object] = {"code": _CODES.get(self.status, "bad_request"), "message": self.sentence}
        head = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        if self.retry_after is not None:
            error["retry_after"] = self.retry_after
            head.append(f"Retry-After: {self.retry_after}")
        body = orjson.dumps({"error": error})
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}", "Cache-Control: no-store",
                 "Connection: close", "", ""]  # fmt: skip
        return "\r\n".join(head).encode("ascii") + body


def admit(headers: Headers, settings: OriginSettings, *, secure: bool) -> Admitted | Refused:
    """Decides on a request to open a WebSocket; `secure` says whether the connection itself is TLS."""
    for name in (b"origin", b"host", b"authorization"):
        if len(_all(headers, name)) > 1:
            return Refused(400, f"The request has more than one {name.decode().title()} header.")
    https = secure or (settings.public_url or "").startswith("https:")
    cookie = _cookie(headers, SECURE_COOKIE if https else COOKIE)
    if cookie is not None:
        origin = _one(headers, b"origin")
        reason = origin_problem(origin, _one(headers, b"host"), settings)
        if reason is not None:
            return Refused(403, reason)
    bearer = _bearer(headers)
    if isinstance(bearer, Refused):
        return bearer
    if cookie is not None and bearer is not None:
        return Refused(401, "Send either the cookie or an Authorization header, not both.")
    subprotocol = SUBPROTOCOL if SUBPROTOCOL in _list(headers, b"sec-websocket-protocol") else None
    if bearer is not None:
        return Admitted(Credential("bearer", bearer), subprotocol)
    return Admitted(Credential("cookie", cookie) if cookie is not None else None, subprotocol)


def origin_problem(origin: str | None, host: str | None, settings: OriginSettings) -> str | None:
    """Why a cookie does not count from this Origin, as a sentence; None when it does."""
    if origin is None:
        return "A cookie counts only together with an Origin header."
    listed = (*settings.origins, settings.public_url) if settings.public_url else tuple(settings.origins)
    if origin in listed:
        return None
    if settings.public_url is None and host and origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}"):
        if _is_own_name(host):
            return None
        return f"This server does not know that it is called {host[:100]}: set HUBBUB_PUBLIC_URL to {origin[:100]}."
    return "Pages of this origin may not connect with a cookie."


def client_address(peer: str, headers: Headers, trusted: Networks) -> str:
    """Whose connection it is: the peer, or the right-most hop of X-Forwarded-For that no trusted proxy is."""
    address = peer
    hops = _list(headers, b"x-forwarded-for") if trusted else []
    while hops and _is_trusted(address, trusted):
        hop = _strip_port(hops.pop())
        try:
            address = str(ip_address(hop))
        except ValueError:
            break
    return address


def _is_own_name(host: str) -> bool:
    """Localhost or an address: a name could be somebody else's that resolves to us (DNS rebinding)."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_trusted(address: str, trusted: Networks) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in trusted)


def _strip_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _bearer(headers: Headers) -> str | Refused | None:
    value = _one(headers, b"authorization")
    if value is None:
        return None
    scheme, _, token = value.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN:
        return Refused(401, "The Authorization header must be: Bearer TOKEN.")
    return token


def _cookie(headers: Headers, wanted: str) -> str | None:
    """The first cookie of that name (RFC 6265, section 5.4: browsers put the most specific first)."""
    for line in _all(headers, b"cookie"):
        for pair in line.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == wanted and value:
                return value
    return None


def _all(headers: Headers, wanted: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for name, value in headers if name == wanted]


def _one(headers: Headers, wanted: bytes) -> str | None:
    values = _all(headers, wanted)
    return values[0] if values else None


def _list(headers: Headers, wanted: bytes) -> list[str]:
    return [item.strip() for value in _all(headers, wanted) for item in value.split(",") if item.strip()]
