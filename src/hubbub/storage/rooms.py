"""Rooms, and a room as one person sees it."""

from typing import Any

from sqlalchemy import BigInteger, Connection, Row, Select, Text, and_, cast, insert, literal, or_, select

from hubbub.domain.model import LOBBY, Room, RoomRole, room_topic
from hubbub.domain.names import skeleton
from hubbub.domain.text import timestamp
from hubbub.storage.schema import members, rooms, topics
from hubbub.storage.transaction import Transaction


def create(tx: Transaction, kind: str, name: str, creator: int) -> int:
    """A new room without members, and its topic; the id is below 2^53."""
    room = tx.ids.next_public()
    unique = skeleton(name) if kind == "public" else None
    values = {"id": room, "kind": kind, "name": name, "skeleton": unique, "created_by": creator, "created_at": tx.now}
    tx.execute(insert(rooms).values(**values, members=0))
    tx.create_topic(room_topic(room))
    return room


def name_taken(connection: Connection, name: str) -> bool:
    return connection.scalar(select(rooms.c.id).where(rooms.c.skeleton == skeleton(name))) is not None


def creator(connection: Connection, room: int) -> int | None:
    found: int | None = connection.scalar(select(rooms.c.created_by).where(rooms.c.id == room))
    return found


def seen_by(connection: Connection, user: int, room: int) -> Room | None:
    """The room as the person sees it; None if there is none or it is not for the person to know."""
    row = connection.execute(_seen_by(user).where(rooms.c.id == room)).first()
    return None if row is None else model(row)


def joining(tx: Transaction, user: int, room: int) -> Room:
    """The room as the person sees it who was just made a member, before the joining is appended.

    Heads are written at the end of the transaction, so the table still has the ones from before it.
    """
    seen = seen_by(tx.connection, user, room)
    assert seen is not None, "a member sees his room"
    head = tx.head(room_topic(room)).seq
    return seen.model_copy(update={"head": head, "floor": head, "read": head, "unread": 0})


def joined(connection: Connection, user: int) -> list[Room]:
    """The person's rooms, the lobby first: one query, whatever the history."""
    return [
        model(row) for row in connection.execute(_seen_by(user).where(members.c.user.is_not(None)).order_by(rooms.c.id))
    ]


def directory(connection: Connection, user: int, after: int, limit: int) -> list[Room]:
    """Every room the person may see, joined or not, the lobby first."""
    query = _seen_by(user).where(rooms.c.id > after).order_by(rooms.c.id).limit(limit)
    return [model(row) for row in connection.execute(query)]


def model(row: Row[Any]) -> Room:
    common = {
        "id": row.id, "kind": row.kind, "name": row.name, "lobby": row.id == LOBBY, "created_by": row.created_by,
        "created_at": timestamp(row.created_at), "members": row.members,
    }  # fmt: skip
    if row.role is None:
        return Room.model_validate({**common, "joined": False})
    personal = {
        "head": row.head, "floor": max(row.floor, row.joined_seq - 1), "read": row.read_seq,
        "unread": row.n - row.read_n, "role": RoomRole(row.role),
    }  # fmt: skip
    return Room.model_validate({**common, "joined": True, **personal})


def _seen_by(user: int) -> Select[Any]:
    topic = literal("room:", Text).concat(cast(rooms.c.id, Text))
    return (
        select(
            rooms.c.id, rooms.c.kind, rooms.c.name, rooms.c.created_by, rooms.c.created_at, rooms.c.members,
            members.c.role, members.c.joined_seq, members.c.read_seq, members.c.read_n,
            topics.c.head, topics.c.floor, topics.c.n,
        )
        .select_from(rooms)
        .outerjoin(members, and_(members.c.room == rooms.c.id, members.c.user == literal(user, BigInteger)))
        .join(topics, topics.c.topic == topic)
        .where(or_(rooms.c.kind == "public", members.c.user.is_not(None)))
    )  # fmt: skip
