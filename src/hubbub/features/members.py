"""Members: join, leave, add, remove, ban, unban, and change roles."""

from sqlalchemy import Connection

from hubbub.domain import rules
from hubbub.domain.commands import (
    AddMember,
    BanMember,
    ChangeMembers,
    JoinRoom,
    LeaveRoom,
    RemoveMember,
    SetMemberRole,
    UnbanMember,
)
from hubbub.domain.errors import Conflict, NotFound
from hubbub.domain.events import MemberBanned, MemberLeft, MemberRemoved, MemberUnbanned
from hubbub.domain.model import (
    Actor,
    MaybePosition,
    Member,
    MembersAnswer,
    Position,
    RoomPosition,
    RoomRole,
    room_topic,
)
from hubbub.features.shared.access import get_account, get_room
from hubbub.features.shared.guard import Request
from hubbub.features.shared.handlers import handles
from hubbub.features.shared.membership import change_role, close_behind, end_membership, enter
from hubbub.storage import accounts, bans, invites, log, members, rooms
from hubbub.storage.transaction import Transaction


@handles(JoinRoom)
def join(request: Request[JoinRoom], tx: Transaction) -> RoomPosition:
    """Join a room. For a member, the answer is the room as it is and its head."""
    command, actor = request.command, request.actor
    room = request.room
    topic = room_topic(command.room)
    if room.joined:
        current = rooms.current(tx, actor.id, command.room)
        return {"room": current, "topic": topic, "seq": current.head or 0}
    rules.may_join(actor, room, banned=bans.holds(tx.connection, room.id, actor.id))
    rules.may_join_more(actor, rooms.users_at_room_limit(tx.connection, [actor.id]))
    joined, entry = enter(tx, room.id, actor.id, actor.name, actor.id)
    return {"room": joined, "topic": topic, "seq": entry.seq}


@handles(LeaveRoom)
def leave(request: Request[LeaveRoom], tx: Transaction) -> Position:
    """Leave a room.

    A private room whose last member leaves is archived, because no user could ever join it again.
    """
    actor, room = request.actor, request.room
    is_owner = room.role is RoomRole.OWNER
    rules.may_leave(room, heirs=is_owner and members.has_others(tx.connection, room.id, actor.id))
    close_behind(tx, room.id, actor.id, actor.name)
    event = MemberLeft(room=room.id, user=actor.id, user_name=actor.name, by=actor.id)
    return end_membership(tx, event, room.role, why="left").position()


@handles(AddMember)
def add(request: Request[AddMember], tx: Transaction) -> MaybePosition:
    """Add a user to a room. An existing member stays as they are."""
    command, actor = request.command, request.actor
    room = request.room
    rules.rank(actor, room)
    user = get_account(tx.connection, command.user)
    rules.may_add(actor, room, user.role, banned=bans.holds(tx.connection, room.id, user.id))
    if members.role_of(tx.connection, room.id, user.id) is not None:
        return {}
    if user.disabled:
        raise NotFound()
    rules.may_join_more(actor, rooms.users_at_room_limit(tx.connection, [user.id]))
    _, entry = enter(tx, room.id, user.id, user.name, actor.id)
    return entry.maybe_position()


@handles(RemoveMember)
def remove(request: Request[RemoveMember], tx: Transaction) -> Position:
    """Remove a member.

    The removal is the last event of the room that the removed user gets.
    """
    command, actor = request.command, request.actor
    room = request.room
    role = members.role_of(tx.connection, room.id, command.user)
    rules.may_remove(actor, room, command.user, role)
    if role is None:
        raise NotFound()
    name = accounts.name_of(tx.connection, command.user)
    event = MemberRemoved(room=room.id, user=command.user, user_name=name, by=actor.id)
    return end_membership(tx, event, role, why="removed").position()


@handles(ChangeMembers)
def change(request: Request[ChangeMembers], tx: Transaction) -> MembersAnswer:
    """Add and remove members. Existing members are not added, others not removed."""
    command, actor, room = request.command, request.actor, request.room
    rules.may_change_members(room, removing=bool(command.remove))
    present = members.among(tx.connection, room.id, {*command.add, *command.remove})
    gone = {user: present[user] for user in dict.fromkeys(command.remove) if user in present}
    new = [user for user in dict.fromkeys(command.add) if user not in present]
    found = {account.id: account for account in accounts.among(tx.connection, new)} if new else {}
    banned = bans.among(tx.connection, room.id, new) if new else set()
    for user in new:
        account = found.get(user)
        if account is None or account.disabled:
            raise NotFound()
        rules.may_add(actor, room, account.role, banned=user in banned)
    rules.may_join_more(actor, rooms.users_at_room_limit(tx.connection, new) if new else ())
    for user, (name, role) in gone.items():
        event = MemberRemoved(room=room.id, user=user, user_name=name, by=actor.id)
        end_membership(tx, event, role, why="removed")
    for user in new:
        enter(tx, room.id, user, found[user].name, actor.id)
    return {"added": len(new), "removed": len(gone)}


@handles(BanMember)
def ban(request: Request[BanMember], tx: Transaction) -> MaybePosition:
    """Ban a user. The ban is the last event of the room that a banned member gets.

    Only the banned user and the room's moderators see the reason.
    """
    command, actor = request.command, request.actor
    room = request.room
    role = members.role_of(tx.connection, room.id, command.user)
    rules.may_remove(actor, room, command.user, role)
    user = get_account(tx.connection, command.user)
    if bans.holds(tx.connection, room.id, user.id):
        return {}
    bans.add(tx, room.id, user.id, actor.id, command.reason)
    event = MemberBanned(room=room.id, user=user.id, user_name=user.name, by=actor.id, was_member=role is not None)
    return end_membership(tx, event, role, why="banned", reason=command.reason or None).maybe_position()


@handles(UnbanMember)
def unban(request: Request[UnbanMember], tx: Transaction) -> MaybePosition:
    """Lift a ban. It does not make the user a member again."""
    command, actor = request.command, request.actor
    room = request.room
    rules.may_unban(actor, room)
    if not bans.holds(tx.connection, room.id, command.user):
        return {}
    name = accounts.name_of(tx.connection, command.user)
    bans.remove(tx, room.id, command.user)
    return tx.append(MemberUnbanned(room=room.id, user=command.user, user_name=name, by=actor.id)).maybe_position()


@handles(SetMemberRole)
def set_role(request: Request[SetMemberRole], tx: Transaction) -> MaybePosition:
    """Change a member's role.

    When the owner changes, the former owner becomes a moderator first. A role the member already
    has is accepted before the permission is checked: a former owner who repeats the change of owner
    no longer has the permission.
    """
    command, actor = request.command, request.actor
    room = request.room
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
        change_role(tx, room.id, former_owner, RoomRole.MODERATOR, actor.id)
    if command.role is RoomRole.MEMBER:
        invites.remove_into(tx, room.id, command.user)
    member = (command.user, accounts.name_of(tx.connection, command.user))
    return change_role(tx, room.id, member, command.role, actor.id).maybe_position()


# --- queries -------------------------------------------------------------------------------------------------------


def listing(connection: Connection, actor: Actor, room: int, after: int, limit: int) -> dict[str, object]:
    """Return a page of a room's members by user id, for members and the site's staff.

    Raises NotFound.
    """
    rules.rank(actor, get_room(connection, actor.id, room))
    return _page(connection, room, members.listing(connection, room, after, limit + 1), limit)


def search(connection: Connection, actor: Actor, room: int, text: str, limit: int) -> dict[str, object]:
    """Return members of a room by any part of their names, the best first.

    Raises NotFound.
    """
    rules.rank(actor, get_room(connection, actor.id, room))
    return _page(connection, room, members.search(connection, room, text, limit + 1), limit)


def _page(connection: Connection, room: int, found: list[Member], limit: int) -> dict[str, object]:
    return {
        "members": [member.model_dump() for member in found[:limit]],
        "more": len(found) > limit,
        "heads": log.heads(connection, [room_topic(room)]),
    }


def banned(connection: Connection, actor: Actor, room: int, after: int, limit: int) -> dict[str, object]:
    """Return a page of a room's bans, for its moderators. Raises NotFound, Forbidden."""
    rules.may_moderate(actor, get_room(connection, actor.id, room))
    found = bans.listing(connection, room, after, limit + 1)
    return {"bans": [ban.model_dump(exclude_none=True) for ban in found[:limit]], "more": len(found) > limit}
