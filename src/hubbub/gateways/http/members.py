"""Members: who is in a room, who is there now, who is kept out; coming, going, bringing and sending away."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import Field

from hubbub.domain.commands import (
    BanMember,
    Command,
    Id,
    InviteMember,
    JoinRoom,
    LeaveRoom,
    RemoveMember,
    SetRoomRole,
    UnbanMember,
)
from hubbub.domain.model import Ban, Frozen, MaybePosition, Member, Person, Position, RoomPosition, RoomRole, Wire
from hubbub.domain.text import Reason
from hubbub.engine import online_members
from hubbub.features import members
from hubbub.gateways.http.auth import Active, Running, Somebody
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.rooms import After, Limit, RoomId, UserId
from hubbub.gateways.http.strict_json import StrictRoute, reply

router = APIRouter(prefix="/api/rooms/{room}", tags=["members"], route_class=StrictRoute)


class Guest(Frozen):
    """Whom to bring in."""

    user: Id = Field(examples=[1])


class NewBan(Frozen):
    """Whom to keep out, and why: for the person and for those who look after the room."""

    user: Id = Field(examples=[1])
    reason: Reason = ""


class NewRole(Frozen):
    """What somebody is to be in the room. `owner` makes the owner of before a moderator."""

    role: Annotated[RoomRole, Field(strict=False)]


class MembersPage(Wire):
    """A page of a room's members, by id."""

    members: list[Member]
    more: bool
    """Whether there are members after the last of these."""
    heads: dict[str, int]
    """The head of the room's topic the page was read at."""


class BansPage(Wire):
    """A page of those who are banned from a room, by id."""

    bans: list[Ban]
    more: bool
    """Whether there are bans after the last of these."""


class Online(Wire):
    """A page of those who are there now, by id."""

    users: list[Person]
    """Who has a live connection in the room, on whatever device."""
    more: bool
    """Whether there are people after the last of these."""


@router.get("/members", response_model=MembersPage, responses=refusals(400, 401, 404))
async def list_members(
    room: RoomId, caller: Somebody, services: Running, after: After = 0, limit: Limit = 100
) -> Response:
    """A page of the members by user id."""
    return reply(await services.read(members.listing, caller.actor, room, after, limit))


@router.get("/online", response_model=Online, responses=refusals(400, 401, 404))
async def list_online(
    room: RoomId, caller: Somebody, services: Running, after: After = 0, limit: Limit = 100
) -> Response:
    """A page of those who are in the room now, by user id."""
    await services.read(members.listing, caller.actor, room, 0, 1)  # raises NotFound for those who are not in it
    return reply(online_members.online(services.hub, room, after, limit))


@router.post("/join", response_model=RoomPosition, responses=refusals(400, 401, 403, 404, 409, 429))
async def join_room(room: RoomId, caller: Active, services: Running) -> Response:
    """Becomes a member. Twice is fine."""
    return await _do(JoinRoom(room=room), caller, services)


@router.post("/leave", response_model=Position, responses=refusals(400, 401, 403, 404, 429))
async def leave_room(room: RoomId, caller: Active, services: Running) -> Response:
    """Is a member no longer. An owner first makes somebody else the owner, unless he is alone."""
    return await _do(LeaveRoom(room=room), caller, services)


@router.post("/members", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 409, 413, 429))
async def invite_member(room: RoomId, body: Guest, caller: Active, services: Running) -> Response:
    """Makes somebody else a member, at once. Twice is fine."""
    return await _do(InviteMember(room=room, user=body.user), caller, services)


@router.delete("/members/{user}", response_model=Position, responses=refusals(400, 401, 403, 404, 429))
async def remove_member(room: RoomId, user: UserId, caller: Active, services: Running) -> Response:
    """Removes somebody else. Owners and admins remove anybody, moderators plain members."""
    return await _do(RemoveMember(room=room, user=user), caller, services)


@router.put("/members/{user}/role", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 413, 429))
async def set_room_role(room: RoomId, user: UserId, body: NewRole, caller: Active, services: Running) -> Response:
    """Says what a member is in the room: for the room's owner and for admins."""
    return await _do(SetRoomRole(room=room, user=user, role=body.role), caller, services)


@router.get("/bans", response_model=BansPage, responses=refusals(400, 401, 403, 404))
async def list_bans(
    room: RoomId, caller: Somebody, services: Running, after: After = 0, limit: Limit = 100
) -> Response:
    """A page of the bans by user id, for those who may ban."""
    return reply(await services.read(members.banned, caller.actor, room, after, limit))


@router.post("/bans", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 413, 429))
async def ban_member(room: RoomId, body: NewBan, caller: Active, services: Running) -> Response:
    """Removes somebody else, who may not come back. It also holds for somebody who is not there yet."""
    return await _do(BanMember(room=room, user=body.user, reason=body.reason), caller, services)


@router.delete("/bans/{user}", response_model=MaybePosition, responses=refusals(400, 401, 403, 404, 429))
async def unban_member(room: RoomId, user: UserId, caller: Active, services: Running) -> Response:
    """Lets somebody come back."""
    return await _do(UnbanMember(room=room, user=user), caller, services)


async def _do(command: Command, caller: Active, services: Running) -> Response:
    return reply((await services.journal.submit(command, caller.actor)).answer)
