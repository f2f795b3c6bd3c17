"""`/docs`: a page that shows OpenAPI, from packaged files, for everybody, under the same policy as the web client."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hubbub.gateways.http.web import html, media_type_of

FOLDER = Path(__file__).parent / "docs_page"


def create_router() -> APIRouter:
    router = APIRouter()
    page = (FOLDER / "docs.html").read_bytes()
    files = {name: (FOLDER / name).read_bytes() for name in ("docs.js", "docs.css")}

    @router.head("/docs", include_in_schema=False)
    @router.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return html(request, page)

    for name, body in files.items():
        router.add_api_route(f"/docs/{name}", _file(name, body), methods=["GET", "HEAD"], include_in_schema=False)
    return router


def _file(name: str, body: bytes) -> Callable[[], Awaitable[Response]]:
    async def serve() -> Response:
        return Response(body, headers={"Cache-Control": "no-cache"}, media_type=media_type_of(name))

    return serve
