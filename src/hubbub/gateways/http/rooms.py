"""Rooms: the directory, one room, read positions."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic import Field

from hubbub.domain.commands import CreateRoom, ReadRoom, Seq
from hubbub.domain.model import Frozen, MaybePosition, Member, Room, RoomPosition, Wire
from hubbub.domain.names import RoomName
from hubbub.domain.text import MAX_ID, MAX_PAGE, Key
from hubbub.features import rooms
from hubbub.gateways.http.auth import Active, Running, Somebody
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict import StrictRoute, reply

router = APIRouter(prefix="/api/rooms", tags=["rooms"], route_class=StrictRoute)

RoomId = Annotated[int, Path(ge=1, le=MAX_ID, examples=[1])]
UserId = Annotated[int, Path(ge=1, le=MAX_ID, examples=[1])]
After = Annotated[int, Query(ge=0, le=MAX_ID, description="The id the page before ended with.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


class NewRoom(Frozen):
    """`key` makes a retry harmless: the same key gives the same room."""

    kind: Literal["public"] = "public"
    name: RoomName = Field(examples=["The Lounge"])
    """1 to 64 printable characters; unique among public rooms, also among names that look alike."""
    key: Key | None = None


class Reading(Frozen):
    """How far one has read."""

    seq: Seq = Field(examples=[1])
    """Up to which seq of the room's log; not above its head."""


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
async def list_rooms(caller: Somebody, services: Running, after: After = 0, limit: Limit = 100) -> Response:
    """Every room one may see, joined or not, the lobby first."""
    return reply(await services.read(rooms.directory, caller.id, after, limit))


@router.post("", status_code=201, response_model=RoomPosition, responses=refusals(400, 401, 403, 409, 413, 429))
async def create_room(body: NewRoom, caller: Active, services: Running) -> Response:
    """Makes a room with oneself in it. The same key gives the same room again."""
    command = CreateRoom(kind=body.kind, name=body.name, key=body.key)
    return reply((await services.journal.submit(command, caller.actor)).answer, 201)


@router.get("/{room}", response_model=RoomDetail, responses=refusals(400, 401, 404))
async def show_room(room: RoomId, caller: Somebody, services: Running) -> Response:
    """One room as one sees it."""
    return reply(await services.read(rooms.detail, caller.id, room))


@router.post("/{room}/read", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 413, 429))
async def read_room(room: RoomId, body: Reading, caller: Active, services: Running) -> Response:
    """Moves one's read position forward."""
    return reply((await services.journal.submit(ReadRoom(room=room, seq=body.seq), caller.actor)).answer)
