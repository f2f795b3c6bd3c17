"""The outermost layer: headers of every response, and unexpected exceptions."""

import secrets

import structlog
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hubbub.domain.errors import BadRequest, Internal
from hubbub.domain.text import MAX_PATH
from hubbub.engine.services import Services
from hubbub.gateways.http import errors
from hubbub.protocol import headers

logger = structlog.get_logger(__name__)

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Content-Security-Policy": NOTHING,
    # A response may contain the caller's data. Responses that caches may store override this.
    "Cache-Control": "no-store",
}
ONE_YEAR = 31_536_000


class EdgeMiddleware:
    """ASGI middleware. Headers that a route has set take precedence."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._metrics = services.metrics
        self._now = services.clock.monotonic
        self._root_path = services.settings.root_path
        self._trusted = services.settings.trusted_proxies
        self._has_warned = False
        self._always = dict(ALWAYS)
        if (services.settings.public_url or "").startswith("https:"):
            # Under a sub-path the host is shared, so the policy must not extend to its subdomains.
            names_below = "" if self._root_path else "; includeSubDomains"
            self._always["Strict-Transport-Security"] = f"max-age={ONE_YEAR}{names_below}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        # A copy: uvicorn appends a body's trailers to its list of headers while the request is
        # being read.
        scope = {**scope, "headers": list(scope["headers"])}
        if self._root_path and not scope.get("root_path"):
            # Routes match with the sub-path and without it: a proxy may strip it or pass it on.
            scope = {**scope, "root_path": self._root_path}
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        if not self._has_warned:
            self._warn_of_untrusted_proxy(scope)
        started = False
        began = self._now()

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                sent = MutableHeaders(scope=message)
                for name, value in self._always.items():
                    sent.setdefault(name, value)
                self._metrics.http_requests.labels(status=str(message["status"])).inc()
            await send(message)

        try:
            if len(scope["path"]) > MAX_PATH:
                too_long = BadRequest(f"The path is too long: at most {MAX_PATH} characters.")
                await errors.answer(too_long)(scope, receive, answer)
            else:
                await (_to_the_folder if _is_folder(scope) else self._app)(scope, receive, answer)
        except ClientDisconnect:
            pass  # the client disconnected before its request was complete: no response can reach it
        except Exception as error:
            number = secrets.token_hex(4)
            logger.error("request_failed", id=number, method=scope["method"], path=scope["path"], exc_info=error)
            if started:
                raise
            refusal = Internal(f"Something went wrong on the server. Its log has the details under id {number}.")
            await errors.answer(refusal)(scope, receive, answer)
        finally:
            method, template = _route(scope)
            self._metrics.http_request_seconds.labels(method=method, route=template).observe(self._now() - began)

    def _warn_of_untrusted_proxy(self, scope: Scope) -> None:
        """Warn once if a proxy is not trusted.

        Limits per address then count all its clients as one.
        """
        peer = scope["client"][0] if scope.get("client") else ""
        if headers.is_unheard_proxy(peer, scope["headers"], self._trusted):
            self._has_warned = True
            logger.warning(
                "proxy_not_trusted",
                peer=peer,
                advice="Rate limits count all clients of this proxy as one. "
                "If the proxy is yours, add its address to HUBBUB_TRUSTED_PROXIES.",
            )


def _route(scope: Scope) -> tuple[str, str]:
    """Return method and template of the matched route.

    The labels contain no client input, since metrics keep labels forever.
    """
    route = scope.get("route")
    if not isinstance(route, APIRoute) or scope["method"] not in (route.methods or ()):
        return "other", "other"
    return scope["method"], route.path


def _is_folder(scope: Scope) -> bool:
    """Return True for the root path without the final slash.

    There the page's relative URLs would not work.
    """
    return bool(scope.get("root_path")) and scope["path"] == scope["root_path"] and scope["method"] in ("GET", "HEAD")


async def _to_the_folder(scope: Scope, receive: Receive, send: Send) -> None:
    """Redirect to the root path with a slash.

    Relative: only the browser knows the prefixes proxies added.
    """
    query = scope["query_string"].decode("latin-1")
    location = f"{scope['path'].rpartition('/')[2]}/{'?' if query else ''}{query}"
    await Response(status_code=307, headers={"Location": location})(scope, receive, send)
