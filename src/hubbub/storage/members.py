"""Who is in which room, since when, and how far each has read."""

from typing import Any

from sqlalchemy import BigInteger, Connection, Select, bindparam, delete, exists, insert, select, update

from hubbub.domain.events import Entry, MemberJoined, MemberRole, RoomAdded, RoomArchived
from hubbub.domain.model import LOBBY, Member, Membership, Room, RoomRole, room_topic
from hubbub.domain.text import timestamp
from hubbub.storage import mentions
from hubbub.storage.accounts import is_open
from hubbub.storage.database import Statement
from hubbub.storage.rooms import as_joining, current
from hubbub.storage.schema import members, rooms, users
from hubbub.storage.transaction import Transaction


def find(connection: Connection, room: int, user: int) -> Membership | None:
    """What the person is in the room; None for those who are not in it."""
    row = FIND.row(connection, room=room, user=user)
    if row is None:
        return None
    role, joined_seq, read_seq, read_n, kind, history, archived, count = row
    return Membership(RoomRole(role), joined_seq, read_seq, read_n, kind, history, bool(archived), count)


def add(tx: Transaction, room: int, user: int, role: RoomRole) -> None:
    """Makes the person a member from the room's next seq on: append `member.joined` next. Holds the room's topic."""
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
    """Ends a membership: append `member.left` or `member.removed` next. Holds the room's topic."""
    tx.head(room_topic(room))
    mentions.forget(tx, room, user)
    tx.execute(delete(members).where(members.c.room == room, members.c.user == user))
    tx.execute(update(rooms).where(rooms.c.id == room).values(members=rooms.c.members - 1))


def enter(tx: Transaction, room: int, user: int, name: str, by: int) -> tuple[Room, Entry]:
    """Makes somebody a member and tells him and the room; the room as he sees it, and what the room was told.

    The person's own topic first: whoever follows it hears the room from the joining on. Where nobody looks after the
    room that is his from then on. Holds both topics.
    """
    add(tx, room, user, RoomRole.MEMBER)
    tx.append(RoomAdded(person=user, room=as_joining(tx, user, room)))
    entry = tx.append(MemberJoined(room=room, user=user, name=name, by=by))
    appoint(tx, room)
    return current(tx, user, room), entry


def role_of(connection: Connection, room: int, user: int) -> RoomRole | None:
    """What somebody is in a room; None for those who are not in it."""
    found = connection.scalar(select(members.c.role).where(members.c.room == room, members.c.user == user))
    return None if found is None else RoomRole(found)


def owner_of(connection: Connection, room: int) -> tuple[int, str] | None:
    """The id and the name of the room's owner, if it has one."""
    query = select(users.c.id, users.c.name).join_from(members, users, users.c.id == members.c.user)
    query = query.where(members.c.room == room, members.c.role == RoomRole.OWNER.value).limit(1)
    row = connection.execute(query).first()
    return None if row is None else (row.id, row.name)


def has_others(connection: Connection, room: int, user: int) -> bool:
    """Whether anybody else is in the room who can log in."""
    query = select(users.c.id).join_from(members, users, users.c.id == members.c.user).limit(1)
    query = query.where(members.c.room == room, members.c.user != user, users.c.disabled.is_(False))
    return connection.scalar(query) is not None


def successor(connection: Connection, room: int) -> tuple[int, str] | None:
    """Who is to own the room after its owner: the longest-standing moderator, else member; who can log in comes first.

    None for an empty room, and for one that has no owner: the lobby, a direct room.
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


def close_behind(tx: Transaction, room: int, user: int, name: str) -> None:
    """Archives a private room whose last member goes: remove him next. A public one others may come into again.

    Holds the room's topic.
    """
    own = find(tx.connection, room, user)
    if own is not None and own.kind == "private" and own.members == 1 and not own.archived:
        tx.execute(update(rooms).where(rooms.c.id == room).values(archived=True))
        tx.append(RoomArchived(room=room, by=user, name=name))


def succeed(tx: Transaction, room: int) -> None:
    """Gives the room whose owner has just gone another one, and tells it. Holds the room's topic."""
    heir = successor(tx.connection, room)
    if heir is not None:
        _become(tx, room, heir, RoomRole.OWNER)


def appoint(tx: Transaction, room: int) -> None:
    """Gives a room an owner that has none, or one who is locked out: he moderates it from then on.

    Nothing changes while nobody is in it who can log in. Holds the room's topic.
    """
    if room == LOBBY:
        return
    owner = owner_of(tx.connection, room)
    if owner is not None and is_open(tx.connection, owner[0]):
        return
    heir = successor(tx.connection, room)
    if heir is not None and is_open(tx.connection, heir[0]):
        if owner is not None:
            _become(tx, room, owner, RoomRole.MODERATOR)
        _become(tx, room, heir, RoomRole.OWNER)


def _become(tx: Transaction, room: int, who: tuple[int, str], role: RoomRole) -> None:
    """By himself: nobody else has decided it."""
    set_role(tx, room, who[0], role)
    tx.append(MemberRole(room=room, user=who[0], name=who[1], by=who[0], role=role))


def set_role(tx: Transaction, room: int, user: int, role: RoomRole) -> None:
    """Append `member.role` next. Holds the room's topic."""
    tx.execute(update(members).where(members.c.room == room, members.c.user == user).values(role=role.value))


def rooms_of(connection: Connection, user: int) -> list[int]:
    return list(connection.scalars(select(members.c.room).where(members.c.user == user).order_by(members.c.room)))


def without_owner(connection: Connection, user: int) -> list[int]:
    """The person's rooms that nobody looks after: those that should have an owner, and have none who can log in."""
    theirs = members.alias("theirs")
    owner = exists().where(
        theirs.c.room == rooms.c.id, theirs.c.role == RoomRole.OWNER.value,
        users.c.id == theirs.c.user, users.c.disabled.is_(False),
    )  # fmt: skip
    query = select(rooms.c.id).join_from(members, rooms, rooms.c.id == members.c.room)
    query = query.where(members.c.user == user, rooms.c.kind != "direct", rooms.c.id != LOBBY, ~owner)
    return list(connection.scalars(query.order_by(rooms.c.id)))


def listing(connection: Connection, room: int, after: int, limit: int) -> list[Member]:
    query = (
        select(users.c.id, users.c.name, members.c.role, members.c.joined_at)
        .join_from(members, users, users.c.id == members.c.user)
        .where(members.c.room == room, members.c.user > after)
        .order_by(members.c.user)
        .limit(limit)
    )
    return [
        Member(id=row.id, name=row.name, role=RoomRole(row.role), joined_at=timestamp(row.joined_at))
        for row in connection.execute(query)
    ]


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
