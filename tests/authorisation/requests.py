"""The request for each row of the matrix, with real ids.

A success is undone before the next user's request.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from hubbub.domain.model import LOBBY
from tests.authorisation.world import Room, World
from tests.support.server import PASSWORD

Fields = dict[str, Any]
NON_MEMBERS = ("outsider", "ex-member", "banned", "guest", "admin", "owner")
"""Users who are in neither the public nor the private room.

If a row lets them in, it is undone.
"""


@dataclass(frozen=True)
class Request:
    """A row's request.

    `fields` are the command's; REST puts them where the route takes them. `undo` runs after a
    success.
    """

    fields: Callable[[World, Room, str], Fields]
    undo: Callable[[World, Room, str], Awaitable[None]] | None = None
    form: bool = False


def about(**more: Any) -> Request:
    """Build a request that only names the room."""
    return Request(lambda world, room, name: {"room": room.id, **more})


def about_message(**more: Any) -> Request:
    """Build a request that names the author's message."""
    return Request(lambda world, room, name: {"room": room.id, "message": room.message, **more})


def about_person(whom: str, undo: Callable[[World, Room, str], Awaitable[None]] | None = None, **more: Any) -> Request:
    """Build a request that names a user in the room."""
    return Request(lambda world, room, name: {"room": room.id, "user": world.id(whom), **more}, undo)


def plain(**fields: Any) -> Request:
    """Build a request that names no room."""
    return Request(lambda world, room, name: dict(fields))


# --- undo after a success --------------------------------------------------------------------------------------------


async def restore(world: World, room: Room, name: str) -> None:
    await world.do("room-owner", "room.restore", room=room.id)


@asynccontextmanager
async def unarchived(world: World, room: Room) -> AsyncIterator[None]:
    """Restore an archived room for the duration of the block."""
    archived = room is world.rooms["archived"]
    if archived:
        await world.do("room-owner", "room.restore", room=room.id)
    yield
    if archived:
        await world.do("room-owner", "room.archive", room=room.id)


async def send_spare(world: World, room: Room, name: str) -> None:
    async with unarchived(world, room):
        room.spare = await world.say(room.id)


async def add_back(world: World, room: Room, name: str) -> None:
    """Bring a user who left, or was removed, back in their previous role."""
    await world.do("room-owner", "member.unban", room=room.id, user=world.id(name))
    await world.do("room-owner", "member.add", room=room.id, user=world.id(name))
    if name in ("moderator", "deputy"):
        await world.do("room-owner", "member.set_role", room=room.id, user=world.id(name), role="moderator")


async def leave_again(world: World, room: Room, name: str) -> None:
    """Make a user who should not be a member leave; nothing changed for the others."""
    if name in NON_MEMBERS:
        await world.do(name, "room.leave", room=room.id)


async def add_bystander_back(world: World, room: Room, name: str) -> None:
    await add_back(world, room, "bystander")


async def add_deputy_back(world: World, room: Room, name: str) -> None:
    await add_back(world, room, "deputy")


async def restore_owner(world: World, room: Room, name: str) -> None:
    """Bring the owner back.

    The longest-standing moderator became the owner, and is a moderator again after handing the room
    back.
    """
    whom = {"room": room.id, "user": world.id("room-owner")}
    await world.do("moderator", "member.add", **whom)
    await world.do("moderator", "member.set_role", **whom, role="owner")
    room.link = await world.link(room.id)  # the owner's links were revoked with the removal


async def remove_candidate(world: World, room: Room, name: str) -> None:
    await world.do("room-owner", "member.remove", room=room.id, user=world.id("candidate"))


async def demote_bystander(world: World, room: Room, name: str) -> None:
    async with unarchived(world, room):
        await world.do("room-owner", "member.set_role", room=room.id, user=world.id("bystander"), role="member")


async def return_ownership(world: World, room: Room, name: str) -> None:
    await world.do("bystander", "member.set_role", room=room.id, user=world.id("room-owner"), role="owner")
    await demote_bystander(world, room, name)


async def create_new_invite(world: World, room: Room, name: str) -> None:
    room.link = await world.link(room.id or None)


# --- the rows --------------------------------------------------------------------------------------------------------

ROOM: dict[str, Request] = {
    "show_room": about(),
    "list_members": about(),
    "list_online": about(),
    "list_messages": about(),
    "show_message": about_message(),
    "list_edits": about_message(),
    "list_pins": about(),
    "list_reactions": about_message(),
    "events.since": Request(lambda world, room, name: {"topic": f"room:{room.id}", "after": 0}),
    "message.send": Request(lambda world, room, name: {"room": room.id, "key": world.fresh(), "body": "hello"}),
    "message.send (a reply)": Request(
        lambda world, room, name: {"room": room.id, "key": world.fresh(), "body": "hello", "reply_to": room.message}
    ),
    "message.forward": Request(
        lambda world, room, name: {"room": room.id, "key": world.fresh(), "from_room": LOBBY, "message": world.said}
    ),
    "message.forward (out of it)": Request(
        lambda world, room, name: {"room": LOBBY, "key": world.fresh(), "from_room": room.id, "message": room.message}
    ),
    "message.edit": Request(
        lambda world, room, name: {"room": room.id, "message": room.message, "body": world.fresh()}
    ),
    "message.delete": Request(lambda world, room, name: {"room": room.id, "message": room.spare}, send_spare),
    "message.pin": about_message(),
    "message.unpin": about_message(),
    "reaction.add": about_message(emoji="👍"),
    "reaction.remove": about_message(emoji="👍"),
    "room.read": about(seq=1),
    "room.unread": about_message(),
    "room.set_preferences": about(muted=True),
    "typing": about(),
    "room.update": Request(lambda world, room, name: {"room": room.id, "topic": world.fresh()}),
    "room.update (history)": about(history="all"),
    "room.archive": Request(lambda world, room, name: {"room": room.id}, restore),
    "room.restore": about(),
    "member.add": about_person("candidate", remove_candidate),
    "member.add (a banned user)": about_person("banned"),
    "member.remove": about_person("bystander", add_bystander_back),
    "member.remove (a moderator)": about_person("deputy", add_deputy_back),
    "member.remove (its owner)": about_person("room-owner", restore_owner),
    "member.ban": about_person("bystander", add_bystander_back),
    "member.ban (a moderator)": about_person("deputy", add_deputy_back),
    "member.unban": about_person("bystander"),
    "list_bans": about(),
    "member.set_role": about_person("bystander", demote_bystander, role="moderator"),
    "member.set_role (hand over)": about_person("bystander", return_ownership, role="owner"),
    "create_invite": Request(lambda world, room, name: {"room": room.id, "max_uses": None}),
    "list_invites": about(),
    "revoke_invite": Request(lambda world, room, name: {"invite": room.link["id"]}, create_new_invite),
    "accept_invite": Request(lambda world, room, name: {"token": room.link["token"]}, leave_again),
    "room.leave": Request(lambda world, room, name: {"room": room.id}, add_back),
    "room.join": Request(lambda world, room, name: {"room": room.id}, leave_again),
}
SITE: dict[str, Request] = {
    "health": plain(),
    "ready": plain(),
    "metrics": plain(),
    "show_site": plain(),
    "create_user": Request(
        lambda world, room, name: {"username": world.fresh().replace(" ", "-"), "password": PASSWORD}
    ),
    "log_in": plain(username="nobody", password=PASSWORD),
    "create_token": Request(lambda world, room, name: {"username": "nobody", "password": PASSWORD}, form=True),
    "refresh_token": plain(refresh_token="none"),
    "reset_password": plain(token="none", password=PASSWORD),
    "show_me": plain(),
    "show_current_user": plain(),
    "show_user": Request(lambda world, room, name: {"user": world.id("candidate")}),
    "list_users": plain(),
    "list_rooms": plain(),
    "list_sessions": plain(),
    "end_session": plain(session="another user's"),
    "change_password": plain(current_password="a wrong one", new_password=PASSWORD),
    "delete_current_user": Request(lambda world, room, name: {"json": {"password": "a wrong one"}}),
    "room.create": Request(lambda world, room, name: {"kind": "public", "name": f"Room {world.fresh()}"}),
    "room.create (a private one)": plain(kind="private", name="Anything"),
    "room.create (a direct one)": Request(
        lambda world, room, name: {"kind": "direct", "members": [world.id("candidate")]}
    ),
    "rooms.read": plain(rooms=[{"room": LOBBY, "seq": 1}]),
    "status.set": plain(status="online"),
    "presence.idle": plain(idle=False),
    "presence.watch": Request(lambda world, room, name: {"users": [world.id("candidate")]}),
    "show_presence": Request(lambda world, room, name: {"user": [world.id("candidate")]}),
    "events.since (the site)": plain(topic="site", after=0),
    "events.since (another user's)": Request(
        lambda world, room, name: {"topic": f"user:{world.id('candidate')}", "after": 0}
    ),
    "events.since (a room that does not exist)": plain(topic="room:999999999", after=0),
    "create_invite": plain(),
    "list_invites": plain(),
    "revoke_invite": Request(lambda world, room, name: {"invite": room.link["id"]}, create_new_invite),
    "check_invite": Request(lambda world, room, name: {"token": room.link["token"]}),
    "accept_invite": Request(lambda world, room, name: {"token": room.link["token"]}),
    "log_out": plain(),
}
