"""Rooms, and a room as one person sees it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, Text, and_, bindparam, cast, insert, literal, or_, select

from hubbub.domain.model import LOBBY, Room, RoomRole, room_topic
from hubbub.domain.names import skeleton
from hubbub.domain.text import timestamp
from hubbub.storage.database import Statement
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
    return [model(row) for row in JOINED.rows(connection, user=user)]


def directory(connection: Connection, user: int, after: int, limit: int) -> list[Room]:
    """Every room the person may see, joined or not, the lobby first."""
    query = _seen_by(user).where(rooms.c.id > after).order_by(rooms.c.id).limit(limit)
    return [model(row) for row in connection.execute(query)]


def model(row: Sequence[Any]) -> Room:
    """A row with the columns of `_COLUMNS`."""
    id_, kind, name, created_by, created_at, members_, role, joined_seq, read_seq, read_n, head, floor, n = row
    common = {
        "id": id_, "kind": kind, "name": name, "lobby": id_ == LOBBY, "created_by": created_by,
        "created_at": timestamp(created_at), "members": members_,
    }  # fmt: skip
    if role is None:
        return Room.model_validate({**common, "joined": False})
    personal = {
        "head": head, "floor": max(floor, joined_seq - 1), "read": read_seq, "unread": n - read_n,
        "role": RoomRole(role),
    }  # fmt: skip
    return Room.model_validate({**common, "joined": True, **personal})


_COLUMNS = (
    rooms.c.id, rooms.c.kind, rooms.c.name, rooms.c.created_by, rooms.c.created_at, rooms.c.members,
    members.c.role, members.c.joined_seq, members.c.read_seq, members.c.read_n,
    topics.c.head, topics.c.floor, topics.c.n,
)  # fmt: skip
_TOPIC = topics.c.topic == literal("room:", Text).concat(cast(rooms.c.id, Text))


def _seen_by(user: int) -> Select[Any]:
    own = and_(members.c.room == rooms.c.id, members.c.user == literal(user, BigInteger))
    return (
        select(*_COLUMNS)
        .select_from(rooms)
        .outerjoin(members, own)
        .join(topics, _TOPIC)
        .where(or_(rooms.c.kind == "public", members.c.user.is_not(None)))
    )


def _joined() -> Select[Any]:
    """From the memberships on: it does not matter how many rooms there are."""
    return (
        select(*_COLUMNS)
        .select_from(members)
        .join(rooms, rooms.c.id == members.c.room)
        .join(topics, _TOPIC)
        .where(members.c.user == bindparam("user", type_=BigInteger))
        .order_by(rooms.c.id)
    )


JOINED = Statement(lambda _: _joined())
