"""Who is in which room, since when, and how far each has read."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, update

from hubbub.domain.model import Member, RoomRole, room_topic
from hubbub.domain.text import timestamp
from hubbub.storage.schema import members, rooms, users
from hubbub.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Membership:
    """One person in one room. `joined_seq` is the seq of the joining: nothing before it is the person's to follow."""

    role: RoomRole
    joined_seq: int
    read_seq: int
    read_n: int


def find(connection: Connection, room: int, user: int) -> Membership | None:
    query = select(members.c.role, members.c.joined_seq, members.c.read_seq, members.c.read_n).where(
        members.c.room == room, members.c.user == user
    )
    row = connection.execute(query).first()
    return None if row is None else Membership(RoomRole(row.role), row.joined_seq, row.read_seq, row.read_n)


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
    tx.execute(delete(members).where(members.c.room == room, members.c.user == user))
    tx.execute(update(rooms).where(rooms.c.id == room).values(members=rooms.c.members - 1))


def rooms_of(connection: Connection, user: int) -> list[int]:
    return list(connection.scalars(select(members.c.room).where(members.c.user == user).order_by(members.c.room)))


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


def move_read(tx: Transaction, room: int, user: int, seq: int, n: int) -> None:
    """Moves a read position forward; `n` is the number of the last message at or before `seq`."""
    tx.execute(update(members).where(members.c.room == room, members.c.user == user).values(read_seq=seq, read_n=n))
