"""The web client: a page and its hashed assets, read once at start."""

import asyncio
import gzip
import hashlib
import html as markup
import mimetypes
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response

from hubbub.domain.errors import NotFound
from hubbub.domain.model import Wire
from hubbub.engine.services import Services
from hubbub.gateways.http import auth
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict_json import JSON, StrictRoute, accepts
from hubbub.protocol import headers, wire

logger = structlog.get_logger(__name__)

FOLDER = Path(__file__).parents[2] / "web_dist"
HTML = "text/html; charset=utf-8"
TEMPLATES = "svelte-trusted-html"
"""The only policy that turns strings into HTML: Svelte's, for its templates."""
SHELL = "hubbub-shell"
"""The one policy that may turn strings into script URLs.

It allows the service worker's only (`web/src/shell`).
"""
FOR_EVER = "public, max-age=31536000, immutable"
WORKER_POLICY = "default-src 'none'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
WORTHWHILE = 0.9
"""Larger answers than this part of the body are not worth decompressing."""
_GZIP = re.compile(r"(?:^|,)\s*(?:gzip|x-gzip)\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[0-9.]+\s*)?(?:,|$)", re.IGNORECASE)
MISSING = (
    "The web client is not built. Build it with `make setup` (or `npm run build` in web/) and restart the server. "
    "Everything else works: see /docs."
)
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": HTML,
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
WELCOME = "Welcome to Hubbub! Open this address in a browser, or see /docs for the API."


class Greeting(Wire):
    """The welcome message of the tutorial's first step."""

    message: str


@dataclass(frozen=True)
class Asset:
    body: bytes
    media_type: str
    tag: str

    @cached_property
    def compressed(self) -> bytes | None:
        """The body in gzip; None if that is no smaller, as for fonts.

        Made for the first browser that asks, which takes some milliseconds.
        """
        body = gzip.compress(self.body, mtime=0)
        return body if len(body) < len(self.body) * WORTHWHILE else None


def create_router(folder: Path = FOLDER) -> APIRouter:
    """Return the routes for the pages and assets in `folder`.

    Without a build, a message replaces the page.
    """
    router = APIRouter(tags=["web"], route_class=StrictRoute)
    assets = _load(folder)
    index = assets.pop("index.html", None)
    if index is None:
        logger.warning("web_client_missing", advice=MISSING)

    @router.head("/", include_in_schema=False)
    @router.get("/", response_model=Greeting, responses=refusals(), openapi_extra=_ALSO_HTML)
    async def welcome(request: Request) -> Response:
        """Return the web client to browsers, and a greeting to other clients."""
        answer = _page(request, index) if accepts(request, "text/html") else _welcome()
        answer.headers["Vary"] = "Accept"
        return answer

    async def page(request: Request) -> Response:
        return _page(request, index)

    async def room_page(request: Request) -> Response:
        """Return the page of one room, for the frame of `<hubbub-room>`."""
        return _page(request, index, embedded=True)

    router.add_api_route("/embed", room_page, methods=["GET", "HEAD"], include_in_schema=False)
    for path in ("/setup", "/invite", "/reset"):
        router.add_api_route(path, page, methods=["GET", "HEAD"], include_in_schema=False)

    _add_worker(router, assets)
    _add_element(router, assets)

    @router.head("/assets/{name}", include_in_schema=False)
    @router.get("/assets/{name}", include_in_schema=False)
    async def asset(name: str, request: Request) -> Response:
        found = assets.get(f"assets/{name}")
        if found is None:
            raise NotFound("There is no page or endpoint at this address.")
        zipped = _accepts_gzip(request.headers.get("accept-encoding", ""))
        body = await asyncio.to_thread(lambda: found.compressed) if zipped else None
        # Each form has its own tag (RFC 9110, section 8.8.3.3).
        tag = found.tag if body is None else f'{found.tag[:-1]}-gzip"'
        kept = {"Cache-Control": FOR_EVER, "ETag": tag, "Vary": "Accept-Encoding"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=kept)
        if body is not None:
            kept["Content-Encoding"] = "gzip"
        return Response(found.body if body is None else body, headers=kept, media_type=found.media_type)

    return router


def _add_worker(router: APIRouter, assets: dict[str, Asset]) -> None:
    """Add the service worker, which caches the page.

    It is served beside the page, since its path is its scope.
    """

    @router.head("/sw.js", include_in_schema=False)
    @router.get("/sw.js", include_in_schema=False)
    async def worker() -> Response:
        found = assets.get("sw.js")
        if found is None:
            raise NotFound("There is no page or endpoint at this address.")
        # A worker has its own policy, not the page's (CSP Level 3, section 2.2.2).
        kept = {"Content-Security-Policy": WORKER_POLICY, "Cache-Control": "no-cache"}
        return Response(found.body, headers=kept, media_type=found.media_type)


def _add_element(router: APIRouter, assets: dict[str, Asset]) -> None:
    """Add the script with `<hubbub-room>`, which pages of the host application load by this name."""

    @router.head("/embed.js", include_in_schema=False)
    @router.get("/embed.js", include_in_schema=False)
    async def element(request: Request) -> Response:
        found = assets.get("embed.js")
        if found is None:
            raise NotFound("There is no page or endpoint at this address.")
        # Pages of the origins in frame_ancestors load it too. It contains nothing of a user.
        kept = {
            "Access-Control-Allow-Origin": "*",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Cache-Control": "no-cache",
            "ETag": found.tag,
        }
        if found.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=kept)
        return Response(found.body, headers=kept, media_type=found.media_type)


def content_security_policy(services: Services, host: str | None, *, embedded: bool = False) -> str:
    """Return the policy for pages.

    It allows own resources only and nothing inline (CSP Level 3, Trusted Types). `embedded` is the
    page of one room: pages of its own origin may show it in a frame, since they could do everything
    in it anyway.

    The WebSocket address is explicit, since 'self' does not cover it in older versions of Safari.
    """
    public = services.settings.public_origin
    own = ("'self'",) if embedded else ()
    ancestors = dict.fromkeys((*own, *services.settings.frame_ancestors)) or ("'none'",)
    if public is not None:
        sockets = " " + public.replace("http", "ws", 1)
    elif host is not None and headers.is_own_name(host):
        sockets = f" ws://{host} wss://{host}"
    else:
        sockets = ""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' blob: data:",
            "media-src 'self' blob:",
            "font-src 'self'",
            f"connect-src 'self'{sockets}",
            "manifest-src 'self'",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            f"frame-ancestors {' '.join(ancestors)}",
            "require-trusted-types-for 'script'",
            f"trusted-types {TEMPLATES} {SHELL}",
        )
    )


def html(request: Request, body: bytes, status: int = 200, *, embedded: bool = False) -> Response:
    """Return a page with its policy.

    Browsers revalidate it on each visit, so that it names the current assets.
    """
    host = headers.value(auth.raw_headers(request), b"host")
    policy = content_security_policy(auth.services_of(request), host, embedded=embedded)
    kept = {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
    return Response(body, status, kept, media_type=HTML)


def _welcome() -> Response:
    return Response(wire.dumps({"message": WELCOME}), media_type=JSON)


def _page(request: Request, index: Asset | None, *, embedded: bool = False) -> Response:
    if index is None:
        return Response(MISSING + "\n", 503, media_type="text/plain; charset=utf-8")
    about = _about_host(auth.services_of(request), embedded=embedded)
    return html(request, index.body.replace(b"</head>", about + b"</head>", 1), embedded=embedded)


def _about_host(services: Services, *, embedded: bool) -> bytes:
    """Return what the page needs to know about the host application, as an element; often nothing."""
    host = services.external_auth
    found: dict[str, object] = {"login_url": host.login_url, "token_url": host.token_url} if host is not None else {}
    if embedded:
        origins = [origin for origin in services.settings.frame_ancestors if origin != "'self'"]
        found |= {"embedded": True, "ancestors": origins}
    found = {name: value for name, value in found.items() if value is not None}
    return (
        f'<meta name="hubbub-host" content="{markup.escape(wire.dumps(found).decode())}" />'.encode() if found else b""
    )


def _accepts_gzip(header: str) -> bool:
    """Return whether an Accept-Encoding allows gzip (RFC 9110, section 12.5.3)."""
    return _GZIP.search(header) is not None


def _load(folder: Path) -> dict[str, Asset]:
    if not folder.is_dir():
        return {}
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            body = path.read_bytes()
            tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            found[path.relative_to(folder).as_posix()] = Asset(body, media_type_of(path.name), tag)
    return found


def media_type_of(name: str) -> str:
    """Return the media type for a file name.

    Types that browsers insist on do not depend on the system's table, which may be empty.
    """
    known = MEDIA_TYPES.get(Path(name).suffix)
    if known is not None:
        return known
    guessed, _ = mimetypes.guess_type(name)
    if guessed is None:
        return "application/octet-stream"
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed


_ALSO_HTML = {
    "responses": {
        "200": {"description": "Successful Response", "content": {"text/html": {"schema": {"type": "string"}}}},
        "503": {
            "description": "Busy, or the web client is not built.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
    }
}
