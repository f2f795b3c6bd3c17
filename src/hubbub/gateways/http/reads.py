"""Read positions: forward in a room, back to a message, and forward in many rooms at once."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import FailFast, Field

from hubbub.domain.commands import MessageSeq, ReadRoom, ReadRooms, RoomRead, Seq, UnreadRoom
from hubbub.domain.model import Frozen, MaybePosition
from hubbub.domain.text import MAX_READ_ROOMS
from hubbub.gateways.http.auth import Active, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.rooms import RoomId
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api", tags=["rooms"], route_class=StrictRoute)


class Reading(Frozen):
    """How far one has read."""

    seq: Seq = Field(examples=[1])
    """Up to which seq of the room's log; not above its head."""


class Unreading(Frozen):
    """From where on one has not read."""

    message: MessageSeq = Field(examples=[2])
    """The seq of the first message that is to be unread."""


class Readings(Frozen):
    """How far one has read in several rooms."""

    rooms: Annotated[list[RoomRead], FailFast(), Field(min_length=1, max_length=MAX_READ_ROOMS)]


@router.post("/rooms/{room}/read", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 413, 429))
async def read_room(room: RoomId, body: Reading, caller: Active, services: Running) -> Response:
    """Moves one's read position forward."""
    return reply((await services.journal.submit(ReadRoom(room=room, seq=body.seq), caller.actor)).answer)


@router.post("/rooms/{room}/unread", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 413, 429))
async def unread_room(room: RoomId, body: Unreading, caller: Active, services: Running) -> Response:
    """Moves one's read position back to just before a message."""
    command = UnreadRoom(room=room, message=body.message)
    return reply((await services.journal.submit(command, caller.actor)).answer)


@router.post("/reads", response_model=MaybePosition, responses=refusals(400, 401, 403, 413, 429))
async def read_rooms(body: Readings, caller: Active, services: Running) -> Response:
    """Moves several read positions forward; a room one is not in is passed over."""
    command = ReadRooms(rooms=tuple(body.rooms))
    return reply((await services.journal.submit(command, caller.actor)).answer)
