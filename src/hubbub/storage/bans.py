"""Bans: which users may not join which rooms."""

from collections.abc import Collection

from sqlalchemy import Connection, delete, insert, select

from hubbub.domain.model import Ban
from hubbub.domain.text import timestamp
from hubbub.storage.schema import bans, users
from hubbub.storage.transaction import Transaction


def holds(connection: Connection, room: int, user: int) -> bool:
    """Return whether the user is banned from the room."""
    return connection.scalar(select(bans.c.user).where(bans.c.room == room, bans.c.user == user)) is not None


def among(connection: Connection, room: int, wanted: Collection[int]) -> set[int]:
    """Return those of the users who are banned from the room."""
    return set(connection.scalars(select(bans.c.user).where(bans.c.room == room, bans.c.user.in_(wanted))))


def add(tx: Transaction, room: int, user: int, by: int, reason: str) -> None:
    """Store a ban. Holds the room's topic; append `member.banned` next."""
    tx.execute(insert(bans).values(room=room, user=user, by=by, at=tx.now, reason=reason))


def remove(tx: Transaction, room: int, user: int) -> None:
    """Delete a ban. Holds the room's topic; append `member.unbanned` next."""
    tx.execute(delete(bans).where(bans.c.room == room, bans.c.user == user))


def listing(connection: Connection, room: int, after: int, limit: int) -> list[Ban]:
    """Return a page of a room's bans by user id."""
    query = (
        select(bans.c.user, users.c.name, bans.c.by, bans.c.at, bans.c.reason)
        .join_from(bans, users, users.c.id == bans.c.user)
        .where(bans.c.room == room, bans.c.user > after)
        .order_by(bans.c.user)
        .limit(limit)
    )
    return [
        Ban(user=row.user, user_name=row.name, by=row.by, at=timestamp(row.at), reason=row.reason or None)
        for row in connection.execute(query)
    ]
