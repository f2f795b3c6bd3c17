"""Rooms: create one, list those one may see, look at one."""

from hashlib import sha256

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands import CreateRoom
from hubbub.domain.errors import Conflict, NotFound
from hubbub.domain.events import MemberJoined, RoomAdded, RoomCreated
from hubbub.domain.model import Actor, Room, RoomRole, room_topic
from hubbub.storage import answers, log, members, rooms
from hubbub.storage.transaction import Transaction

MEMBERS_SHOWN = 100


def create(command: CreateRoom, actor: Actor, tx: Transaction) -> dict[str, object]:
    """A new room with its creator in it. The same key gives the same room."""
    rules.may_create_room(actor)
    digest = sha256((command.name or "").encode()).hexdigest()
    before = answers.find(tx, actor.id, command.kind, command.key, digest)
    if before is not None:
        return before
    if command.name is None or rooms.name_taken(tx.connection, command.name):
        raise Conflict("There is a room with that name, or one that looks like it.")
    room = rooms.create(tx, command.kind_of_room, command.name, actor.id)
    shown = _seen(tx, actor.id, room).model_copy(update={"members": 1})
    entry = tx.append(RoomCreated(room=shown, by=actor.id, name=actor.name))
    members.add(tx, room, actor.id, RoomRole.OWNER)
    created = rooms.joining(tx, actor.id, room)
    tx.append(RoomAdded(person=actor.id, room=created))
    tx.append(MemberJoined(room=room, user=actor.id, name=actor.name, by=actor.id))
    tx.append(RoomCreated(room=shown, by=actor.id, name=actor.name, in_site=True))
    answer: dict[str, object] = {
        "room": created.model_dump(exclude_none=True),
        "topic": room_topic(room),
        "seq": entry.seq,
    }
    return answers.keep(tx, actor.id, command.kind, command.key, digest, answer)


def directory(connection: Connection, user: int, after: int, limit: int) -> dict[str, object]:
    """Every room the person may see, joined or not, the lobby first."""
    found = rooms.directory(connection, user, after, limit + 1)
    return {
        "rooms": [room.model_dump(exclude_none=True) for room in found[:limit]],
        "more": len(found) > limit,
    }


def detail(connection: Connection, user: int, room: int) -> dict[str, object]:
    """A room, the first of its members and the reader's position, with the heads they were read at. Raises NotFound."""
    seen = rooms.seen_by(connection, user, room)
    if seen is None:
        raise NotFound()
    shown = members.listing(connection, room, 0, MEMBERS_SHOWN + 1) if seen.joined else []
    return {
        "room": seen.model_dump(exclude_none=True),
        "members": [member.model_dump() for member in shown[:MEMBERS_SHOWN]],
        "more_members": len(shown) > MEMBERS_SHOWN,
        "read": seen.read,
        "heads": log.heads(connection, [room_topic(room)]) if seen.joined else {},
    }


def _seen(tx: Transaction, user: int, room: int) -> Room:
    seen = rooms.seen_by(tx.connection, user, room)
    if seen is None:
        raise NotFound()
    return seen
