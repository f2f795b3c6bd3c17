"""Authentication: each request's cookie or bearer token is looked up in one read."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, OAuth2PasswordBearer

from hubbub.domain.errors import Forbidden, RateLimited, Unauthenticated
from hubbub.domain.model import Actor
from hubbub.engine.external_auth import ExternalAuth
from hubbub.engine.services import Services
from hubbub.features import sessions
from hubbub.features.sessions import AuthenticatedUser
from hubbub.gateways.http.errors import Misdirected
from hubbub.protocol import headers
from hubbub.protocol.headers import Headers

DAY = 86_400_000
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

bearer_scheme = OAuth2PasswordBearer(tokenUrl="token", auto_error=False, description="An access token of `/token`.")
cookie_scheme = APIKeyCookie(
    name=headers.COOKIE,
    auto_error=False,
    description="A browser's session. Over https the cookie is called `__Host-hubbub_session`. "
    "Unsafe requests need a same-origin `Origin` or `Sec-Fetch-Site`.",
)


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated user, and the kind of credential the request carried."""

    identity: AuthenticatedUser
    actor: Actor
    by_cookie: bool

    @property
    def id(self) -> int:
        return self.identity.id


def services_of(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


def raw_headers(request: Request) -> Headers:
    found: Headers = request.scope["headers"]
    return found


def is_https(request: Request) -> bool:
    """Return True if browsers reach the server by https.

    This follows from the settings, the connection or a trusted proxy.
    """
    settings = services_of(request).settings
    if request.scope.get("scheme") == "https" or (settings.public_url or "").startswith("https:"):
        return True
    return headers.forwarded_https(peer_of(request), raw_headers(request), settings.trusted_proxies)


def peer_of(request: Request) -> str:
    client = request.scope.get("client")
    return str(client[0]) if client else ""


def address_of(request: Request) -> str:
    """Return the client's address for rate limits.

    Behind trusted proxies it is the right-most untrusted hop.
    """
    return headers.client_address(peer_of(request), raw_headers(request), services_of(request).settings.trusted_proxies)


async def identify(request: Request) -> Caller:
    """Return the caller of the request.

    Raises Unauthenticated, and Forbidden for an unsafe request with a cookie from a page of another
    origin.
    """
    services = services_of(request)
    if services.external_auth is not None:
        return await _identify_by_host(request, services.external_auth)
    credential = headers.credential(raw_headers(request), https=is_https(request))
    if credential is None:
        raise Unauthenticated()
    by_cookie = credential.kind == "cookie"
    if by_cookie and request.method not in SAFE:
        _check_origin(request)
    now = services.clock.now()
    reference = services.tokens.reference(credential, now)
    identity = await services.read(sessions.resolve, reference.session, now)
    if identity is None or identity.browser != by_cookie:
        raise Unauthenticated()
    if identity.is_stale(now, sessions.MINUTE) or identity.confirms(reference.issued_at):
        services.touch(identity, reference.issued_at)
    return Caller(identity, identity.actor(), by_cookie)


async def _identify_by_host(request: Request, host: ExternalAuth) -> Caller:
    """Return the caller according to the host application.

    Credentials that browsers attach by themselves count for unsafe requests from our own pages
    only.
    """
    if host.ambient and request.method not in SAFE and not headers.is_bearer_alone(raw_headers(request)):
        _check_origin(request)
    identity = await host.identify(request.scope)
    return Caller(identity, identity.actor(), by_cookie=False)


def _check_origin(request: Request) -> None:
    settings = services_of(request).settings
    problem = headers.request_problem(raw_headers(request), settings.public_origin, settings.origins)
    if problem is not None:
        raise Forbidden(problem)


def check_page(request: Request) -> None:
    """Check that no foreign page sends a log-in. Raises Forbidden."""
    settings = services_of(request).settings
    problem = headers.page_problem(raw_headers(request), settings.public_origin, settings.origins)
    if problem is not None:
        raise Forbidden(problem)


def check_host(request: Request) -> None:
    """Check that the request is for this server. Raises Misdirected.

    The name of a foreign page can resolve to this server (DNS rebinding): the browser then takes it
    for the page's own.
    """
    if not headers.is_own_host(headers.value(raw_headers(request), b"host"), services_of(request).settings.host_names):
        raise Misdirected()


async def caller(
    request: Request,
    _bearer: Annotated[str | None, Depends(bearer_scheme)],
    _cookie: Annotated[str | None, Depends(cookie_scheme)],
) -> Caller:
    """Return the authenticated caller, for every route that requires a log-in.

    StrictRoute has identified the caller before it read the body. The scheme parameters are for
    OpenAPI.
    """
    found: Caller = request.state.caller
    return found


async def active(request: Request, found: Annotated[Caller, Depends(caller)]) -> Caller:
    """Return the caller, for routes that change something.

    It applies the command limit per user.
    """
    _limit(services_of(request), found, sending=False)
    return found


async def sender(request: Request, found: Annotated[Caller, Depends(caller)]) -> Caller:
    """Return the caller, for routes that send messages.

    It applies the message limit per user.
    """
    _limit(services_of(request), found, sending=True)
    return found


async def founder(request: Request, found: Annotated[Caller, Depends(caller)]) -> Caller:
    """Return the caller, for routes that create rooms.

    It applies the command limit and the room limit.
    """
    _limit(services_of(request), found, sending=False, founding=True)
    return found


def _limit(services: Services, found: Caller, *, sending: bool, founding: bool = False) -> None:
    wait = services.limits.command(found.id, sending=sending, founding=founding)
    if wait is not None:
        raise RateLimited(retry_after=wait)


OwnPage = Depends(check_page)
OwnHost = Depends(check_host)
LoggedIn = Annotated[Caller, Depends(caller)]
Active = Annotated[Caller, Depends(active)]
Sender = Annotated[Caller, Depends(sender)]
Founder = Annotated[Caller, Depends(founder)]
Running = Annotated[Services, Depends(services_of)]
