"""Health: alive, and able to serve."""

from typing import Literal

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from hubbub.domain.model import Wire
from hubbub.gateways.http.auth import Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict_json import StrictRoute, reply
from hubbub.storage import log

router = APIRouter(prefix="/health", tags=["operation"], route_class=StrictRoute)


class Health(Wire):
    """A sign of life."""

    status: Literal["ok"]


@router.head("", include_in_schema=False)
@router.get("", response_model=Health, responses=refusals())
async def health() -> Response:
    """The process answers."""
    return reply({"status": "ok"})


@router.head("/ready", include_in_schema=False)
@router.get("/ready", response_model=Health, responses=refusals())
async def ready(services: Running) -> Response:
    """The database answers too."""
    await services.read(_look)
    return reply({"status": "ok"})


def _look(connection: Connection) -> None:
    log.epoch(connection)
