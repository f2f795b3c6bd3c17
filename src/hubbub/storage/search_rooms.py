"""What a user's search refers to: their rooms, pinned messages, and users by name."""

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Select, and_, bindparam, select

from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, Rows, encode
from hubbub.storage.schema import members, messages, participants, pins, rooms, users


class SearchedRoom(NamedTuple):
    """A room of the user. They may read messages from the seq `floor` on."""

    id: int
    kind: str
    name: str
    floor: int


def joined(connection: Connection, user: int) -> list[SearchedRoom]:
    """Return all rooms of a user. One statement."""
    return [
        SearchedRoom(room, kind, name, joined_seq if visible == "joined" else 0)
        for room, kind, name, visible, joined_seq in JOINED.rows(connection, user=user)
    ]


def direct_with(connection: Connection, user: int, others: Collection[int]) -> set[int]:
    """Return the direct rooms of a user with any of `others`."""
    mine, theirs = participants.alias("mine"), participants.alias("theirs")
    query = select(mine.c.room).join_from(mine, theirs, theirs.c.room == mine.c.room)
    return set(connection.scalars(query.where(mine.c.user == user, theirs.c.user.in_(others)))) if others else set()


def users_named(connection: Connection, skeleton: str) -> set[int]:
    """Return the users whose name has this skeleton: one or none."""
    return set(connection.scalars(select(users.c.id).where(users.c.skeleton == skeleton)))


def pinned(connection: Connection, wanted: Sequence[int], before: int) -> list[int]:
    """Return the ids of the pinned messages of rooms, below `before`, descending."""
    given = {"rows": encode([(room,) for room in wanted]), "before": before}
    return list(connection.scalars(_pinned(connection.dialect), given))


def _joined() -> Select[Any]:
    columns = (rooms.c.id, rooms.c.kind, rooms.c.name, rooms.c.history, members.c.joined_seq)
    query = select(*columns).join_from(members, rooms, rooms.c.id == members.c.room)
    return query.where(members.c.user == bindparam("user", type_=BIG))


@cache
def _pinned(dialect: Dialect) -> Select[Any]:
    given = Rows(dialect, {"room": BIG})
    wanted = select(given["room"].label("room")).select_from(given.source).subquery("wanted")
    here = and_(messages.c.room == pins.c.room, messages.c.seq == pins.c.seq)
    query = select(messages.c.id).join_from(wanted, pins, pins.c.room == wanted.c.room).join(messages, here)
    return query.where(messages.c.id < bindparam("before", type_=BIG)).order_by(messages.c.id.desc())


JOINED = Statement(lambda _: _joined())
