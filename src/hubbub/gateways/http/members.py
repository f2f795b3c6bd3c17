"""Routes that list members, online members and bans."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from hubbub.domain.model import Ban, Member, Person, Wire
from hubbub.domain.text import MAX_ID
from hubbub.engine import online_members
from hubbub.features import members
from hubbub.gateways.http.auth import LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.rooms import After, Limit, NamePart, RoomId, one_page
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/rooms/{room}", tags=["members"], route_class=StrictRoute)

AfterUser = Annotated[int, Query(ge=0, le=MAX_ID, description="The `user` of the last entry of the previous page.")]


class MembersPage(Wire):
    """A page of a room's members, ordered by user id, or the best match first."""

    members: list[Member]
    more: bool
    """Whether there are further members."""
    heads: dict[str, int]
    """The head of the room's topic at the time of reading."""


class BansPage(Wire):
    """A page of a room's bans, ordered by user id."""

    bans: list[Ban]
    more: bool
    """Whether there are further bans."""


class Online(Wire):
    """A page of the users who are online in a room, ordered by user id."""

    users: list[Person]
    """Members with an open connection on any device."""
    more: bool
    """Whether there are further users."""


@router.get("/members", response_model=MembersPage, responses=refusals(400, 401, 404))
async def list_members(
    room: RoomId, caller: LoggedIn, services: Running, q: NamePart = "", after: After = 0, limit: Limit = 100
) -> Response:
    """List the members of a room, or search them by any part of their names."""
    if one_page(q, after):
        return reply(await services.read(members.search, caller.actor, room, q, limit))
    return reply(await services.read(members.listing, caller.actor, room, after, limit))


@router.get("/online-members", response_model=Online, responses=refusals(400, 401, 404))
async def list_online(
    room: RoomId, caller: LoggedIn, services: Running, after: After = 0, limit: Limit = 100
) -> Response:
    """List the members who are online, ordered by user id."""
    await services.read(members.listing, caller.actor, room, 0, 1)  # raises NotFound if the caller is not a member
    return reply(await online_members.online(services.hub, services.read, room, after, limit))


@router.get("/bans", response_model=BansPage, responses=refusals(400, 401, 403, 404))
async def list_bans(
    room: RoomId, caller: LoggedIn, services: Running, after: AfterUser = 0, limit: Limit = 100
) -> Response:
    """List the bans of a room, ordered by user id. Requires permission to ban."""
    return reply(await services.read(members.banned, caller.actor, room, after, limit))
