"""Routes for members, online users and bans: list, join, leave, add, remove, ban."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import Field

from hubbub.domain.commands import (
    BanMember,
    Command,
    Id,
    AddMember,
    JoinRoom,
    LeaveRoom,
    RemoveMember,
    SetMemberRole,
    UnbanMember,
)
from hubbub.domain.model import Ban, Frozen, MaybePosition, Member, Person, Position, RoomPosition, RoomRole, Wire
from hubbub.domain.text import Reason
from hubbub.engine import online_members
from hubbub.features import members
from hubbub.gateways.http.auth import Active, LoggedIn, Running
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.rooms import After, Limit, RoomId, UserId
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/rooms/{room}", tags=["members"], route_class=StrictRoute)


class Guest(Frozen):
    """The user to add to the room."""

    user: Id = Field(examples=[1])


class NewBan(Frozen):
    """The user to ban. The user and the room's moderators can read the reason."""

    user: Id = Field(examples=[1])
    reason: Reason = ""


class NewRole(Frozen):
    """The member's new role in the room.

    A new `owner` makes the previous owner a moderator.
    """

    role: Annotated[RoomRole, Field(strict=False)]


class MembersPage(Wire):
    """A page of a room's members, ordered by user id."""

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
    room: RoomId, caller: LoggedIn, services: Running, after: After = 0, limit: Limit = 100
) -> Response:
    """List the members of a room, ordered by user id."""
    return reply(await services.read(members.listing, caller.actor, room, after, limit))


@router.get("/online", response_model=Online, responses=refusals(400, 401, 404))
async def list_online(
    room: RoomId, caller: LoggedIn, services: Running, after: After = 0, limit: Limit = 100
) -> Response:
    """List the members who are online, ordered by user id."""
    await services.read(members.listing, caller.actor, room, 0, 1)  # raises NotFound if the caller is not a member
    return reply(online_members.online(services.hub, room, after, limit))


@router.post("/join", response_model=RoomPosition, responses=refusals(400, 401, 403, 404, 409, 429))
async def join_room(room: RoomId, caller: Active, services: Running) -> Response:
    """Join a room. Idempotent."""
    return await _do(JoinRoom(room=room), caller, services)


@router.post("/leave", response_model=Position, responses=refusals(400, 401, 403, 404, 429))
async def leave_room(room: RoomId, caller: Active, services: Running) -> Response:
    """Leave a room.

    An owner must first transfer ownership, unless they are the only member.
    """
    return await _do(LeaveRoom(room=room), caller, services)


@router.post("/members", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 409, 413, 429))
async def invite_member(room: RoomId, body: Guest, caller: Active, services: Running) -> Response:
    """Add a user to the room. Idempotent."""
    return await _do(AddMember(room=room, user=body.user), caller, services)


@router.delete("/members/{user}", response_model=Position, responses=refusals(400, 401, 403, 404, 429))
async def remove_member(room: RoomId, user: UserId, caller: Active, services: Running) -> Response:
    """Remove a member.

    Owners and admins can remove any member; moderators can remove plain members.
    """
    return await _do(RemoveMember(room=room, user=user), caller, services)


@router.put("/members/{user}/role", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 413, 429))
async def set_room_role(room: RoomId, user: UserId, body: NewRole, caller: Active, services: Running) -> Response:
    """Change a member's role in the room. Requires the room's owner or an admin."""
    return await _do(SetMemberRole(room=room, user=user, role=body.role), caller, services)


@router.get("/bans", response_model=BansPage, responses=refusals(400, 401, 403, 404))
async def list_bans(
    room: RoomId, caller: LoggedIn, services: Running, after: After = 0, limit: Limit = 100
) -> Response:
    """List the bans of a room, ordered by user id. Requires permission to ban."""
    return reply(await services.read(members.banned, caller.actor, room, after, limit))


@router.post("/bans", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 413, 429))
async def ban_member(room: RoomId, body: NewBan, caller: Active, services: Running) -> Response:
    """Ban a user: remove them and prevent them from joining.

    The user need not be a member.
    """
    return await _do(BanMember(room=room, user=body.user, reason=body.reason), caller, services)


@router.delete("/bans/{user}", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 429))
async def unban_member(room: RoomId, user: UserId, caller: Active, services: Running) -> Response:
    """Lift a ban, so that the user can join again."""
    return await _do(UnbanMember(room=room, user=user), caller, services)


async def _do(command: Command, caller: Active, services: Running) -> Response:
    return reply((await services.journal.submit(command, caller.actor)).answer)
