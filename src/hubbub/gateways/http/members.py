"""Members: who is in a room, who is there now; coming, going, and sending somebody away."""

from fastapi import APIRouter
from fastapi.responses import Response

from hubbub.domain.commands import JoinRoom, LeaveRoom, RemoveMember
from hubbub.domain.model import Member, Person, Position, RoomPosition, Wire
from hubbub.features import members
from hubbub.gateways.http.auth import Active, Running, Somebody
from hubbub.gateways.http.errors import refusals
from hubbub.gateways.http.rooms import After, Limit, RoomId, UserId
from hubbub.gateways.http.strict import StrictRoute, reply

router = APIRouter(prefix="/api/rooms/{room}", tags=["members"], route_class=StrictRoute)


class MembersPage(Wire):
    """A page of a room's members, by id."""

    members: list[Member]
    more: bool
    """Whether there are members after the last of these."""
    heads: dict[str, int]
    """The head of the room's topic the page was read at."""


class Online(Wire):
    """Who is there now."""

    users: list[Person]
    """Who has a live connection in the room, on whatever device."""


@router.get("/members", response_model=MembersPage, responses=refusals(400, 401, 404))
async def list_members(
    room: RoomId, caller: Somebody, services: Running, after: After = 0, limit: Limit = 100
) -> Response:
    """A page of the members by user id."""
    return reply(await services.read(members.listing, caller.id, room, after, limit))


@router.get("/online", response_model=Online, responses=refusals(400, 401, 404))
async def list_online(room: RoomId, caller: Somebody, services: Running) -> Response:
    """Who is in the room now."""
    await services.read(members.listing, caller.id, room, 0, 1)  # raises NotFound for those who are not in it
    return reply({"users": services.people.online(room)})


@router.post("/join", response_model=RoomPosition, responses=refusals(400, 401, 403, 404, 429))
async def join_room(room: RoomId, caller: Active, services: Running) -> Response:
    """Becomes a member. Twice is fine."""
    return reply((await services.journal.submit(JoinRoom(room=room), caller.actor)).answer)


@router.post("/leave", response_model=Position, responses=refusals(400, 401, 403, 404, 429))
async def leave_room(room: RoomId, caller: Active, services: Running) -> Response:
    """Is a member no longer."""
    return reply((await services.journal.submit(LeaveRoom(room=room), caller.actor)).answer)


@router.delete("/members/{user}", response_model=Position, responses=refusals(400, 401, 403, 404, 429))
async def remove_member(room: RoomId, user: UserId, caller: Active, services: Running) -> Response:
    """Removes somebody else: for the room's owner and for admins."""
    return reply((await services.journal.submit(RemoveMember(room=room, user=user), caller.actor)).answer)
