"""Routes for pins: pin, unpin, list."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from hubbub.domain.commands import PinMessage, UnpinMessage
from hubbub.domain.model import MaybePosition, Pin, Wire
from hubbub.domain.text import MAX_ID
from hubbub.features import pins
from hubbub.gateways.http.auth import Active, LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.messages import MessageId
from hubbub.gateways.http.rooms import Limit, RoomId
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/rooms/{room}/pins", tags=["messages"], route_class=StrictRoute)

Before = Annotated[int | None, Query(ge=0, le=MAX_ID, description="The `seq` of the last pin of the previous page.")]


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


@router.put("/{message}", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 409, 429))
async def pin_message(room: RoomId, message: MessageId, caller: Active, services: Running) -> Response:
    """Pin a message for all members. Idempotent."""
    command = PinMessage(room=room, message=message)
    return reply((await services.journal.submit(command, caller.actor)).answer)


@router.delete("/{message}", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 429))
async def unpin_message(room: RoomId, message: MessageId, caller: Active, services: Running) -> Response:
    """Unpin a message. Idempotent."""
    command = UnpinMessage(room=room, message=message)
    return reply((await services.journal.submit(command, caller.actor)).answer)
