"""The opening handshake as pure functions.

Request headers and settings go in, a decision comes out. No socket is used.

The subprotocols that the client offers are a separate argument: an ASGI server passes them parsed
and may drop the header they came in (uvicorn with wsproto does).

Browsers send cookies for any page, so a cookie counts only together with a listed Origin
(cross-site WebSocket hijacking, RFC 6455 section 10.2). Browsers never send a bearer token by
themselves: with a bearer token, or with the token in `hello` alone, the Origin does not matter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Protocol

from hubbub.domain.errors import Unauthenticated
from hubbub.gateways.websocket.rejection import Rejection
from hubbub.protocol import headers
from hubbub.protocol.headers import Headers, client_address
from hubbub.protocol.tokens import Credential

__all__ = ["Admitted", "Headers", "Rejection", "admit", "admit_hosted", "client_address", "offered", "origin_problem",
           "with_token"]  # fmt: skip

SUBPROTOCOL = "hubbub.v1"
MAX_TOKEN = 4096


class OriginSettings(Protocol):
    """The settings this module reads."""

    @property
    def public_origin(self) -> str | None: ...
    @property
    def origins(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Admitted:
    """The connection may open.

    The credentials are verified at `hello`, as is that they belong to one user.
    """

    credentials: tuple[Credential, ...]
    subprotocol: str | None


FULL = Rejection(503, "The server has reached its connection limit. Try again in a few seconds.", 5)
CROWDED = "Too many connections from your address are waiting to log in. Close some, or try again later."


def admit(
    given: Headers, settings: OriginSettings, *, secure: bool, subprotocols: Iterable[str] = ()
) -> Admitted | Rejection:
    """Decide on a request to open a WebSocket.

    `secure` says whether the browser's connection uses TLS.
    """
    repeated = _repeated(given)
    if repeated is not None:
        return repeated
    https = secure or (settings.public_origin or "").startswith("https:")
    cookie = headers.cookie(given, headers.cookie_name(https=https))
    if cookie is not None:
        problem = origin_problem(headers.value(given, b"origin"), headers.value(given, b"host"), settings)
        if problem is not None:
            return Rejection(403, problem)
    bearer = _bearer(given)
    if isinstance(bearer, Rejection):
        return bearer
    by_bearer = (Credential("bearer", bearer),) if bearer is not None else ()
    by_cookie = (Credential("cookie", cookie),) if cookie is not None else ()
    return Admitted(by_bearer + by_cookie, _chosen(subprotocols))


def admit_hosted(
    given: Headers, settings: OriginSettings, *, ambient: bool, subprotocols: Iterable[str] = ()
) -> Admitted | Rejection:
    """Decide on a request whose credentials are the host application's.

    `ambient` says that browsers attach the credentials by themselves: then requests must come from
    listed pages. A browser that opens a WebSocket always sends the page's Origin, and never sends a
    bearer token.
    """
    repeated = _repeated(given)
    if repeated is not None:
        return repeated
    from_browser = any(name in (b"origin", b"cookie") for name, _ in given)
    if ambient and from_browser and not headers.is_bearer_alone(given):
        problem = origin_problem(headers.value(given, b"origin"), headers.value(given, b"host"), settings)
        if problem is not None:
            return Rejection(403, problem)
    return Admitted((), _chosen(subprotocols))


def with_token(given: Headers, token: str) -> Headers:
    """Return the headers with the token of `hello` as bearer token.

    Raises Unauthenticated.
    """
    if not token.isascii() or not token.isprintable():
        raise Unauthenticated()
    if headers.values(given, b"authorization") and not compare_digest(
        (headers.bearer(given) or "").encode(), token.encode()
    ):
        raise Unauthenticated()  # two different credentials
    return [*(pair for pair in given if pair[0] != b"authorization"), (b"authorization", f"Bearer {token}".encode())]


def _repeated(given: Headers) -> Rejection | None:
    for name in (b"origin", b"host", b"authorization"):
        if len(headers.values(given, name)) > 1:
            return Rejection(400, f"The request has more than one {name.decode().title()} header.")
    return None


def origin_problem(origin: str | None, host: str | None, settings: OriginSettings) -> str | None:
    """Return why a cookie does not count from this Origin; None if it counts."""
    return headers.origin_problem(origin, host, settings.public_origin, settings.origins)


def _bearer(given: Headers) -> str | Rejection | None:
    value = headers.value(given, b"authorization")
    if value is None:
        return None
    token = headers.bearer(given)
    if not token or len(token) > MAX_TOKEN:
        return Rejection(401, "The Authorization header must have the form: Bearer TOKEN.")
    return token


def offered(given: Headers) -> list[str]:
    """Return the subprotocols in the headers (RFC 6455, section 11.3.4).

    For gateways that parse the request themselves.
    """
    lines = headers.values(given, b"sec-websocket-protocol")
    return [name.strip() for line in lines for name in line.split(",")]


def _chosen(subprotocols: Iterable[str]) -> str | None:
    return SUBPROTOCOL if SUBPROTOCOL in subprotocols else None
