"""Pinned messages."""

from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from hubbub.domain.text import timestamp
from hubbub.storage import history
from hubbub.storage.history import RoomView
from hubbub.storage.schema import pins, users
from hubbub.storage.transaction import Transaction


def is_pinned(connection: Connection, room: int, seq: int) -> bool:
    found = connection.scalar(select(pins.c.seq).where(pins.c.room == room, pins.c.seq == seq))
    return found is not None


def count(connection: Connection, seen: RoomView) -> int:
    """Return how many of the messages that the user sees are pinned.

    The user could not unpin messages they do not see, so these do not count towards the limit.
    """
    query = select(func.count()).select_from(pins).where(pins.c.room == seen.room, pins.c.seq >= seen.since)
    return connection.scalar(query) or 0


def add(tx: Transaction, room: int, seq: int, pinned_seq: int, by: int) -> None:
    """Pin a message. `pinned_seq` is the seq of the pin in the room's log."""
    tx.execute(insert(pins).values(room=room, seq=seq, pinned_seq=pinned_seq, by=by, at=tx.now))


def delete_of(tx: Transaction, room: int, seq: int) -> bool:
    """Unpin a message. Returns whether it was pinned."""
    return tx.execute(delete(pins).where(pins.c.room == room, pins.c.seq == seq)).rowcount > 0


def listing(connection: Connection, seen: RoomView, before: int | None, limit: int) -> list[dict[str, Any]]:
    """Return the pins made before the seq `before`, newest first.

    The seq is that of the room's log; None means all pins. They are `domain.model.Pin` as clients
    receive them.
    """
    query = (
        select(pins.c.seq, pins.c.pinned_seq, pins.c.by, pins.c.at, users.c.name)
        .join_from(pins, users, users.c.id == pins.c.by)
        .where(pins.c.room == seen.room, pins.c.seq >= seen.since)
        .order_by(pins.c.pinned_seq.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(pins.c.pinned_seq < before)
    rows = connection.execute(query).all()
    pinned = history.wire(connection, seen, history.some(connection, seen, (row.seq for row in rows)))
    found = {message["seq"]: message for message in pinned}
    return [
        {"seq": row.pinned_seq, "message": found[row.seq], "by": row.by, "name": row.name, "at": timestamp(row.at)}
        for row in rows
    ]
