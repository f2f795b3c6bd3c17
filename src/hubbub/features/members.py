"""Members: join a room, leave it, be removed from it."""

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands import JoinRoom, LeaveRoom, RemoveMember
from hubbub.domain.errors import NotFound
from hubbub.domain.events import MemberJoined, MemberLeft, MemberRemoved, RoomAdded, RoomGone
from hubbub.domain.model import Actor, RoomRole, room_topic
from hubbub.storage import accounts, log, members, rooms
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]


def join(command: JoinRoom, actor: Actor, tx: Transaction) -> Answer:
    """Joining twice is fine: the answer is then where the room stands."""
    seen = rooms.seen_by(tx.connection, actor.id, command.room)
    if seen is None:
        raise NotFound()
    topic = room_topic(command.room)
    if seen.joined:
        own = members.find(tx.connection, command.room, actor.id)
        assert own is not None, "a member has a membership"
        head = tx.head(topic)  # the table has it from before this batch
        standing = seen.model_copy(update={"head": head.seq, "unread": head.n - own.read_n})
        return {"room": standing.model_dump(exclude_none=True), "topic": topic, "seq": head.seq}
    rules.may_join(actor, seen)
    members.add(tx, command.room, actor.id, RoomRole.MEMBER)
    joined = rooms.joining(tx, actor.id, command.room)
    tx.append(RoomAdded(person=actor.id, room=joined))
    entry = tx.append(MemberJoined(room=command.room, user=actor.id, name=actor.name, by=actor.id))
    return {"room": joined.model_dump(exclude_none=True), "topic": topic, "seq": entry.seq}


def leave(command: LeaveRoom, actor: Actor, tx: Transaction) -> Answer:
    if members.find(tx.connection, command.room, actor.id) is None:
        raise NotFound()
    rules.may_leave(command.room)
    members.remove(tx, command.room, actor.id)
    entry = tx.append(MemberLeft(room=command.room, user=actor.id, name=actor.name, by=actor.id))
    tx.append(RoomGone(person=actor.id, room=command.room))
    return {"topic": entry.topic, "seq": entry.seq}


def remove(command: RemoveMember, actor: Actor, tx: Transaction) -> Answer:
    """The removed person gets the removal as the room's last word, and nothing after it."""
    own = members.find(tx.connection, command.room, actor.id)
    rules.may_remove(actor, own.role if own is not None else None, command.room, command.user)
    if members.find(tx.connection, command.room, command.user) is None:
        raise NotFound()
    name = accounts.name_of(tx.connection, command.user)
    members.remove(tx, command.room, command.user)
    entry = tx.append(MemberRemoved(room=command.room, user=command.user, name=name, by=actor.id))
    tx.append(RoomGone(person=command.user, room=command.room))
    return {"topic": entry.topic, "seq": entry.seq}


def listing(connection: Connection, user: int, room: int, after: int, limit: int) -> Answer:
    """A page of a room's members by user id, for its members. Raises NotFound."""
    if members.find(connection, room, user) is None:
        raise NotFound()
    found = members.listing(connection, room, after, limit + 1)
    return {
        "members": [member.model_dump() for member in found[:limit]],
        "more": len(found) > limit,
        "heads": log.heads(connection, [room_topic(room)]),
    }
