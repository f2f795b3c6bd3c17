"""Routes for rooms: the directory, a room's properties, the caller's settings."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from hubbub.domain.commands import (
    ArchiveRoom,
    SetRoomPreferences,
    CreateRoom,
    NewRoom,
    RestoreRoom,
    UpdateRoom,
)
from hubbub.domain.model import Frozen, History, MaybePosition, Member, Room, RoomPosition, Wire
from hubbub.domain.names import RoomName
from hubbub.domain.text import MAX_ID, MAX_PAGE, RoomDescription, RoomTopicLine
from hubbub.features import rooms
from hubbub.gateways.http.auth import Active, Founder, LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/rooms", tags=["rooms"], route_class=StrictRoute)

RoomId = Annotated[int, Path(ge=1, le=MAX_ID, examples=[1])]
UserId = Annotated[int, Path(ge=1, le=MAX_ID, examples=[1])]
After = Annotated[int, Query(ge=0, le=MAX_ID, description="The id of the last item of the previous page.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


class Changes(Frozen):
    """Changes to a room.

    Fields that are left out do not change. A direct room has no name and no history setting.
    """

    name: RoomName | None = None
    topic: RoomTopicLine | None = None
    """Empty to remove it."""
    description: RoomDescription | None = None
    """Empty to remove it."""
    history: History | None = None


class Settings(Frozen):
    """The caller's own settings for a room. Fields that are left out do not change."""

    favourite: bool | None = None
    muted: bool | None = None


class RoomsPage(Wire):
    """A page of the directory."""

    rooms: list[Room]
    more: bool
    """Whether there are further rooms."""


class RoomDetail(Wire):
    """A room with its first members, read at one point in time."""

    room: Room
    members: list[Member]
    """The first 100 members; empty if the caller is not a member."""
    more_members: bool
    """Whether there are further members: `GET /api/rooms/{room}/members` lists them."""
    read: int | None
    """The seq up to which the caller has read; null if the caller is not a member."""
    heads: dict[str, int]
    """The head of the room's topic at the time of reading; empty if the caller is not a member."""


@router.get("", response_model=RoomsPage, responses=refusals(400, 401))
async def list_rooms(
    caller: LoggedIn,
    services: Running,
    after: After = 0,
    limit: Limit = 100,
    archived: Annotated[bool, Query(description="false leaves archived rooms out")] = True,
) -> Response:
    """List the public rooms and the caller's own rooms, the lobby first."""
    return reply(await services.read(rooms.directory, caller.id, after, limit, archived=archived))


@router.post("", status_code=201, response_model=RoomPosition, responses=refusals(400, 401, 403, 404, 409, 413, 429))
async def create_room(body: NewRoom, caller: Founder, services: Running) -> Response:
    """Create a room with the caller as a member.

    A retry with the same key returns the same room. So does a direct room with the same users.
    """
    command = CreateRoom.model_validate(body.model_dump(by_alias=True))
    return reply((await services.journal.submit(command, caller.actor)).answer, 201)


@router.get("/{room}", response_model=RoomDetail, responses=refusals(400, 401, 404))
async def show_room(room: RoomId, caller: LoggedIn, services: Running) -> Response:
    """Return a room as the caller sees it."""
    return reply(await services.read(rooms.detail, caller.id, room))


@router.patch("/{room}", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 409, 413, 429))
async def update_room(room: RoomId, body: Changes, caller: Active, services: Running) -> Response:
    """Change the given properties of a room. Requires a moderator of the room."""
    command = UpdateRoom(room=room, **body.model_dump())
    return reply((await services.journal.submit(command, caller.actor)).answer)


@router.post("/{room}/archive", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 429))
async def archive_room(room: RoomId, caller: Active, services: Running) -> Response:
    """Archive a room: it becomes read-only.

    Requires the room's owner or an admin. Idempotent.
    """
    return reply((await services.journal.submit(ArchiveRoom(room=room), caller.actor)).answer)


@router.post("/{room}/restore", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 429))
async def restore_room(room: RoomId, caller: Active, services: Running) -> Response:
    """Restore an archived room. Requires the room's owner or an admin. Idempotent."""
    return reply((await services.journal.submit(RestoreRoom(room=room), caller.actor)).answer)


@router.patch("/{room}/settings", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 413, 429))
async def change_settings(room: RoomId, body: Settings, caller: Active, services: Running) -> Response:
    """Change the caller's own settings for the room, on all their devices."""
    command = SetRoomPreferences(room=room, **body.model_dump())
    return reply((await services.journal.submit(command, caller.actor)).answer)
