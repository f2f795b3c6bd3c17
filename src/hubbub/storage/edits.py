"""Earlier versions of edited messages."""

from sqlalchemy import Connection, func, insert, select

from hubbub.domain.model import Revision
from hubbub.domain.text import timestamp
from hubbub.storage.schema import edits
from hubbub.storage.transaction import Transaction


def add(tx: Transaction, room: int, seq: int, at: int, body: str) -> None:
    """Store the version of a message that was valid from `at` (milliseconds).

    Holds the room's topic.
    """
    of_message = (edits.c.room == room, edits.c.seq == seq)
    last = tx.connection.scalar(select(func.max(edits.c.version)).where(*of_message)) or 0
    tx.execute(insert(edits).values(room=room, seq=seq, version=last + 1, at=at, body=body))


def listing(connection: Connection, room: int, seq: int, after: int, limit: int) -> list[Revision]:
    """Return the versions after `after`, ascending."""
    query = (
        select(edits.c.version, edits.c.at, edits.c.body)
        .where(edits.c.room == room, edits.c.seq == seq, edits.c.version > after)
        .order_by(edits.c.version)
        .limit(limit)
    )
    return [Revision(version=row.version, at=timestamp(row.at), body=row.body) for row in connection.execute(query)]
