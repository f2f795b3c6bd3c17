"""Routes that read rooms: the directory, and one room."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic import AfterValidator, StringConstraints

from hubbub.domain.errors import BadRequest
from hubbub.domain.model import Member, Room, Wire
from hubbub.domain.names import MAX_ROOM_NAME
from hubbub.domain.text import MAX_ID, MAX_PAGE, check
from hubbub.features import rooms
from hubbub.gateways.http.auth import LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/rooms", tags=["rooms"], route_class=StrictRoute)

RoomId = Annotated[int, Path(ge=1, le=MAX_ID, examples=[1])]
UserId = Annotated[int, Path(ge=1, le=MAX_ID, examples=[1])]
After = Annotated[int, Query(ge=0, le=MAX_ID, description="The `id` of the last entry of the previous page.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


NamePart = Annotated[
    str,
    StringConstraints(max_length=MAX_ROOM_NAME),
    AfterValidator(check),
    Query(
        description="Part of a name; case, accents and look-alike letters don't matter. Empty lists everything."
        " The best matches come first, and there is only one page of them.",
        examples=["al"],
    ),
]


def one_page(q: str, after: int) -> bool:
    """Return whether names are searched for. Raises BadRequest: a search has no further pages."""
    searched = q.strip() != ""
    if searched and after:
        raise BadRequest("Give only one of q and after.")
    return searched


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
    heads: dict[str, int]
    """The head of the room's topic at the time of reading; empty if the caller is not a member."""


@router.get("", response_model=RoomsPage, responses=refusals(400, 401))
async def list_rooms(
    caller: LoggedIn,
    services: Running,
    q: NamePart = "",
    after: After = 0,
    limit: Limit = 100,
    archived: Annotated[bool, Query(description="false leaves archived rooms out")] = True,
) -> Response:
    """List the public rooms and the caller's own rooms, the lobby first.

    Or search them by any part of their names; direct rooms have none.
    """
    if one_page(q, after):
        return reply(await services.read(rooms.search, caller.id, q, limit, archived=archived))
    return reply(await services.read(rooms.directory, caller.id, after, limit, archived=archived))


@router.get("/{room}", response_model=RoomDetail, responses=refusals(400, 401, 404))
async def show_room(room: RoomId, caller: LoggedIn, services: Running) -> Response:
    """Return a room as the caller sees it."""
    return reply(await services.read(rooms.detail, caller.id, room))
