"""What rows of the matrix change in the example of their request, and how a success is undone.

A row without an entry sends the example. A success is undone before the next user's request.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from hubbub.domain.commands.examples import Fields, fill
from hubbub.domain.model import LOBBY
from tests.authorisation.table import base
from tests.authorisation.world import Room, World
from tests.support.routes import template_of

NON_MEMBERS = ("outsider", "ex-member", "banned", "guest", "admin", "owner")
"""Users who are in neither the public nor the private room.

If a row lets them in, it is undone.
"""


@dataclass(frozen=True)
class Row:
    """The example with other fields. `undo` runs after a success."""

    undo: Callable[[World, Room, str], Awaitable[None]] | None = None
    without: tuple[str, ...] = ()
    more: Callable[[World, Room], Fields] = lambda world, room: {}

    def fields(self, row: str, world: World, room: Room) -> Fields:
        fields = {name: value for name, value in template_of(base(row)).items() if name not in self.without}
        found: Fields = fill(fields, world.given(room))
        return {**found, **self.more(world, room)}


def about(whom: str, undo: Callable[[World, Room, str], Awaitable[None]] | None = None, **more: str) -> Row:
    """Build a row about another user."""
    return Row(undo, more=lambda world, room: {"user": world.id(whom), **more})


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


async def create_new_webhook(world: World, room: Room, name: str) -> None:
    async with unarchived(world, room):
        room.webhook = await world.hook(room.id or None)


# --- the rows --------------------------------------------------------------------------------------------------------

ROOM: dict[str, Row] = {
    "message.send": Row(without=("reply_to",)),
    "message.forward": Row(
        more=lambda world, room: {"room": room.id, "from_room": LOBBY, "message": world.said},
    ),
    "message.delete": Row(send_spare, more=lambda world, room: {"message": room.spare}),
    "room.update": Row(without=("name", "history")),
    "room.update (history)": Row(without=("name", "topic", "description")),
    "room.archive": Row(restore),
    "member.add": Row(remove_candidate),
    "member.add (a banned user)": about("banned"),
    "member.remove": Row(add_bystander_back),
    "member.remove (a moderator)": about("deputy", add_deputy_back),
    "member.remove (its owner)": about("room-owner", restore_owner),
    "member.ban": Row(add_bystander_back),
    "member.ban (a moderator)": about("deputy", add_deputy_back),
    "member.set_role": Row(demote_bystander),
    "member.set_role (hand over)": about("bystander", return_ownership, role="owner"),
    "revoke_invite": Row(create_new_invite),
    "accept_invite": Row(leave_again),
    "delete_webhook": Row(create_new_webhook),
    "room.leave": Row(add_back),
    "room.join": Row(leave_again),
}
SITE: dict[str, Row] = {
    "room.create": Row(more=lambda world, room: {"kind": "public"}),
    "room.create (a direct one)": Row(
        without=("name", "topic", "description", "history"), more=lambda world, room: {"kind": "direct"}
    ),
    "events.since (the site)": Row(more=lambda world, room: {"topic": "site", "after": 0}),
    "events.since (another user's)": Row(more=lambda world, room: {"topic": f"user:{world.id('candidate')}"}),
    "events.since (a room that does not exist)": Row(more=lambda world, room: {"topic": "room:999999999"}),
    "create_invite": Row(without=("room",)),
    "list_invites": Row(without=("room",)),
    "revoke_invite": Row(create_new_invite),
    "create_webhook": Row(without=("room",)),
    "list_webhooks": Row(without=("room",)),
    "replay_webhook": Row(without=("seq",)),
    "delete_webhook": Row(create_new_webhook),
}
