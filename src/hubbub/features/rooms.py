"""Rooms: create, update, archive, restore, list, and change own settings."""

from hashlib import sha256

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands import (
    TOO_MANY,
    ArchiveRoom,
    CreateRoom,
    RestoreRoom,
    SetRoomPreferences,
    UpdateRoom,
)
from hubbub.domain.errors import BadRequest, Conflict, NotFound
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
from hubbub.domain.model import Actor, Room, RoomRole, room_topic
from hubbub.domain.text import MAX_DIRECT
from hubbub.storage import accounts, idempotency_keys, log, members, messages, rooms
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]
MEMBERS_SHOWN = 100
MEMBER_FIELDS = ("head", "floor", "read_seq", "unread_count", "mention_count", "role", "favourite", "muted")
"""The fields of a room that only members get."""
NAME_TAKEN = "There is already a room with this name, or one that looks like it. Choose another name."


def create(command: CreateRoom, actor: Actor, tx: Transaction) -> Answer:
    """Create a room with its members, or return the existing direct room.

    The same key gives the same room, in its current state.
    """
    rules.may_create_room(actor)
    digest = _digest(command)
    previous = idempotency_keys.find(tx, actor.id, command.kind, command.key, digest)
    if previous is not None:
        return _repeat_answer(tx, actor, previous)
    others = [user for user in dict.fromkeys(command.members) if user != actor.id]
    direct_key = None
    if command.kind_of_room == "direct":
        if len(others) + 1 > MAX_DIRECT:
            raise BadRequest(f"members: {TOO_MANY}.")
        direct_key = rooms.direct_key([actor.id, *others])
        existing = rooms.direct(tx.connection, direct_key)
        if existing is not None:
            answer = _answer(rooms.current(tx, actor.id, existing), tx.head(room_topic(existing)).seq)
            return idempotency_keys.keep(tx, actor.id, command.kind, command.key, digest, answer)
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
    return idempotency_keys.keep(tx, actor.id, command.kind, command.key, digest, _answer(created, seq))


def update(command: UpdateRoom, actor: Actor, tx: Transaction) -> Answer:
    """Update the fields that differ. If none does, nothing happens."""
    room = rooms.get_visible(tx.connection, actor.id, command.room)
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
    if changes.get("history") == "joined":
        messages.redact_edits(tx, room.id)
    event = RoomUpdated(room=room.id, by=actor.id, name=actor.name, changes=RoomChanges.model_validate(changes))
    return _publish(tx, event, public=public)


def archive(command: ArchiveRoom, actor: Actor, tx: Transaction) -> Answer:
    """Make a room read-only. Idempotent."""
    return _set_archived(tx, actor, command.room, archived=True)


def restore(command: RestoreRoom, actor: Actor, tx: Transaction) -> Answer:
    """Restore an archived room. Idempotent."""
    return _set_archived(tx, actor, command.room, archived=False)


def set_preferences(command: SetRoomPreferences, actor: Actor, tx: Transaction) -> Answer:
    """Set the actor's own preferences for a room.

    If nothing changes, the answer is empty. Allowed in archived rooms, too.
    """
    room = rooms.get_visible(tx.connection, actor.id, command.room)
    if not room.joined:
        raise NotFound()
    favourite = bool(room.favourite if command.favourite is None else command.favourite)
    muted = bool(room.muted if command.muted is None else command.muted)
    if (favourite, muted) == (room.favourite, room.muted):
        return {}
    rooms.set_preferences(tx, room.id, actor.id, favourite=favourite, muted=muted)
    entry = tx.append(RoomPreferencesChanged(person=actor.id, room=room.id, favourite=favourite, muted=muted))
    return {"topic": entry.topic, "seq": entry.seq}


# --- queries -------------------------------------------------------------------------------------------------------


def directory(connection: Connection, user: int, after: int, limit: int, *, archived: bool = True) -> Answer:
    """Return a page of all rooms the user may see, joined or not, the lobby first.

    With `archived` False, archived rooms are left out.
    """
    found = rooms.directory(connection, user, after, limit + 1, archived=archived)
    return {
        "rooms": [room.model_dump(exclude_none=True) for room in found[:limit]],
        "more": len(found) > limit,
    }


def detail(connection: Connection, user: int, room: int) -> Answer:
    """Return a room, its first members, the user's read position and the head.

    Raises NotFound.
    """
    seen = rooms.get_visible(connection, user, room)
    shown = members.listing(connection, room, 0, MEMBERS_SHOWN + 1) if seen.joined else []
    return {
        "room": seen.model_dump(exclude_none=True),
        "members": [member.model_dump() for member in shown[:MEMBERS_SHOWN]],
        "more_members": len(shown) > MEMBERS_SHOWN,
        "heads": log.heads(connection, [room_topic(room)]) if seen.joined else {},
    }


# --- parts ---------------------------------------------------------------------------------------------------------


def _repeat_answer(tx: Transaction, actor: Actor, previous: Answer) -> Answer:
    """Return the previous answer with the current room.

    A former member gets no fields that only members may see.
    """
    created = previous["room"]
    assert isinstance(created, dict), "the answer to room.create has a room"
    room = int(created["id"])
    tx.head(room_topic(room))
    if members.role_of(tx.connection, room, actor.id) is not None:
        return previous | {"room": rooms.current(tx, actor.id, room).model_dump(exclude_none=True)}
    visible = rooms.find_visible(tx.connection, actor.id, room)
    fields = created if visible is None else visible.model_dump(exclude_none=True)
    public_fields = {name: value for name, value in fields.items() if name not in MEMBER_FIELDS}
    return previous | {"room": public_fields | {"joined": False}}


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
    room = rooms.get_visible(tx.connection, actor.id, room_id)
    as_non_member = room.model_copy(update={**dict.fromkeys(MEMBER_FIELDS), "joined": False})
    event = RoomCreated(room=room_id, details=as_non_member, by=actor.id, name=actor.name)
    entry = tx.append(event)
    for count, (user, role) in enumerate(roles.items(), 1):
        before_join = {"head": count, "floor": count, "read_seq": count, "member_count": count - 1, "role": role}
        tx.append(RoomAdded(person=user, room=room_id, details=room.model_copy(update=before_join)))
        tx.append(MemberJoined(room=room_id, user=user, user_name=names[user], by=actor.id))
    if new.kind == "public":
        tx.append(event.model_copy(update={"in_site": True}))
    return rooms.current(tx, actor.id, room_id), entry.seq


def _set_archived(tx: Transaction, actor: Actor, room_id: int, *, archived: bool) -> Answer:
    room = rooms.get_visible(tx.connection, actor.id, room_id)
    rules.may_archive(actor, room)
    if room.archived == archived:
        return {}
    tx.head(room_topic(room_id))
    rooms.change(tx, room_id, {"archived": archived}, public=False)
    event = RoomArchived if archived else RoomRestored
    return _publish(tx, event(room=room_id, by=actor.id, name=actor.name), public=room.kind == "public")


def _publish(tx: Transaction, event: SiteRoomEvent, *, public: bool) -> Answer:
    """Append the event to the room's log and, if public, to the site's log."""
    entry = tx.append(event)
    if public:
        tx.append(event.model_copy(update={"in_site": True}))
    return {"topic": entry.topic, "seq": entry.seq}


def _answer(room: Room, seq: int) -> Answer:
    return {"room": room.model_dump(exclude_none=True), "topic": room_topic(room.id), "seq": seq}
