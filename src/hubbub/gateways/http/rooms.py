"""Rooms: the directory, one room, what it is to oneself."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from hubbub.domain.commands import (
    ArchiveRoom,
    ChangeSettings,
    CreateRoom,
    NewRoom,
    RestoreRoom,
    UpdateRoom,
)
from hubbub.domain.model import Frozen, History, MaybePosition, Member, Room, RoomPosition, Wire
from hubbub.domain.names import RoomName
from hubbub.domain.text import MAX_ID, MAX_PAGE, RoomDescription, RoomTopicLine
from hubbub.features import rooms
from hubbub.gateways.http.auth import Active, Founder, Running, Somebody
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/rooms", tags=["rooms"], route_class=StrictRoute)

RoomId = Annotated[int, Path(ge=1, le=MAX_ID, examples=[1])]
UserId = Annotated[int, Path(ge=1, le=MAX_ID, examples=[1])]
After = Annotated[int, Query(ge=0, le=MAX_ID, description="The id the page before ended with.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


class Changes(Frozen):
    """What is left out stays. A direct room has neither name nor history to change."""

    name: RoomName | None = None
    topic: RoomTopicLine | None = None
    """Empty for none."""
    description: RoomDescription | None = None
    """Empty for none."""
    history: History | None = None


class Settings(Frozen):
    """What a room is to oneself; what is left out stays."""

    favourite: bool | None = None
    muted: bool | None = None


class RoomsPage(Wire):
    """A page of the directory."""

    rooms: list[Room]
    more: bool
    """Whether there are rooms after the last of these."""


class RoomDetail(Wire):
    """A room, all of it read at once."""

    room: Room
    members: list[Member]
    """The first hundred; empty for those who are not members."""
    more_members: bool
    """Whether there are more: `GET /api/rooms/{room}/members` has them."""
    read: int | None
    """The seq up to which one has read; null for those who are not members."""
    heads: dict[str, int]
    """The head of the room's topic all of this was read at; empty for those who are not members."""


@router.get("", response_model=RoomsPage, responses=refusals(400, 401))
async def list_rooms(
    caller: Somebody,
    services: Running,
    after: After = 0,
    limit: Limit = 100,
    archived: Annotated[bool, Query(description="false leaves archived rooms out")] = True,
) -> Response:
    """Every room one may see, joined or not, the lobby first: public ones, and those one is in."""
    return reply(await services.read(rooms.directory, caller.id, after, limit, archived=archived))


@router.post("", status_code=201, response_model=RoomPosition, responses=refusals(400, 401, 403, 404, 409, 413, 429))
async def create_room(body: NewRoom, caller: Founder, services: Running) -> Response:
    """Makes a room with oneself in it. The same key gives the same room again, and so do the same people, alone."""
    command = CreateRoom.model_validate(body.model_dump(by_alias=True))
    return reply((await services.journal.submit(command, caller.actor)).answer, 201)


@router.get("/{room}", response_model=RoomDetail, responses=refusals(400, 401, 404))
async def show_room(room: RoomId, caller: Somebody, services: Running) -> Response:
    """One room as one sees it."""
    return reply(await services.read(rooms.detail, caller.id, room))


@router.patch("/{room}", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 409, 413, 429))
async def update_room(room: RoomId, body: Changes, caller: Active, services: Running) -> Response:
    """Changes what is given: for those who look after the room."""
    command = UpdateRoom(room=room, **body.model_dump())
    return reply((await services.journal.submit(command, caller.actor)).answer)


@router.post("/{room}/archive", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 429))
async def archive_room(room: RoomId, caller: Active, services: Running) -> Response:
    """Nothing more is said in it, what was said stays: for the room's owner and admins. Twice is fine."""
    return reply((await services.journal.submit(ArchiveRoom(room=room), caller.actor)).answer)


@router.post("/{room}/restore", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 429))
async def restore_room(room: RoomId, caller: Active, services: Running) -> Response:
    """The archived room is open again: for the room's owner and admins. Twice is fine."""
    return reply((await services.journal.submit(RestoreRoom(room=room), caller.actor)).answer)


@router.patch("/{room}/settings", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 413, 429))
async def change_settings(room: RoomId, body: Settings, caller: Active, services: Running) -> Response:
    """Says what the room is to oneself, on all one's devices."""
    command = ChangeSettings(room=room, **body.model_dump())
    return reply((await services.journal.submit(command, caller.actor)).answer)
