"""Members: join a room, leave it, bring somebody, send somebody away or keep him out, say who is what."""

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands import (
    BanMember,
    InviteMember,
    JoinRoom,
    LeaveRoom,
    RemoveMember,
    SetRoomRole,
    UnbanMember,
)
from hubbub.domain.errors import Conflict, NotFound
from hubbub.domain.events import (
    Entry,
    MemberBanned,
    MemberLeft,
    MemberRemoved,
    MemberRole,
    MemberUnbanned,
    RoomRemoved,
)
from hubbub.domain.model import Actor, Room, RoomRole, room_topic
from hubbub.storage import accounts, bans, invites, log, members, rooms
from hubbub.storage.accounts import Account
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]


def join(command: JoinRoom, actor: Actor, tx: Transaction) -> Answer:
    """Joining twice is fine: the answer is then where the room stands."""
    seen = rooms.get_visible(tx.connection, actor.id, command.room)
    topic = room_topic(command.room)
    if seen.joined:
        standing = rooms.current(tx, actor.id, command.room)
        return {"room": standing.model_dump(exclude_none=True), "topic": topic, "seq": standing.head}
    rules.may_join(actor, seen, banned=bans.holds(tx.connection, seen.id, actor.id))
    rules.may_join_more(actor, rooms.users_at_room_limit(tx.connection, [actor.id]))
    joined, entry = members.enter(tx, seen.id, actor.id, actor.name, actor.id)
    return {"room": joined.model_dump(exclude_none=True), "topic": topic, "seq": entry.seq}


def leave(command: LeaveRoom, actor: Actor, tx: Transaction) -> Answer:
    """A private room that nobody is in any more is archived: nobody could ever come in again."""
    seen = rooms.get_visible(tx.connection, actor.id, command.room)
    if not seen.joined:
        raise NotFound()
    owned = seen.role is RoomRole.OWNER
    rules.may_leave(seen, heirs=owned and members.has_others(tx.connection, seen.id, actor.id))
    members.close_behind(tx, seen.id, actor.id, actor.name)
    members.remove(tx, seen.id, actor.id)
    invites.remove_into(tx, seen.id, actor.id)
    entry = tx.append(MemberLeft(room=seen.id, user=actor.id, name=actor.name, by=actor.id))
    tx.append(RoomRemoved(person=actor.id, room=seen.id, why="left"))
    if owned:
        members.succeed(tx, seen.id)
    return _position(entry)


def invite(command: InviteMember, actor: Actor, tx: Transaction) -> Answer:
    """The person is a member at once. Somebody who is one already is left as he is."""
    seen = rooms.get_visible(tx.connection, actor.id, command.room)
    rules.rank(actor, seen)
    guest = _person(tx.connection, command.user)
    rules.may_add(actor, seen, guest.role, banned=bans.holds(tx.connection, seen.id, guest.id))
    if members.role_of(tx.connection, seen.id, guest.id) is not None:
        return {}
    if guest.disabled:
        raise NotFound()
    rules.may_join_more(actor, rooms.users_at_room_limit(tx.connection, [guest.id]))
    _, entry = members.enter(tx, seen.id, guest.id, guest.name, actor.id)
    return _position(entry)


def remove(command: RemoveMember, actor: Actor, tx: Transaction) -> Answer:
    """The removed person gets the removal as the room's last word, and nothing after it."""
    seen = rooms.get_visible(tx.connection, actor.id, command.room)
    theirs = members.role_of(tx.connection, seen.id, command.user)
    rules.may_remove(actor, seen, command.user, theirs)
    if theirs is None:
        raise NotFound()
    name = accounts.name_of(tx.connection, command.user)
    members.remove(tx, seen.id, command.user)
    invites.remove_into(tx, seen.id, command.user)
    entry = tx.append(MemberRemoved(room=seen.id, user=command.user, name=name, by=actor.id))
    tx.append(RoomRemoved(person=command.user, room=seen.id, why="removed"))
    if theirs is RoomRole.OWNER:
        members.succeed(tx, seen.id)
    return _position(entry)


def ban(command: BanMember, actor: Actor, tx: Transaction) -> Answer:
    """A member's ban is the room's last word to him; the reason is for him and for those who look after the room."""
    seen = rooms.get_visible(tx.connection, actor.id, command.room)
    theirs = members.role_of(tx.connection, seen.id, command.user)
    rules.may_remove(actor, seen, command.user, theirs)
    whom = _person(tx.connection, command.user)
    if bans.holds(tx.connection, seen.id, whom.id):
        return {}
    if theirs is not None:
        members.remove(tx, seen.id, whom.id)
    invites.remove_into(tx, seen.id, whom.id)
    bans.add(tx, seen.id, whom.id, actor.id, command.reason)
    was_member = theirs is not None
    entry = tx.append(MemberBanned(room=seen.id, user=whom.id, name=whom.name, by=actor.id, was_member=was_member))
    if theirs is not None:
        tx.append(RoomRemoved(person=whom.id, room=seen.id, why="banned", reason=command.reason or None))
    if theirs is RoomRole.OWNER:
        members.succeed(tx, seen.id)
    return _position(entry)


def unban(command: UnbanMember, actor: Actor, tx: Transaction) -> Answer:
    """Lets somebody come back; it does not bring him back."""
    seen = rooms.get_visible(tx.connection, actor.id, command.room)
    rules.may_unban(actor, seen)
    if not bans.holds(tx.connection, seen.id, command.user):
        return {}
    name = accounts.name_of(tx.connection, command.user)
    bans.remove(tx, seen.id, command.user)
    return _position(tx.append(MemberUnbanned(room=seen.id, user=command.user, name=name, by=actor.id)))


def set_role(command: SetRoomRole, actor: Actor, tx: Transaction) -> Answer:
    """There is one owner: whoever makes another one is a moderator from then on, and that is told first.

    What is so already is fine before anything else: after a hand-over whoever repeats it may not do it any more.
    """
    seen = rooms.get_visible(tx.connection, actor.id, command.room)
    rules.rank(actor, seen)
    theirs = members.role_of(tx.connection, seen.id, command.user)
    if theirs is command.role:
        return {}
    rules.may_set_role(actor, seen, theirs or RoomRole.MEMBER, command.role)
    if theirs is None:
        raise NotFound()
    if command.role is RoomRole.OWNER and not accounts.is_open(tx.connection, command.user):
        raise Conflict("Whoever is locked out cannot be the owner.")
    former = members.owner_of(tx.connection, seen.id) if command.role is RoomRole.OWNER else None
    if former is not None:
        _say_role(tx, seen, former, RoomRole.MODERATOR, actor)
    if command.role is RoomRole.MEMBER:
        invites.remove_into(tx, seen.id, command.user)
    whom = (command.user, accounts.name_of(tx.connection, command.user))
    return _position(_say_role(tx, seen, whom, command.role, actor))


# --- queries -------------------------------------------------------------------------------------------------------


def listing(connection: Connection, actor: Actor, room: int, after: int, limit: int) -> Answer:
    """A page of a room's members by user id, for its members and the site's staff. Raises NotFound."""
    rules.rank(actor, rooms.get_visible(connection, actor.id, room))
    found = members.listing(connection, room, after, limit + 1)
    return {
        "members": [member.model_dump() for member in found[:limit]],
        "more": len(found) > limit,
        "heads": log.heads(connection, [room_topic(room)]),
    }


def banned(connection: Connection, actor: Actor, room: int, after: int, limit: int) -> Answer:
    """A page of those who are banned from a room, for those who look after it. Raises NotFound, Forbidden."""
    rules.may_moderate(actor, rooms.get_visible(connection, actor.id, room))
    found = bans.listing(connection, room, after, limit + 1)
    return {"bans": [each.model_dump(exclude_none=True) for each in found[:limit]], "more": len(found) > limit}


# --- parts ---------------------------------------------------------------------------------------------------------


def _person(connection: Connection, user: int) -> Account:
    """Somebody who is there, locked out or not."""
    found = accounts.find(connection, user)
    if found is None or not found.open_name:
        raise NotFound()
    return found


def _say_role(tx: Transaction, room: Room, whom: tuple[int, str], role: RoomRole, actor: Actor) -> Entry:
    user, name = whom
    members.set_role(tx, room.id, user, role)
    return tx.append(MemberRole(room=room.id, user=user, name=name, by=actor.id, role=role))


def _position(entry: Entry) -> Answer:
    return {"topic": entry.topic, "seq": entry.seq}
