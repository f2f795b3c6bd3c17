"""Membership: entering and leaving rooms, and who owns a room after that."""

from typing import Literal

from hubbub.domain.events import (
    Entry,
    MemberBanned,
    MemberJoined,
    MemberLeft,
    MemberRemoved,
    MemberRoleChanged,
    RoomAdded,
    RoomArchived,
    RoomRemoved,
)
from hubbub.domain.model import LOBBY, Room, RoomRole
from hubbub.features.shared.access import get_room
from hubbub.storage import accounts, invites, members, rooms
from hubbub.storage.transaction import Transaction


def enter(tx: Transaction, room: int, user: int, name: str, by: int) -> tuple[Room, Entry]:
    """Add a member and append the events for the user and the room.

    Returns the room as the new member sees it, and the entry of the room's event. The event in the
    user's own topic comes first, so that the user's connections hear the room from the join on. If
    the room has no active owner, the new member becomes its owner. Holds both topics.
    """
    members.add(tx, room, user, RoomRole.MEMBER, by if by != user else None)
    seen = get_room(tx.connection, user, room)
    tx.append(RoomAdded(person=user, room=room, details=rooms.before_join(tx, seen)))
    entry = tx.append(MemberJoined(room=room, user=user, user_name=name, by=by))
    appoint_owner(tx, room)
    return rooms.current(tx, user, room), entry


def close_behind(tx: Transaction, room: int, user: int, name: str) -> None:
    """Archive a private room when its last member leaves; remove the member next.

    No user could ever join it again. A public room stays open, since other users may join it. Holds
    the room's topic.
    """
    own = members.find(tx.connection, room, user)
    if own is not None and own.kind == "private" and own.members == 1 and not own.archived:
        rooms.change(tx, room, {"archived": True}, public=False)
        tx.append(RoomArchived(room=room, by=user, name=name))


def end_membership(
    tx: Transaction,
    event: MemberLeft | MemberRemoved | MemberBanned,
    role: RoomRole | None,
    why: Literal["left", "removed", "banned"] | None,
    reason: str | None = None,
) -> Entry:
    """Remove the member that the event is about, with their invites to the room.

    Returns the entry of the room's event. It is appended before the one in the user's own topic, so
    that it is the last event of the room that the user gets. A successor is appointed for an owner.
    `role` is None if the user is no member: then only the invites go. `why` is None if the account
    ends. Holds both topics.
    """
    room, user = event.room, event.user
    if role is not None:
        members.remove(tx, room, user)
    invites.remove_into(tx, room, user)
    entry = tx.append(event)
    if role is not None:
        tx.append(RoomRemoved(person=user, room=room, why=why, reason=reason))
    if role is RoomRole.OWNER:
        appoint_successor(tx, room)
    return entry


def appoint_successor(tx: Transaction, room: int) -> None:
    """Appoint a new owner after the owner has left the room. Holds the room's topic."""
    new_owner = members.successor(tx.connection, room)
    if new_owner is not None:
        change_role(tx, room, new_owner, RoomRole.OWNER, new_owner[0])


def appoint_owner(tx: Transaction, room: int) -> None:
    """Appoint an owner if the room has none, or if its owner is disabled.

    A disabled owner becomes a moderator. Nothing changes if all members are disabled. Holds the
    room's topic.
    """
    if room == LOBBY:
        return
    owner = members.owner_of(tx.connection, room)
    if owner is not None and accounts.is_open(tx.connection, owner[0]):
        return
    new_owner = members.successor(tx.connection, room)
    if new_owner is not None and accounts.is_open(tx.connection, new_owner[0]):
        if owner is not None:
            change_role(tx, room, owner, RoomRole.MODERATOR, owner[0])
        change_role(tx, room, new_owner, RoomRole.OWNER, new_owner[0])


def change_role(tx: Transaction, room: int, member: tuple[int, str], role: RoomRole, by: int) -> Entry:
    """Store the role of `member` = (id, name) and append its event.

    If no user has assigned the role, `by` is the member.
    """
    user, name = member
    members.set_role(tx, room, user, role)
    return tx.append(MemberRoleChanged(room=room, user=user, user_name=name, by=by, role=role))
