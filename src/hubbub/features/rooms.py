"""Rooms: create, update, archive, restore, list, and change own settings."""

from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands import (
    TOO_MANY,
    ArchiveRoom,
    CreateRoom,
    OpenHostRoom,
    RestoreRoom,
    SetRoomPreferences,
    UpdateRoom,
)
from hubbub.domain.errors import BadRequest, Conflict, Forbidden, NotFound
from hubbub.domain.events import (
    MemberJoined,
    RoomAdded,
    RoomArchived,
    RoomChanges,
    RoomCreated,
    RoomPreferencesChanged,
    RoomRestored,
    RoomUpdated,
    SiteRoomEvent,
)
from hubbub.domain.model import Actor, HostRoomAnswer, MaybePosition, Room, RoomPosition, RoomRole, room_topic
from hubbub.domain.text import MAX_DIRECT
from hubbub.features.shared.access import get_room
from hubbub.features.shared.guard import CLOSED, Request
from hubbub.features.shared.handlers import handles
from hubbub.features.shared.idempotency import OnceByKey
from hubbub.storage import accounts, host_rooms, log, members, rooms
from hubbub.storage.transaction import Transaction

MEMBERS_SHOWN = 100
MEMBER_FIELDS = ("head", "floor", "read_seq", "unread_count", "mention_count", "role", "favourite", "muted")
"""The fields of a room that only members get."""
NAME_TAKEN = "There is already a room with this name, or one that looks like it. Choose another name."


@handles(CreateRoom)
def create(request: Request[CreateRoom], tx: Transaction) -> RoomPosition:
    """Create a room with its members, or return the existing direct room.

    The same key gives the same room, in its current state.
    """
    command, actor = request.command, request.actor
    rules.may_create_room(actor)
    once = OnceByKey(tx, actor, command, command.key, _digest(command))
    if once.first_answer is not None:
        return _repeat_answer(tx, actor, once.first_answer)
    others = [user for user in dict.fromkeys(command.members) if user != actor.id]
    direct_key = None
    if command.kind_of_room == "direct":
        if len(others) + 1 > MAX_DIRECT:
            raise BadRequest(f"members: {TOO_MANY}.")
        direct_key = rooms.direct_key([actor.id, *others])
        existing = rooms.direct(tx.connection, direct_key)
        if existing is not None:
            answer = _answer(rooms.current(tx, actor.id, existing), tx.head(room_topic(existing)).seq)
            once.keep(answer)
            return answer
    names = _names(tx, others) | {actor.id: actor.name}
    if direct_key is None:
        rules.may_join_more(actor, rooms.users_at_room_limit(tx.connection, list(names)))
    else:
        rules.may_create_direct(*rooms.direct_made(tx.connection, actor.id, others))
    name = command.name or ""
    if command.kind_of_room == "public" and rooms.name_taken(tx.connection, name):
        raise Conflict(NAME_TAKEN)
    new = rooms.NewRoomRow(
        command.kind_of_room, name, actor.id, command.topic, command.description, command.history, direct_key
    )
    own_role = RoomRole.MEMBER if direct_key else RoomRole.OWNER
    created, seq = _create(tx, actor, new, {actor.id: own_role} | dict.fromkeys(others, RoomRole.MEMBER), names)
    answer = _answer(created, seq)
    once.keep(answer)
    return answer


@handles(OpenHostRoom)
def open_host_room(request: Request[OpenHostRoom], tx: Transaction) -> HostRoomAnswer:
    """Create the room of an object of the host application, or return the one that there is.

    An archived room stays the room of its object.
    """
    command, actor = request.command, request.actor
    existing = host_rooms.find(tx.connection, command.host_key)
    if existing is not None:
        return {"room": existing, "created": False}
    if not accounts.is_open(tx.connection, actor.id):
        raise Forbidden(CLOSED)
    others = [user for user in dict.fromkeys(command.members) if user != actor.id]
    names = _names(tx, others) | {actor.id: actor.name}
    rules.may_join_more(actor, rooms.users_at_room_limit(tx.connection, list(names)))
    if command.kind_of_room == "public" and rooms.name_taken(tx.connection, command.name):
        raise Conflict(NAME_TAKEN)
    new = rooms.NewRoomRow(
        command.kind_of_room, command.name, actor.id, command.topic, command.description, command.history
    )
    created, _ = _create(tx, actor, new, {actor.id: RoomRole.OWNER} | dict.fromkeys(others, RoomRole.MEMBER), names)
    host_rooms.add(tx, command.host_key, created.id)
    return {"room": created.id, "created": True}


@handles(UpdateRoom)
def update(request: Request[UpdateRoom], tx: Transaction) -> MaybePosition:
    """Update the fields that differ. If none does, nothing happens."""
    command, actor = request.command, request.actor
    room = request.room
    rules.may_update(actor, room, history=command.history is not None)
    rules.may_change(room)
    if room.kind == "direct" and (command.name is not None or command.history is not None):
        raise BadRequest("Direct rooms have no name, and all their members can read all messages.")
    given = {field: getattr(command, field) for field in RoomChanges.model_fields}
    changes = {
        field: value for field, value in given.items() if value is not None and value != (getattr(room, field) or "")
    }
    if not changes:
        return {}
    public = room.kind == "public"
    if public and "name" in changes and rooms.name_taken(tx.connection, changes["name"], besides=room.id):
        raise Conflict(NAME_TAKEN)
    tx.head(room_topic(room.id))
    rooms.change(tx, room.id, changes, public=public)
    event = RoomUpdated(room=room.id, by=actor.id, name=actor.name, changes=RoomChanges.model_validate(changes))
    return _publish(tx, event, public=public)


@handles(ArchiveRoom)
def archive(request: Request[ArchiveRoom], tx: Transaction) -> MaybePosition:
    """Make a room read-only. Idempotent."""
    actor = request.actor
    return _set_archived(tx, actor, request.room, archived=True)


@handles(RestoreRoom)
def restore(request: Request[RestoreRoom], tx: Transaction) -> MaybePosition:
    """Restore an archived room. Idempotent."""
    actor = request.actor
    return _set_archived(tx, actor, request.room, archived=False)


@handles(SetRoomPreferences)
def set_preferences(request: Request[SetRoomPreferences], tx: Transaction) -> MaybePosition:
    """Set the actor's own preferences for a room.

    If nothing changes, the answer is empty. Allowed in archived rooms, too.
    """
    command, actor = request.command, request.actor
    room = request.room
    favourite = bool(room.favourite if command.favourite is None else command.favourite)
    muted = bool(room.muted if command.muted is None else command.muted)
    if (favourite, muted) == (room.favourite, room.muted):
        return {}
    rooms.set_preferences(tx, room.id, actor.id, favourite=favourite, muted=muted)
    entry = tx.append(RoomPreferencesChanged(person=actor.id, room=room.id, favourite=favourite, muted=muted))
    return entry.maybe_position()


# --- queries -------------------------------------------------------------------------------------------------------


def directory(connection: Connection, user: int, after: int, limit: int, *, archived: bool = True) -> dict[str, object]:
    """Return a page of all rooms the user may see, joined or not, the lobby first.

    With `archived` False, archived rooms are left out.
    """
    found = rooms.directory(connection, user, after, limit + 1, archived=archived)
    return {
        "rooms": [room.model_dump(exclude_none=True) for room in found[:limit]],
        "more": len(found) > limit,
    }


def search(connection: Connection, user: int, text: str, limit: int, *, archived: bool = True) -> dict[str, object]:
    """Return the rooms that the user may see by any part of their names, the best first.

    Joined or not, without direct rooms. With `archived` False, archived rooms are left out.
    """
    found = rooms.search(connection, user, text, limit + 1, archived=archived)
    return {
        "rooms": [room.model_dump(exclude_none=True) for room in found[:limit]],
        "more": len(found) > limit,
    }


def detail(connection: Connection, user: int, room: int) -> dict[str, object]:
    """Return a room, its first members, the user's read position and the head.

    Raises NotFound.
    """
    seen = get_room(connection, user, room)
    shown = members.listing(connection, room, 0, MEMBERS_SHOWN + 1) if seen.joined else []
    return {
        "room": seen.model_dump(exclude_none=True),
        "members": [member.model_dump() for member in shown[:MEMBERS_SHOWN]],
        "more_members": len(shown) > MEMBERS_SHOWN,
        "heads": log.heads(connection, [room_topic(room)]) if seen.joined else {},
    }


# --- parts ---------------------------------------------------------------------------------------------------------


def _repeat_answer(tx: Transaction, actor: Actor, previous: dict[str, Any]) -> RoomPosition:
    """Return the previous answer with the current room.

    A former member gets no fields that only members may see.
    """
    created = Room.model_validate(previous["room"])
    topic = room_topic(created.id)
    tx.head(topic)
    if members.role_of(tx.connection, created.id, actor.id) is not None:
        room = rooms.current(tx, actor.id, created.id)
    else:
        room = _as_non_member(rooms.find_visible(tx.connection, actor.id, created.id) or created)
    return {"room": room, "topic": topic, "seq": previous["seq"]}


def _as_non_member(room: Room) -> Room:
    return room.model_copy(update={**dict.fromkeys(MEMBER_FIELDS), "joined": False})


def _digest(command: CreateRoom) -> str:
    """Return a digest of what the key stands for.

    For a public room without further fields it covers the name alone, as in databases that are
    older than the other fields.
    """
    given = command.model_dump_json(exclude={"type", "name", "key"}, exclude_defaults=True)
    return sha256(f"{command.name or ''}{'' if given == '{}' else given}".encode()).hexdigest()


def _names(tx: Transaction, users: list[int]) -> dict[int, str]:
    """Return the names of users who may be added to a room.

    Raises NotFound, Forbidden.
    """
    found = {account.id: account for account in accounts.among(tx.connection, users)} if users else {}
    for user in users:
        account = found.get(user)
        if account is None or account.disabled:
            raise NotFound()
        rules.may_be_added(account.role)
    return {account.id: account.name for account in found.values()}


def _create(
    tx: Transaction, actor: Actor, new: rooms.NewRoomRow, roles: rooms.Roles, names: dict[int, str]
) -> tuple[Room, int]:
    """Store the room and append its events.

    Return the room as its creator sees it, and its first seq.
    """
    room_id = rooms.create(tx, new, roles)
    room = get_room(tx.connection, actor.id, room_id)
    event = RoomCreated(room=room_id, details=_as_non_member(room), by=actor.id, name=actor.name)
    entry = tx.append(event)
    for count, (user, role) in enumerate(roles.items(), 1):
        before_join = {"head": count, "floor": count, "read_seq": count, "member_count": count - 1, "role": role}
        tx.append(RoomAdded(person=user, room=room_id, details=room.model_copy(update=before_join)))
        tx.append(MemberJoined(room=room_id, user=user, user_name=names[user], by=actor.id))
    if new.kind == "public":
        tx.append(event.model_copy(update={"in_site": True}))
    return rooms.current(tx, actor.id, room_id), entry.seq


def _set_archived(tx: Transaction, actor: Actor, room: Room, *, archived: bool) -> MaybePosition:
    rules.may_archive(actor, room)
    if room.archived == archived:
        return {}
    tx.head(room_topic(room.id))
    rooms.change(tx, room.id, {"archived": archived}, public=False)
    event = RoomArchived if archived else RoomRestored
    return _publish(tx, event(room=room.id, by=actor.id, name=actor.name), public=room.kind == "public")


def _publish(tx: Transaction, event: SiteRoomEvent, *, public: bool) -> MaybePosition:
    """Append the event to the room's log and, if public, to the site's log."""
    entry = tx.append(event)
    if public:
        tx.append(event.model_copy(update={"in_site": True}))
    return entry.maybe_position()


def _answer(room: Room, seq: int) -> RoomPosition:
    return {"room": room, "topic": room_topic(room.id), "seq": seq}
