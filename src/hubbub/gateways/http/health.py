"""Health checks: liveness and readiness."""

from typing import Literal

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from hubbub.domain.errors import Unavailable
from hubbub.domain.model import Wire
from hubbub.gateways.http.auth import Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict_json import StrictRoute, reply
from hubbub.storage import log

STOPPING = "The server is shutting down. Try again in a few seconds."

router = APIRouter(prefix="/health", tags=["operation"], route_class=StrictRoute)


class Health(Wire):
    """The result of a health check."""

    status: Literal["ok"]


@router.head("", include_in_schema=False)
@router.get("", response_model=Health, responses=refusals())
async def health() -> Response:
    """Report that the process responds."""
    return reply({"status": "ok"})


@router.head("/ready", include_in_schema=False)
@router.get("/ready", response_model=Health, responses=refusals())
async def ready(services: Running) -> Response:
    """Report that the database responds as well, and that the server is not stopping."""
    if services.stopping.has_begun:
        raise Unavailable(STOPPING)
    await services.read(_query_database)
    return reply({"status": "ok"})


def _query_database(connection: Connection) -> None:
    log.epoch(connection)
