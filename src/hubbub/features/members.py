"""Members: join, leave, add, remove, ban, unban, and change roles."""

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands import (
    AddMember,
    BanMember,
    JoinRoom,
    LeaveRoom,
    RemoveMember,
    SetMemberRole,
    UnbanMember,
)
from hubbub.domain.errors import Conflict, NotFound
from hubbub.domain.events import (
    Entry,
    MemberBanned,
    MemberLeft,
    MemberRemoved,
    MemberRoleChanged,
    MemberUnbanned,
    RoomRemoved,
)
from hubbub.domain.model import Actor, Room, RoomRole, room_topic
from hubbub.storage import accounts, bans, invites, log, members, rooms
from hubbub.storage.accounts import Account
from hubbub.storage.transaction import Transaction

Answer = dict[str, object]


def join(command: JoinRoom, actor: Actor, tx: Transaction) -> Answer:
    """Join a room. For a member, the answer is the room as it is and its head."""
    room = rooms.get_visible(tx.connection, actor.id, command.room)
    topic = room_topic(command.room)
    if room.joined:
        current = rooms.current(tx, actor.id, command.room)
        return {"room": current.model_dump(exclude_none=True), "topic": topic, "seq": current.head}
    rules.may_join(actor, room, banned=bans.holds(tx.connection, room.id, actor.id))
    rules.may_join_more(actor, rooms.users_at_room_limit(tx.connection, [actor.id]))
    joined, entry = members.enter(tx, room.id, actor.id, actor.name, actor.id)
    return {"room": joined.model_dump(exclude_none=True), "topic": topic, "seq": entry.seq}


def leave(command: LeaveRoom, actor: Actor, tx: Transaction) -> Answer:
    """Leave a room.

    A private room whose last member leaves is archived, because no user could ever join it again.
    """
    room = rooms.get_visible(tx.connection, actor.id, command.room)
    if not room.joined:
        raise NotFound()
    is_owner = room.role is RoomRole.OWNER
    rules.may_leave(room, heirs=is_owner and members.has_others(tx.connection, room.id, actor.id))
    members.close_behind(tx, room.id, actor.id, actor.name)
    members.remove(tx, room.id, actor.id)
    invites.remove_into(tx, room.id, actor.id)
    entry = tx.append(MemberLeft(room=room.id, user=actor.id, user_name=actor.name, by=actor.id))
    tx.append(RoomRemoved(person=actor.id, room=room.id, why="left"))
    if is_owner:
        members.succeed(tx, room.id)
    return _position(entry)


def add(command: AddMember, actor: Actor, tx: Transaction) -> Answer:
    """Add a user to a room. An existing member stays as they are."""
    room = rooms.get_visible(tx.connection, actor.id, command.room)
    rules.rank(actor, room)
    user = _get_account(tx.connection, command.user)
    rules.may_add(actor, room, user.role, banned=bans.holds(tx.connection, room.id, user.id))
    if members.role_of(tx.connection, room.id, user.id) is not None:
        return {}
    if user.disabled:
        raise NotFound()
    rules.may_join_more(actor, rooms.users_at_room_limit(tx.connection, [user.id]))
    _, entry = members.enter(tx, room.id, user.id, user.name, actor.id)
    return _position(entry)


def remove(command: RemoveMember, actor: Actor, tx: Transaction) -> Answer:
    """Remove a member.

    The removal is the last event of the room that the removed user gets.
    """
    room = rooms.get_visible(tx.connection, actor.id, command.room)
    role = members.role_of(tx.connection, room.id, command.user)
    rules.may_remove(actor, room, command.user, role)
    if role is None:
        raise NotFound()
    name = accounts.name_of(tx.connection, command.user)
    members.remove(tx, room.id, command.user)
    invites.remove_into(tx, room.id, command.user)
    entry = tx.append(MemberRemoved(room=room.id, user=command.user, user_name=name, by=actor.id))
    tx.append(RoomRemoved(person=command.user, room=room.id, why="removed"))
    if role is RoomRole.OWNER:
        members.succeed(tx, room.id)
    return _position(entry)


def ban(command: BanMember, actor: Actor, tx: Transaction) -> Answer:
    """Ban a user. The ban is the last event of the room that a banned member gets.

    Only the banned user and the room's moderators see the reason.
    """
    room = rooms.get_visible(tx.connection, actor.id, command.room)
    role = members.role_of(tx.connection, room.id, command.user)
    rules.may_remove(actor, room, command.user, role)
    user = _get_account(tx.connection, command.user)
    if bans.holds(tx.connection, room.id, user.id):
        return {}
    was_member = role is not None
    if was_member:
        members.remove(tx, room.id, user.id)
    invites.remove_into(tx, room.id, user.id)
    bans.add(tx, room.id, user.id, actor.id, command.reason)
    entry = tx.append(MemberBanned(room=room.id, user=user.id, user_name=user.name, by=actor.id, was_member=was_member))
    if was_member:
        tx.append(RoomRemoved(person=user.id, room=room.id, why="banned", reason=command.reason or None))
    if role is RoomRole.OWNER:
        members.succeed(tx, room.id)
    return _position(entry)


def unban(command: UnbanMember, actor: Actor, tx: Transaction) -> Answer:
    """Lift a ban. It does not make the user a member again."""
    room = rooms.get_visible(tx.connection, actor.id, command.room)
    rules.may_unban(actor, room)
    if not bans.holds(tx.connection, room.id, command.user):
        return {}
    name = accounts.name_of(tx.connection, command.user)
    bans.remove(tx, room.id, command.user)
    return _position(tx.append(MemberUnbanned(room=room.id, user=command.user, user_name=name, by=actor.id)))


def set_role(command: SetMemberRole, actor: Actor, tx: Transaction) -> Answer:
    """Change a member's role.

    When the owner changes, the former owner becomes a moderator first. A role the member already
    has is accepted before the permission is checked: a former owner who repeats the change of owner
    no longer has the permission.
    """
    room = rooms.get_visible(tx.connection, actor.id, command.room)
    rules.rank(actor, room)
    role = members.role_of(tx.connection, room.id, command.user)
    if role is command.role:
        return {}
    rules.may_set_role(actor, room, role or RoomRole.MEMBER, command.role)
    if role is None:
        raise NotFound()
    if command.role is RoomRole.OWNER and not accounts.is_open(tx.connection, command.user):
        raise Conflict("This account is disabled. It can't own a room.")
    former_owner = members.owner_of(tx.connection, room.id) if command.role is RoomRole.OWNER else None
    if former_owner is not None:
        _change_role(tx, room, former_owner, RoomRole.MODERATOR, actor)
    if command.role is RoomRole.MEMBER:
        invites.remove_into(tx, room.id, command.user)
    member = (command.user, accounts.name_of(tx.connection, command.user))
    return _position(_change_role(tx, room, member, command.role, actor))


# --- queries -------------------------------------------------------------------------------------------------------


def listing(connection: Connection, actor: Actor, room: int, after: int, limit: int) -> Answer:
    """Return a page of a room's members by user id, for members and the site's staff.

    Raises NotFound.
    """
    rules.rank(actor, rooms.get_visible(connection, actor.id, room))
    found = members.listing(connection, room, after, limit + 1)
    return {
        "members": [member.model_dump() for member in found[:limit]],
        "more": len(found) > limit,
        "heads": log.heads(connection, [room_topic(room)]),
    }


def banned(connection: Connection, actor: Actor, room: int, after: int, limit: int) -> Answer:
    """Return a page of a room's bans, for its moderators. Raises NotFound, Forbidden."""
    rules.may_moderate(actor, rooms.get_visible(connection, actor.id, room))
    found = bans.listing(connection, room, after, limit + 1)
    return {"bans": [ban.model_dump(exclude_none=True) for ban in found[:limit]], "more": len(found) > limit}


# --- parts ---------------------------------------------------------------------------------------------------------


def _get_account(connection: Connection, user: int) -> Account:
    """Return an account that is not deleted; it may be disabled. Raises NotFound."""
    account = accounts.find(connection, user)
    if account is None or not account.open_name:
        raise NotFound()
    return account


def _change_role(tx: Transaction, room: Room, member: tuple[int, str], role: RoomRole, actor: Actor) -> Entry:
    """Store the role of `member` = (id, name) and append its event."""
    user, name = member
    members.set_role(tx, room.id, user, role)
    return tx.append(MemberRoleChanged(room=room.id, user=user, user_name=name, by=actor.id, role=role))


def _position(entry: Entry) -> Answer:
    return {"topic": entry.topic, "seq": entry.seq}
