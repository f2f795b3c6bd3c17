"""The web client: one page and its hashed assets, out of the package. Read once; nothing else can be asked for."""

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response

from hubbub.domain.errors import NotFound
from hubbub.domain.model import Wire
from hubbub.engine.services import Services
from hubbub.gateways.http import auth
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict_json import JSON, StrictRoute
from hubbub.protocol import headers, wire

logger = structlog.get_logger(__name__)

FOLDER = Path(__file__).parents[2] / "web_dist"
HTML = "text/html; charset=utf-8"
TEMPLATES = "svelte-trusted-html"
"""The one policy that may make HTML of a string: Svelte's own, for the templates it was compiled with."""
SHELL = "hubbub-shell"
"""The one policy that may make an address of a script: it knows one, the service worker's (`web/src/shell`)."""
FOR_EVER = "public, max-age=31536000, immutable"
WORKER_POLICY = "default-src 'none'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
MISSING = (
    "The web client is not built. Build it with `make setup` (or `npm run build` in web/), then start again. "
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
WELCOME = "Welcome to Hubbub! People come in with a browser, programs with a token; /docs says how."


class Greeting(Wire):
    """The tutorial's welcome."""

    message: str


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    media_type: str
    tag: str


def create_router(folder: Path = FOLDER) -> APIRouter:
    """The pages and assets in `folder`; one sentence instead of the page where there is none."""
    router = APIRouter(tags=["web"], route_class=StrictRoute)
    assets = _load(folder)
    index = assets.pop("index.html", None)
    if index is None:
        logger.warning("web_client_missing", advice=MISSING)

    @router.head("/", include_in_schema=False)
    @router.get("/", response_model=Greeting, responses=refusals(), openapi_extra=_ALSO_HTML)
    async def welcome(request: Request) -> Response:
        """The web client for browsers, a greeting for everybody else."""
        answer = _page(request, index) if wants_html(request) else _welcome()
        answer.headers["Vary"] = "Accept"
        return answer

    async def page(request: Request) -> Response:
        return _page(request, index)

    for path in ("/setup", "/invite", "/reset"):
        router.add_api_route(path, page, methods=["GET", "HEAD"], include_in_schema=False)

    _add_worker(router, assets)

    @router.head("/assets/{name}", include_in_schema=False)
    @router.get("/assets/{name}", include_in_schema=False)
    async def asset(name: str, request: Request) -> Response:
        found = assets.get(f"assets/{name}")
        if found is None:
            raise NotFound("There is nothing at this address.")
        kept = {"Cache-Control": FOR_EVER, "ETag": found.tag}
        if found.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=kept)
        return Response(found.body, headers=kept, media_type=found.media_type)

    return router


def _add_worker(router: APIRouter, assets: dict[str, Asset]) -> None:
    """The service worker, which keeps the page in the browser; it lies where the page lies, since that is its scope."""

    @router.head("/sw.js", include_in_schema=False)
    @router.get("/sw.js", include_in_schema=False)
    async def worker() -> Response:
        found = assets.get("sw.js")
        if found is None:
            raise NotFound("There is nothing at this address.")
        # Its policy is its own, not the page's (CSP Level 3, section 2.2.2).
        kept = {"Content-Security-Policy": WORKER_POLICY, "Cache-Control": "no-cache"}
        return Response(found.body, headers=kept, media_type=found.media_type)


def content_security_policy(services: Services, host: str | None) -> str:
    """For pages: nothing but what we serve ourselves, nothing inline (CSP Level 3, Trusted Types).

    The socket's address is spelled out, since older Safari does not take 'self' for it.
    """
    public = services.settings.public_origin
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
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            f"trusted-types {TEMPLATES} {SHELL}",
        )
    )


def html(request: Request, body: bytes, status: int = 200) -> Response:
    """A page with its policy; it is asked for anew each time, so that it names the present assets."""
    host = headers.value(auth.raw_headers(request), b"host")
    policy = content_security_policy(auth.services_of(request), host)
    kept = {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
    return Response(body, status, kept, media_type=HTML)


def wants_html(request: Request) -> bool:
    """Whether Accept names text/html itself, as browsers do and programs do not (RFC 9110, section 12.5.1)."""
    for part in request.headers.get("accept", "").lower().split(","):
        media, _, parameters = part.strip().partition(";")
        if media.strip() == "text/html":
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _welcome() -> Response:
    return Response(wire.dumps({"message": WELCOME}), media_type=JSON)


def _page(request: Request, index: Asset | None) -> Response:
    if index is None:
        return Response(MISSING + "\n", 503, media_type="text/plain; charset=utf-8")
    return html(request, index.body)


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
    """By the name's ending; what browsers insist on does not depend on the system's own table, which may be empty."""
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
        "503": {"description": "Busy, or not built.", "content": {"text/plain": {"schema": {"type": "string"}}}},
    }
}
