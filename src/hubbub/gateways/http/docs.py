"""OpenAPI, and the page `/docs` that shows it.

The page consists of packaged files and has the web client's policy.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response

from hubbub.gateways.http import auth
from hubbub.gateways.http.strict_json import JSON, StrictRoute
from hubbub.gateways.http.web import html, media_type_of
from hubbub.protocol import wire

FOLDER = Path(__file__).parent / "docs_page"


def create_router(app: FastAPI) -> APIRouter:
    """Return the routes for the document of `app`.

    The first request creates the document. Its title is the present name of the site.
    """
    router = APIRouter(route_class=StrictRoute)
    documents: dict[str, bytes] = {}
    page = (FOLDER / "docs.html").read_bytes()
    files = {name: (FOLDER / name).read_bytes() for name in ("docs.js", "docs.css")}

    @router.head("/docs", include_in_schema=False)
    @router.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return html(request, page)

    @router.head("/openapi.json", include_in_schema=False)
    @router.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> Response:
        name = auth.services_of(request).site.name
        body = documents.get(name)
        if body is None:  # takes a few hundred milliseconds: not on the event loop
            found = await asyncio.to_thread(app.openapi)
            body = wire.dumps({**found, "info": {**found["info"], "title": name}})
            documents.clear()
            documents[name] = body
        if root_path := request.scope.get("root_path"):
            body = b'{"servers":' + wire.dumps([{"url": root_path}]) + b"," + body[1:]
        return Response(body, headers={"Cache-Control": "no-cache"}, media_type=JSON)

    for name, body in files.items():
        router.add_api_route(f"/docs/{name}", _file(name, body), methods=["GET", "HEAD"], include_in_schema=False)
    return router


def _file(name: str, body: bytes) -> Callable[[], Awaitable[Response]]:
    async def serve() -> Response:
        return Response(body, headers={"Cache-Control": "no-cache"}, media_type=media_type_of(name))

    return serve
