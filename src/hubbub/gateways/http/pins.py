"""Pins: keep a message in view, let it go, and what is kept."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from hubbub.domain.commands import PinMessage, UnpinMessage
from hubbub.domain.model import MaybePosition, Pin, Wire
from hubbub.domain.text import MAX_ID
from hubbub.features import pins
from hubbub.gateways.http.auth import Active, Running, Somebody
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.messages import MessageId
from hubbub.gateways.http.rooms import Limit, RoomId
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/rooms/{room}/pins", tags=["messages"], route_class=StrictRoute)

Before = Annotated[int | None, Query(ge=0, le=MAX_ID, description="The `seq` of the pin the page before ended with.")]


class PinsPage(Wire):
    """A page of a room's pinned messages, newest first."""

    pins: list[Pin]
    more: bool
    """Whether there are older ones."""
    heads: dict[str, int]
    """The head of the room's topic the page was read at."""


@router.get("", response_model=PinsPage, responses=refusals(400, 401, 404))
async def list_pins(
    room: RoomId, caller: Somebody, services: Running, before: Before = None, limit: Limit = 100
) -> Response:
    """What is pinned in a room."""
    return reply(await services.read(pins.listing, caller.id, room, before, limit))


@router.put("/{message}", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 409, 429))
async def pin_message(room: RoomId, message: MessageId, caller: Active, services: Running) -> Response:
    """Keeps a message in view for everybody. Twice is fine."""
    command = PinMessage(room=room, message=message)
    return reply((await services.journal.submit(command, caller.actor)).answer)


@router.delete("/{message}", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 429))
async def unpin_message(room: RoomId, message: MessageId, caller: Active, services: Running) -> Response:
    """A message is no longer kept in view. Twice is fine."""
    command = UnpinMessage(room=room, message=message)
    return reply((await services.journal.submit(command, caller.actor)).answer)
