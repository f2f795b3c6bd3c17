"""Routes for read positions.

They move forward in one or many rooms, or back to a message.
"""

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
    """A read position."""

    seq: Seq = Field(examples=[1])
    """The seq up to which the room is read; not above the head of the room's topic."""


class Unreading(Frozen):
    """The point from which a room is unread."""

    message: MessageSeq = Field(examples=[2])
    """The seq of the first message to mark as unread."""


class Readings(Frozen):
    """Read positions in several rooms."""

    rooms: Annotated[list[RoomRead], FailFast(), Field(min_length=1, max_length=MAX_READ_ROOMS)]


@router.post("/rooms/{room}/read", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 413, 429))
async def read_room(room: RoomId, body: Reading, caller: Active, services: Running) -> Response:
    """Move the caller's read position forward."""
    return reply((await services.journal.submit(ReadRoom(room=room, seq=body.seq), caller.actor)).answer)


@router.post("/rooms/{room}/unread", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 413, 429))
async def unread_room(room: RoomId, body: Unreading, caller: Active, services: Running) -> Response:
    """Move the caller's read position back to just before a message."""
    command = UnreadRoom(room=room, message=body.message)
    return reply((await services.journal.submit(command, caller.actor)).answer)


@router.post("/reads", response_model=MaybePosition, responses=refusals(400, 401, 403, 413, 429))
async def read_rooms(body: Readings, caller: Active, services: Running) -> Response:
    """Move several read positions forward.

    Rooms the caller is not a member of are skipped.
    """
    command = ReadRooms(rooms=tuple(body.rooms))
    return reply((await services.journal.submit(command, caller.actor)).answer)
