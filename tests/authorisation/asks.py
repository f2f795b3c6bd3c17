"""How each row of the matrix is asked: real ids, and how a success is undone before the next one asks."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from hubbub.domain.model import LOBBY
from tests.authorisation.cast import Play, Room
from tests.support.server import PASSWORD

Fields = dict[str, Any]
STRANGERS = ("outsider", "ex-member", "banned", "guest", "admin", "owner")
"""Who is in neither the public nor the private room; what brings them in is undone."""


@dataclass(frozen=True)
class Ask:
    """`fields` are the command's; over REST they go where the route takes them. `undo` follows a success."""

    fields: Callable[[Play, Room, str], Fields]
    undo: Callable[[Play, Room, str], Awaitable[None]] | None = None
    form: bool = False


def about(**more: Any) -> Ask:
    """Something about the room alone."""
    return Ask(lambda play, room, name: {"room": room.id, **more})


def about_message(**more: Any) -> Ask:
    """Something about the author's message."""
    return Ask(lambda play, room, name: {"room": room.id, "message": room.message, **more})


def about_person(whom: str, undo: Callable[[Play, Room, str], Awaitable[None]] | None = None, **more: Any) -> Ask:
    """Something done to somebody in the room."""
    return Ask(lambda play, room, name: {"room": room.id, "user": play.id(whom), **more}, undo)


def plain(**fields: Any) -> Ask:
    """Something that is not about a room."""
    return Ask(lambda play, room, name: dict(fields))


# --- what is put right after a success --------------------------------------------------------------------------------


async def restore(play: Play, room: Room, name: str) -> None:
    await play.do("room-owner", "room.restore", room=room.id)


@asynccontextmanager
async def opened(play: Play, room: Room) -> AsyncIterator[None]:
    """An archived room is open for the time."""
    archived = room is play.rooms["archived"]
    if archived:
        await play.do("room-owner", "room.restore", room=room.id)
    yield
    if archived:
        await play.do("room-owner", "room.archive", room=room.id)


async def say_another(play: Play, room: Room, name: str) -> None:
    async with opened(play, room):
        room.spare = await play.say(room.id)


async def come_back(play: Play, room: Room, name: str) -> None:
    """Whoever left, or had to, is brought back as what he was."""
    await play.do("room-owner", "room.unban", room=room.id, user=play.id(name))
    await play.do("room-owner", "room.invite", room=room.id, user=play.id(name))
    if name in ("moderator", "deputy"):
        await play.do("room-owner", "room.role", room=room.id, user=play.id(name), role="moderator")


async def go_again(play: Play, room: Room, name: str) -> None:
    """Whoever should not be in it leaves; for the others it changed nothing."""
    if name in STRANGERS:
        await play.do(name, "room.leave", room=room.id)


async def bring_bystander(play: Play, room: Room, name: str) -> None:
    await come_back(play, room, "bystander")


async def bring_deputy(play: Play, room: Room, name: str) -> None:
    await come_back(play, room, "deputy")


async def bring_owner(play: Play, room: Room, name: str) -> None:
    """The longest-standing moderator has become the owner, and is a moderator again once he hands the room back."""
    whom = {"room": room.id, "user": play.id("room-owner")}
    await play.do("moderator", "room.invite", **whom)
    await play.do("moderator", "room.role", **whom, role="owner")
    room.link = await play.link(room.id)  # his links went with him


async def send_candidate_away(play: Play, room: Room, name: str) -> None:
    await play.do("room-owner", "room.remove", room=room.id, user=play.id("candidate"))


async def demote_bystander(play: Play, room: Room, name: str) -> None:
    async with opened(play, room):
        await play.do("room-owner", "room.role", room=room.id, user=play.id("bystander"), role="member")


async def hand_back(play: Play, room: Room, name: str) -> None:
    await play.do("bystander", "room.role", room=room.id, user=play.id("room-owner"), role="owner")
    await demote_bystander(play, room, name)


async def make_another_link(play: Play, room: Room, name: str) -> None:
    room.link = await play.link(room.id or None)


# --- the rows ---------------------------------------------------------------------------------------------------------

ROOM: dict[str, Ask] = {
    "show_room": about(),
    "list_members": about(),
    "list_online": about(),
    "list_messages": about(),
    "show_message": about_message(),
    "list_edits": about_message(),
    "list_pins": about(),
    "list_reactions": about_message(),
    "events.since": Ask(lambda play, room, name: {"topic": f"room:{room.id}", "after": 0}),
    "message.send": Ask(lambda play, room, name: {"room": room.id, "key": play.fresh(), "body": "hello"}),
    "message.send (a reply)": Ask(
        lambda play, room, name: {"room": room.id, "key": play.fresh(), "body": "hello", "reply_to": room.message}
    ),
    "message.forward": Ask(
        lambda play, room, name: {"room": room.id, "key": play.fresh(), "from_room": LOBBY, "message": play.said}
    ),
    "message.forward (out of it)": Ask(
        lambda play, room, name: {"room": LOBBY, "key": play.fresh(), "from_room": room.id, "message": room.message}
    ),
    "message.edit": Ask(lambda play, room, name: {"room": room.id, "message": room.message, "body": play.fresh()}),
    "message.delete": Ask(lambda play, room, name: {"room": room.id, "message": room.spare}, say_another),
    "message.pin": about_message(),
    "message.unpin": about_message(),
    "reaction.add": about_message(emoji="👍"),
    "reaction.remove": about_message(emoji="👍"),
    "room.read": about(seq=1),
    "room.unread": about_message(),
    "room.settings": about(muted=True),
    "typing": about(),
    "room.update": Ask(lambda play, room, name: {"room": room.id, "topic": play.fresh()}),
    "room.update (history)": about(history="all"),
    "room.archive": Ask(lambda play, room, name: {"room": room.id}, restore),
    "room.restore": about(),
    "room.invite": about_person("candidate", send_candidate_away),
    "room.invite (somebody banned)": about_person("banned"),
    "room.remove": about_person("bystander", bring_bystander),
    "room.remove (a moderator)": about_person("deputy", bring_deputy),
    "room.remove (its owner)": about_person("room-owner", bring_owner),
    "room.ban": about_person("bystander", bring_bystander),
    "room.ban (a moderator)": about_person("deputy", bring_deputy),
    "room.unban": about_person("bystander"),
    "list_bans": about(),
    "room.role": about_person("bystander", demote_bystander, role="moderator"),
    "room.role (hand over)": about_person("bystander", hand_back, role="owner"),
    "create_invite": Ask(lambda play, room, name: {"room": room.id, "max_uses": None}),
    "list_invites": about(),
    "revoke_invite": Ask(lambda play, room, name: {"invite": room.link["id"]}, make_another_link),
    "accept_invite": Ask(lambda play, room, name: {"token": room.link["token"]}, go_again),
    "room.leave": Ask(lambda play, room, name: {"room": room.id}, come_back),
    "room.join": Ask(lambda play, room, name: {"room": room.id}, go_again),
}
SITE: dict[str, Ask] = {
    "health": plain(),
    "ready": plain(),
    "metrics": plain(),
    "look_at_site": plain(),
    "create_account": Ask(lambda play, room, name: {"username": play.fresh().replace(" ", "-"), "password": PASSWORD}),
    "log_in": plain(username="nobody", password=PASSWORD),
    "create_token": Ask(lambda play, room, name: {"username": "nobody", "password": PASSWORD}, form=True),
    "refresh_token": plain(refresh_token="none"),
    "reset_password": plain(token="none", password=PASSWORD),
    "show_me": plain(),
    "show_user": Ask(lambda play, room, name: {"user": play.id("candidate")}),
    "find_people": plain(),
    "list_rooms": plain(),
    "list_sessions": plain(),
    "end_session": plain(session="somebody else's"),
    "change_password": plain(current_password="a wrong one", new_password=PASSWORD),
    "delete_account": Ask(lambda play, room, name: {"json": {"password": "a wrong one"}}),
    "room.create": Ask(lambda play, room, name: {"kind": "public", "name": f"Room {play.fresh()}"}),
    "room.create (a private one)": plain(kind="private", name="Anything"),
    "room.create (a direct one)": Ask(lambda play, room, name: {"kind": "direct", "members": [play.id("candidate")]}),
    "rooms.read": plain(rooms=[{"room": LOBBY, "seq": 1}]),
    "presence.set": plain(status="online"),
    "presence.idle": plain(idle=False),
    "presence.watch": Ask(lambda play, room, name: {"users": [play.id("candidate")]}),
    "show_presence": Ask(lambda play, room, name: {"user": [play.id("candidate")]}),
    "events.since (the site)": plain(topic="site", after=0),
    "events.since (somebody else's)": Ask(
        lambda play, room, name: {"topic": f"user:{play.id('candidate')}", "after": 0}
    ),
    "events.since (a room that is not there)": plain(topic="room:999999999", after=0),
    "create_invite": plain(),
    "list_invites": plain(),
    "revoke_invite": Ask(lambda play, room, name: {"invite": room.link["id"]}, make_another_link),
    "check_invite": Ask(lambda play, room, name: {"token": room.link["token"]}),
    "accept_invite": Ask(lambda play, room, name: {"token": room.link["token"]}),
    "log_out": plain(),
}
