"""Members: which users are in which rooms, since when, and how far they have read."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, Select, bindparam, delete, exists, insert, select, update

from hubbub.domain.model import LOBBY, Member, Membership, RoomRole, room_topic
from hubbub.domain.text import timestamp
from hubbub.storage import mentions, names
from hubbub.storage.database import Statement
from hubbub.storage.schema import members, rooms, users
from hubbub.storage.transaction import Transaction

AMONG = 500
"""Users that are looked up in one statement."""


def find(connection: Connection, room: int, user: int) -> Membership | None:
    """Return the user's membership in the room, None if the user is not a member."""
    row = FIND.row(connection, room=room, user=user)
    if row is None:
        return None
    role, joined_seq, read_seq, read_n, kind, history, archived, count = row
    return Membership(RoomRole(role), joined_seq, read_seq, read_n, kind, history, bool(archived), count)


def add(tx: Transaction, room: int, user: int, role: RoomRole) -> None:
    """Add a member from the room's next seq on.

    Holds the room's topic; append `member.joined` next.
    """
    head = tx.head(room_topic(room))
    tx.execute(
        insert(members).values(
            room=room,
            user=user,
            role=role.value,
            joined_seq=head.seq + 1,
            joined_at=tx.now,
            read_seq=head.seq,
            read_n=head.n,
        )
    )
    tx.execute(update(rooms).where(rooms.c.id == room).values(members=rooms.c.members + 1))


def remove(tx: Transaction, room: int, user: int) -> None:
    """End a membership.

    Holds the room's topic; append `member.left` or `member.removed` next.
    """
    tx.head(room_topic(room))
    mentions.forget(tx, room, user)
    tx.execute(delete(members).where(members.c.room == room, members.c.user == user))
    tx.execute(update(rooms).where(rooms.c.id == room).values(members=rooms.c.members - 1))


def role_of(connection: Connection, room: int, user: int) -> RoomRole | None:
    """Return the user's role in the room, None if the user is not a member."""
    found = connection.scalar(select(members.c.role).where(members.c.room == room, members.c.user == user))
    return None if found is None else RoomRole(found)


def among(connection: Connection, room: int, wanted: Collection[int]) -> dict[int, tuple[str, RoomRole]]:
    """Return the names and roles of those of at most AMONG users who are members of the room, by id."""
    named = select(members.c.user, users.c.name, members.c.role).join(users, users.c.id == members.c.user)
    found = connection.execute(named.where(members.c.room == room, members.c.user.in_(wanted)))
    return {row.user: (row.name, RoomRole(row.role)) for row in found}


def owner_of(connection: Connection, room: int) -> tuple[int, str] | None:
    """Return the id and the name of the room's owner, None if it has no owner."""
    query = select(users.c.id, users.c.name).join_from(members, users, users.c.id == members.c.user)
    query = query.where(members.c.room == room, members.c.role == RoomRole.OWNER.value).limit(1)
    row = connection.execute(query).first()
    return None if row is None else (row.id, row.name)


def has_others(connection: Connection, room: int, user: int) -> bool:
    """Return whether the room has another member whose account is not disabled."""
    query = select(users.c.id).join_from(members, users, users.c.id == members.c.user).limit(1)
    query = query.where(members.c.room == room, members.c.user != user, users.c.disabled.is_(False))
    return connection.scalar(query) is not None


def successor(connection: Connection, room: int) -> tuple[int, str] | None:
    """Return the member who is next to own the room.

    This is the longest-standing moderator, else the longest-standing member. Members who are not
    disabled come first. Returns None for an empty room, and for a room that has no owner: the lobby
    or a direct room.
    """
    query = (
        select(users.c.id, users.c.name)
        .join_from(members, users, users.c.id == members.c.user)
        .join(rooms, rooms.c.id == members.c.room)
        .where(members.c.room == room, rooms.c.kind != "direct", rooms.c.id != LOBBY)
        .order_by(users.c.disabled, members.c.role != RoomRole.MODERATOR.value, members.c.joined_seq)
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else (row.id, row.name)


def set_role(tx: Transaction, room: int, user: int, role: RoomRole) -> None:
    """Set a member's role. Holds the room's topic; append `member.role_changed` next."""
    tx.execute(update(members).where(members.c.room == room, members.c.user == user).values(role=role.value))


def rooms_of(connection: Connection, user: int, limit: int | None = None) -> list[int]:
    query = select(members.c.room).where(members.c.user == user).order_by(members.c.room).limit(limit)
    return list(connection.scalars(query))


def without_owner(connection: Connection, user: int) -> list[int]:
    """Return the user's rooms without an active owner.

    The lobby and direct rooms never have an owner, so they are left out.
    """
    theirs = members.alias("theirs")
    owner = exists().where(
        theirs.c.room == rooms.c.id, theirs.c.role == RoomRole.OWNER.value,
        users.c.id == theirs.c.user, users.c.disabled.is_(False),
    )  # fmt: skip
    query = select(rooms.c.id).join_from(members, rooms, rooms.c.id == members.c.room)
    query = query.where(members.c.user == user, rooms.c.kind != "direct", rooms.c.id != LOBBY, ~owner)
    return list(connection.scalars(query.order_by(rooms.c.id)))


def users_of(connection: Connection, room: int, after: int, limit: int) -> list[tuple[int, bool]]:
    """Return a page of a room's members by id: the user, and whether it is a bot."""
    query = select(members.c.user, users.c.bot).join_from(members, users, users.c.id == members.c.user)
    query = query.where(members.c.room == room, members.c.user > after).order_by(members.c.user).limit(limit)
    return [(row.user, bool(row.bot)) for row in connection.execute(query)]


def listing(connection: Connection, room: int, after: int, limit: int) -> list[Member]:
    query = _members(room).where(members.c.user > after).order_by(members.c.user).limit(limit)
    return [_member(row) for row in connection.execute(query)]


def names_among(connection: Connection, room: int, wanted: Sequence[int]) -> dict[int, str]:
    """Return the names of those of at most AMONG users who are members of the room, by id."""
    named = select(members.c.user, users.c.name).join(users, users.c.id == members.c.user)
    found = connection.execute(named.where(members.c.room == room, members.c.user.in_(wanted)))
    return {row.user: row.name for row in found}


def some_among(connection: Connection, room: int, wanted: Sequence[int], size: int, most: int) -> list[int]:
    """Return up to `most` of the users who are members of the room. `size` is how many members it has.

    Reads the room's members, or looks users up until there are enough, depending on which are fewer.
    """
    if size <= len(wanted):
        of_room = set(connection.scalars(select(members.c.user).where(members.c.room == room)))
        return [user for user in wanted if user in of_room][:most]
    found: list[int] = []
    for start in range(0, len(wanted), AMONG):
        part = wanted[start : start + AMONG]
        found += connection.scalars(
            select(members.c.user).where(members.c.room == room, members.c.user.in_(part)).order_by(members.c.user)
        )
        if len(found) >= most:
            break
    return found[:most]


def search(connection: Connection, room: int, text: str, limit: int) -> list[Member]:
    """Return members of a room by any part of their names, the best first."""
    return [_member(row) for row in names.find(connection, _members(room), users.c.search_key, text, limit)]


def _members(room: int) -> Select[Any]:
    return (
        select(users.c.id, users.c.name, members.c.role, members.c.joined_at)
        .join_from(members, users, users.c.id == members.c.user)
        .where(members.c.room == room)
    )


def _member(row: Row[Any]) -> Member:
    return Member(id=row.id, name=row.name, role=RoomRole(row.role), joined_at=timestamp(row.joined_at))


def _find() -> Select[Any]:
    return (
        select(
            members.c.role, members.c.joined_seq, members.c.read_seq, members.c.read_n,
            rooms.c.kind, rooms.c.history, rooms.c.archived, rooms.c.members,
        )
        .join_from(members, rooms, rooms.c.id == members.c.room)
        .where(
            members.c.room == bindparam("room", type_=BigInteger), members.c.user == bindparam("user", type_=BigInteger)
        )
    )  # fmt: skip


FIND = Statement(lambda _: _find())
