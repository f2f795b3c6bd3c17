"""The HTTP application: all routes, one error format, and the middleware."""

from threading import Lock
from typing import Any, get_args

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_fields_from_routes

from hubbub.domain.commands import AnyStaffCommand, AnyWireCommand
from hubbub.domain.commands.examples import shown
from hubbub.engine.services import Services
from hubbub.gateways.http import (
    accounts,
    commands,
    docs,
    errors,
    followers,
    health,
    invites,
    members,
    messages,
    metrics,
    pins,
    presence,
    reactions,
    rooms,
    search,
    sessions,
    site,
    site_settings,
    topics,
    users,
    web,
    webhooks,
)
from hubbub.gateways.http.middleware import EdgeMiddleware
from hubbub.version import __version__

DESCRIPTION = """\
Real-time chat. The same commands are available over WebSocket at `/ws` (subprotocol `hubbub.v1`).

Programs log in with the form at `POST /token` and send `Authorization: Bearer ACCESS_TOKEN`. Browsers use
`POST /api/login` and its cookie. Every error has the shape `{"error": {"code", "message", "retry_after"?}}`.
"""
ROUTERS = (
    site.router, accounts.router, sessions.router, users.router, rooms.router, members.router, messages.router,
    pins.router, reactions.router, presence.router, search.router, commands.router, topics.router,
    invites.router, followers.router, webhooks.router, site_settings.router, health.router, metrics.router,
)  # fmt: skip


OF_OWN_ACCOUNTS = (accounts.router, sessions.router)
"""Routers that do not exist when the host application authenticates the users."""


class Application(FastAPI):
    """FastAPI whose document declares status 400 for invalid requests, not 422."""

    _lock = Lock()

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document. The first call creates it; any thread may call."""
        with self._lock:
            return self._document()

    def _document(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            # FastAPI looks fields up by identity. If two threads are the first to request a model's
            # fields, they get different objects; requests look fields up too. After this call all
            # threads get the same objects.
            get_fields_from_routes(self.routes)
            document = super().openapi()
            for methods in document["paths"].values():
                for operation in methods.values():
                    operation["responses"].pop("422", None)
            for unused in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(unused, None)
            self.openapi_schema = {
                **document, "paths": plain(document["paths"]), "components": plain(document["components"])
            }  # fmt: skip
            _add_examples(self.openapi_schema["paths"])
        return self.openapi_schema


def plain(schema: Any) -> Any:
    """Remove titles that repeat field names, and null defaults ("optional")."""
    if isinstance(schema, dict):
        return {
            key: plain(value)
            for key, value in schema.items()
            if not (key == "title" and isinstance(value, str)) and not (key == "default" and value is None)
        }
    return [plain(value) for value in schema] if isinstance(schema, list) else schema


def _add_examples(paths: dict[str, Any]) -> None:
    """Add the example of each command to the body of its route."""
    for command in get_args(AnyWireCommand) + get_args(AnyStaffCommand):
        method, path = command.rest
        body = paths.get(path, {}).get(method.lower(), {}).get("requestBody")  # the operator's routes are no commands
        if body is not None:
            fields = shown(command, command.example)
            example = {name: value for name, value in fields.items() if f"{{{name}}}" not in path}
            body["content"]["application/json"]["example"] = example


def create_app(services: Services) -> FastAPI:
    """Return the application for these services. Any ASGI server can run it."""
    app = Application(
        title=services.site.name,
        version=__version__,
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.services = services
    errors.install(app)
    for router in (*ROUTERS, web.create_router(), docs.create_router(app)):
        if services.external_auth is None or router not in OF_OWN_ACCOUNTS:
            add_routes(app, router)
    app.add_middleware(EdgeMiddleware, services=services)
    return app


def add_routes(app: FastAPI, router: APIRouter) -> None:
    """Add the routes of a router as they are.

    `include_router` would build them again for each application, in its first request.
    """
    app.router.routes.extend(router.routes)
