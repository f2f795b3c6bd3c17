"""A valid request for every command and every route that changes something."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.bugs.sides import Side
from tests.support.server import PASSWORD

Fields = dict[str, Any]
Prepare = Callable[[Side], Awaitable[Fields]]


def plain(**fields: Any) -> Prepare:
    async def prepare(side: Side) -> Fields:
        return dict(fields)

    return prepare


async def nothing(side: Side) -> Fields:
    return {}


def in_a_room(**fields: Any) -> Prepare:
    """Prepare a room of alice's with a message of hers and then one of bob's."""

    async def prepare(side: Side) -> Fields:
        room = await side.room()
        message = await side.say(room)
        given: Fields = {"room": room, "message": message, "seq": await side.say(room, "bob"), "user": side.id("bob")}
        body = {"body": fields["body"].replace("@bob", f"@{side.people['bob'].name}")} if "body" in fields else {}
        return given | {name: given.get(value, value) for name, value in fields.items()} | body

    return prepare


def after(kind: str, prepare: Prepare, *needed: str, **fields: Any) -> Prepare:
    """Prepare by executing the command `kind` on the same object first."""

    async def prepared(side: Side) -> Fields:
        given = await prepare(side)
        await side.do(kind, **{name: given[name] for name in needed}, **fields)
        return given

    return prepared


async def carol(side: Side) -> Fields:
    return {"room": await side.room(), "user": side.id("carol"), "reason": "enough"}


async def banned(side: Side) -> Fields:
    given = await carol(side)
    await side.do("member.ban", **given)
    return given


async def of_bobs(side: Side) -> Fields:
    return {"room": await side.room("bob")}


async def open_to_join(side: Side) -> Fields:
    room = await side.room("bob", "public")
    await side.do("room.leave", room=room)
    return {"room": room}


async def new_room(side: Side) -> Fields:
    name = side.word(f"New {next(side.numbers)}")
    more = {"topic": "About it", "description": "All of it", "history": "joined", "key": "new"}
    return {"kind": "private", "name": name, "members": [side.id("bob")], **more, "key": f"new {next(side.numbers)}"}


async def another_name(side: Side) -> Fields:
    return {"room": await side.room(), "name": side.word(f"Else {next(side.numbers)}"), "topic": "T", "history": "all"}


async def several(side: Side) -> Fields:
    room = await side.room()
    return {"rooms": [{"room": room, "seq": await side.say(room, "bob")}]}


async def status(side: Side) -> Fields:
    return {"status": "away", "text": f"busy {next(side.numbers)}", "emoji": "👍"}


async def watched(side: Side) -> Fields:
    return {"users": [side.id("bob")], "user": side.id("bob")}


async def own_log(side: Side) -> Fields:
    room = await side.room()
    return {"topic": f"room:{room}", "after": 1, "limit": 50}


WIRE: dict[str, Prepare] = {
    "message.send": in_a_room(key="k", body="hello @bob", reply_to="message"),
    "message.forward": in_a_room(key="k", from_room="room"),
    "message.edit": in_a_room(body="hello again"),
    "message.delete": in_a_room(),
    "message.pin": in_a_room(),
    "message.unpin": after("message.pin", in_a_room(), "room", "message"),
    "reaction.add": in_a_room(emoji="👍"),
    "reaction.remove": after("reaction.add", in_a_room(emoji="👍"), "room", "message", "emoji"),
    "room.create": new_room,
    "room.update": another_name,
    "room.archive": in_a_room(),
    "room.restore": after("room.archive", in_a_room(), "room"),
    "room.set_preferences": in_a_room(favourite=True, muted=True),
    "room.join": open_to_join,
    "room.leave": of_bobs,
    "member.add": carol,
    "member.remove": in_a_room(),
    "member.ban": carol,
    "member.unban": banned,
    "member.set_role": in_a_room(role="owner"),
    "room.read": in_a_room(),
    "room.unread": in_a_room(),
    "rooms.read": several,
    "status.set": status,
    "typing": in_a_room(),
    "presence.idle": plain(idle=True),
    "presence.watch": watched,
    "events.since": own_log,
}


async def one_link(side: Side) -> dict[str, Any]:
    """Create bob's invite into bob’s room, which alice has left."""
    room = (await open_to_join(side))["room"]
    made: dict[str, Any] = side.people["bob"].request("POST", "/api/invites", json={"room": room}).json()
    side.known(made["id"], "INVITE")
    return made


async def link(side: Side) -> Fields:
    return {"token": (await one_link(side))["token"]}


async def link_of_alices(side: Side) -> Fields:
    made = side.people["alice"].request("POST", "/api/invites", json={"room": await side.room()}).json()
    return {"invite": side.known(made["id"], "INVITE")}


async def new_link(side: Side) -> Fields:
    return {"room": await side.room(), "max_uses": 3, "expires_in": 3_600}


async def newcomer(side: Side) -> Fields:
    name = side.known(f"new-{next(side.numbers)}-{side.people['alice'].name}", "NEWCOMER")
    return {"username": name, "password": PASSWORD}


REST: dict[str, Prepare] = {
    "create_invite": new_link,
    "revoke_invite": link_of_alices,
    "accept_invite": link,
    "check_invite": link,
    "create_user": newcomer,
    "delete_current_user": plain(password="a wrong one"),
    "log_in": plain(username="nobody", password=PASSWORD),
    "create_token": plain(username="nobody", password=PASSWORD),
    "refresh_token": plain(refresh_token="none"),
    "reset_password": plain(token="none", password=PASSWORD),
    "change_password": plain(current_password="a wrong one", new_password=PASSWORD),
    "end_session": plain(session="none"),
    "log_out": nothing,
}
"""Routes that change something without being a command.

The last one ends carol's session.
"""

READ: dict[str, Prepare] = {
    "list_bans": banned,
    "list_invites": new_link,
    "list_edits": after("message.edit", in_a_room(), "room", "message", body="edited"),
    "list_pins": after("message.pin", in_a_room(), "room", "message"),
    "list_reactions": after("reaction.add", in_a_room(), "room", "message", emoji="👍"),
    "show_user": carol,
    "list_events": own_log,
    "show_presence": watched,
}
"""What read-only routes need beyond a room with messages."""
