"""Rooms: make one, change it, put it away; list those one may see, look at one; what a room is to oneself."""

from hashlib import sha256

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands import (
    TOO_MANY,
    ArchiveRoom,
    ChangeSettings,
    CreateRoom,
    RestoreRoom,
    UpdateRoom,
)
from hubbub.domain.errors import BadRequest, Conflict, NotFound
from hubbub.domain.events import (
    MemberJoined,
    RoomAdded,
    RoomArchived,
    RoomChanges,
    RoomCreated,
    RoomRestored,
    RoomUpdated,
    SettingsChanged,
    SiteRoomEvent,
)
from hubbub.domain.model import Actor, Room, RoomRole, room_topic
from hubbub.domain.text import MAX_DIRECT
from hubbub.storage import accounts, idempotency_keys, log, members, messages, rooms
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]
MEMBERS_SHOWN = 100
OWN = ("head", "floor", "read", "unread", "mentions", "role", "favourite", "muted")
"""What a room's members alone are told."""
NAMED_ALIKE = "There is a room with that name, or one that looks like it."


def create(command: CreateRoom, actor: Actor, tx: Transaction) -> Answer:
    """A new room with its members in it, or the direct room there is. The same key gives the same room as it is."""
    rules.may_create_room(actor)
    digest = _digest(command)
    before = idempotency_keys.find(tx, actor.id, command.kind, command.key, digest)
    if before is not None:
        return _again(tx, actor, before)
    others = [user for user in dict.fromkeys(command.members) if user != actor.id]
    people = None
    if command.kind_of_room == "direct":
        if len(others) + 1 > MAX_DIRECT:
            raise BadRequest(f"members: {TOO_MANY}.")
        people = rooms.direct_key([actor.id, *others])
        there = rooms.direct(tx.connection, people)
        if there is not None:
            answer = _answer(rooms.current(tx, actor.id, there), tx.head(room_topic(there)).seq)
            return idempotency_keys.keep(tx, actor.id, command.kind, command.key, digest, answer)
    names = _people(tx, others) | {actor.id: actor.name}
    if people is None:
        rules.may_join_more(actor, rooms.users_at_room_limit(tx.connection, list(names)))
    else:
        rules.may_create_direct(*rooms.direct_made(tx.connection, actor.id, others))
    name = command.name or ""
    if command.kind_of_room == "public" and rooms.name_taken(tx.connection, name):
        raise Conflict(NAMED_ALIKE)
    new = rooms.NewRoomRow(
        command.kind_of_room, name, actor.id, command.topic, command.description, command.history, people
    )
    first = RoomRole.MEMBER if people else RoomRole.OWNER
    created, seq = _found(tx, actor, new, {actor.id: first} | dict.fromkeys(others, RoomRole.MEMBER), names)
    return idempotency_keys.keep(tx, actor.id, command.kind, command.key, digest, _answer(created, seq))


def update(command: UpdateRoom, actor: Actor, tx: Transaction) -> Answer:
    """Changes what is different; if nothing is, nothing happens."""
    seen = rooms.get_visible(tx.connection, actor.id, command.room)
    rules.may_update(actor, seen, history=command.history is not None)
    rules.may_change(seen)
    if seen.kind == "direct" and (command.name is not None or command.history is not None):
        raise BadRequest("A direct room has no name, and everybody in it reads all of it.")
    given = {field: getattr(command, field) for field in RoomChanges.model_fields}
    changes = {
        field: value for field, value in given.items() if value is not None and value != (getattr(seen, field) or "")
    }
    if not changes:
        return {}
    public = seen.kind == "public"
    if public and "name" in changes and rooms.name_taken(tx.connection, changes["name"], besides=seen.id):
        raise Conflict(NAMED_ALIKE)
    tx.head(room_topic(seen.id))
    rooms.change(tx, seen.id, changes, public=public)
    if changes.get("history") == "joined":
        messages.redact_edits(tx, seen.id)
    told = RoomUpdated(room=seen.id, by=actor.id, name=actor.name, changes=RoomChanges.model_validate(changes))
    return _tell(tx, told, public=public)


def archive(command: ArchiveRoom, actor: Actor, tx: Transaction) -> Answer:
    """From here on nothing is said or changed there; reading goes on. Twice is once."""
    return _put(tx, actor, command.room, archived=True)


def restore(command: RestoreRoom, actor: Actor, tx: Transaction) -> Answer:
    """An archived room is as it was. Twice is once."""
    return _put(tx, actor, command.room, archived=False)


def settings(command: ChangeSettings, actor: Actor, tx: Transaction) -> Answer:
    """One's own, so in an archived room too. What is as it was already is answered with an empty object."""
    seen = rooms.get_visible(tx.connection, actor.id, command.room)
    if not seen.joined:
        raise NotFound()
    favourite = bool(seen.favourite if command.favourite is None else command.favourite)
    muted = bool(seen.muted if command.muted is None else command.muted)
    if (favourite, muted) == (seen.favourite, seen.muted):
        return {}
    rooms.set_preferences(tx, seen.id, actor.id, favourite=favourite, muted=muted)
    entry = tx.append(SettingsChanged(person=actor.id, room=seen.id, favourite=favourite, muted=muted))
    return {"topic": entry.topic, "seq": entry.seq}


# --- queries -------------------------------------------------------------------------------------------------------


def directory(connection: Connection, user: int, after: int, limit: int, *, archived: bool = True) -> Answer:
    """Every room the person may see, joined or not, the lobby first; without `archived`, only open ones."""
    found = rooms.directory(connection, user, after, limit + 1, archived=archived)
    return {
        "rooms": [room.model_dump(exclude_none=True) for room in found[:limit]],
        "more": len(found) > limit,
    }


def detail(connection: Connection, user: int, room: int) -> Answer:
    """A room, the first of its members and the reader's position, with the heads they were read at. Raises NotFound."""
    seen = rooms.get_visible(connection, user, room)
    shown = members.listing(connection, room, 0, MEMBERS_SHOWN + 1) if seen.joined else []
    return {
        "room": seen.model_dump(exclude_none=True),
        "members": [member.model_dump() for member in shown[:MEMBERS_SHOWN]],
        "more_members": len(shown) > MEMBERS_SHOWN,
        "read": seen.read,
        "heads": log.heads(connection, [room_topic(room)]) if seen.joined else {},
    }


# --- parts ---------------------------------------------------------------------------------------------------------


def _again(tx: Transaction, actor: Actor, before: Answer) -> Answer:
    """What was answered once, with the room as it is: whoever is no longer in it gets nothing of what is a member's."""
    made = before["room"]
    assert isinstance(made, dict), "a room was answered"
    room = int(made["id"])
    tx.head(room_topic(room))
    if members.role_of(tx.connection, room, actor.id) is not None:
        return before | {"room": rooms.current(tx, actor.id, room).model_dump(exclude_none=True)}
    seen = rooms.find_visible(tx.connection, actor.id, room)
    shown = made if seen is None else seen.model_dump(exclude_none=True)
    return before | {"room": {name: value for name, value in shown.items() if name not in OWN} | {"joined": False}}


def _digest(command: CreateRoom) -> str:
    """What the key stands for. Of a plain public room, the name alone: as before there were others."""
    given = command.model_dump_json(exclude={"type", "name", "key"}, exclude_defaults=True)
    return sha256(f"{command.name or ''}{'' if given == '{}' else given}".encode()).hexdigest()


def _people(tx: Transaction, wanted: list[int]) -> dict[int, str]:
    """The names of those who can be put into a room. Raises NotFound, Forbidden."""
    found = {account.id: account for account in accounts.among(tx.connection, wanted)} if wanted else {}
    for user in wanted:
        account = found.get(user)
        if account is None or account.disabled:
            raise NotFound()
        rules.may_be_added(account.role)
    return {account.id: account.name for account in found.values()}


def _found(
    tx: Transaction, actor: Actor, new: rooms.NewRoomRow, who: rooms.Roles, names: dict[int, str]
) -> tuple[Room, int]:
    """Makes the room, and tells its members one by one; the room as its creator sees it, and its first seq."""
    room = rooms.create(tx, new, who)
    seen = rooms.get_visible(tx.connection, actor.id, room)
    public = new.kind == "public"
    shown = seen.model_copy(update={**dict.fromkeys(OWN), "joined": False})
    said = {"room": shown, "by": actor.id, "name": actor.name}
    entry = tx.append(RoomCreated(**said))
    for count, (user, role) in enumerate(who.items(), 1):
        place = {"head": count, "floor": count, "read": count, "members": count - 1, "role": role}
        tx.append(RoomAdded(person=user, room=seen.model_copy(update=place)))
        tx.append(MemberJoined(room=room, user=user, name=names[user], by=actor.id))
    if public:
        tx.append(RoomCreated(**said, in_site=True))
    return rooms.current(tx, actor.id, room), entry.seq


def _put(tx: Transaction, actor: Actor, room: int, *, archived: bool) -> Answer:
    seen = rooms.get_visible(tx.connection, actor.id, room)
    rules.may_archive(actor, seen)
    if seen.archived == archived:
        return {}
    tx.head(room_topic(room))
    rooms.change(tx, room, {"archived": archived}, public=False)
    kind = RoomArchived if archived else RoomRestored
    return _tell(tx, kind(room=room, by=actor.id, name=actor.name), public=seen.kind == "public")


def _tell(tx: Transaction, news: SiteRoomEvent, *, public: bool) -> Answer:
    """To the members, and of a public room to everybody."""
    entry = tx.append(news)
    if public:
        tx.append(news.model_copy(update={"in_site": True}))
    return {"topic": entry.topic, "seq": entry.seq}


def _answer(room: Room, seq: int) -> Answer:
    return {"room": room.model_dump(exclude_none=True), "topic": room_topic(room.id), "seq": seq}
