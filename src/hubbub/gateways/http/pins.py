"""The route that lists pinned messages."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from hubbub.domain.model import Pin, Wire
from hubbub.domain.text import MAX_ID
from hubbub.features import pins
from hubbub.gateways.http.auth import LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.rooms import Limit, RoomId
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/rooms/{room}/pins", tags=["messages"], route_class=StrictRoute)

Before = Annotated[int | None, Query(ge=0, le=MAX_ID, description="The `seq` of the last entry of the previous page.")]


class PinsPage(Wire):
    """A page of a room's pinned messages, newest first."""

    pins: list[Pin]
    more: bool
    """Whether there are older pins."""
    heads: dict[str, int]
    """The head of the room's topic at the time of reading."""


@router.get("", response_model=PinsPage, responses=refusals(400, 401, 404))
async def list_pins(
    room: RoomId, caller: LoggedIn, services: Running, before: Before = None, limit: Limit = 100
) -> Response:
    """List the pinned messages of a room."""
    return reply(await services.read(pins.listing, caller.id, room, before, limit))
