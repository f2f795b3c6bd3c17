"""A database like that of a site in long use.

Messages are written directly into the table, which makes them entries of their rooms.
"""

from __future__ import annotations

import secrets
import time
from itertools import islice
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from hubbub.storage.database import Database
from hubbub.storage.ids import Ids
from hubbub.storage.schema import members, messages, rooms, topics

MESSAGES = 1_000_000
CHUNK = 20_000
BODY = "x" * 128
Row = dict[str, Any]


def fill(url: str, count: int) -> None:
    """Spread `count` messages over all rooms, each room's by its members in turn.

    No server may run on the database meanwhile. Existing rows stay, and all members have read
    everything.
    """
    database = Database(url)
    try:
        with database.writer.begin() as connection:
            ids, now = Ids.load(connection), round(time.time() * 1000)
            ids.tick(now)
            found = list(connection.scalars(select(rooms.c.id).order_by(rooms.c.id)))
            for room in found:
                _fill_room(connection, ids, room, count // len(found), now)
    finally:
        database.close()


def _fill_room(connection: Connection, ids: Ids, room: int, count: int, now: int) -> None:
    topic = f"room:{room}"
    head, n = connection.execute(select(topics.c.head, topics.c.n).where(topics.c.topic == topic)).one()
    authors = list(connection.scalars(select(members.c.user).where(members.c.room == room)))
    rows = ((head + offset, n + offset, authors[offset % len(authors)]) for offset in range(1, count + 1))
    while chunk := list(islice(rows, CHUNK)):
        connection.execute(insert(messages), rows_of(ids, room, chunk, now))
    connection.execute(update(topics).where(topics.c.topic == topic).values(head=head + count, n=n + count))
    last = select(func.max(messages.c.n)).where(messages.c.room == room).scalar_subquery()
    connection.execute(update(members).where(members.c.room == room).values(read_seq=head + count, read_n=last))


def rows_of(ids: Ids, room: int, chunk: list[tuple[int, int, int]], now: int) -> list[Row]:
    """Return the row for each (seq, number, author)."""
    return [
        {"room": room, "seq": seq, "n": n, "at": now, "id": ids.next(), "author": author, "key": secrets.token_hex(13),
         "digest": secrets.randbits(63), "body": BODY}
        for seq, n, author in chunk
    ]  # fmt: skip
