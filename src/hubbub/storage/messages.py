"""Messages: a whole run of sends in a constant number of statements, and pages for reading."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Executable, Select, and_, insert, select, update

from hubbub.domain.model import Message
from hubbub.domain.text import timestamp
from hubbub.storage import rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, TEXT, Rows
from hubbub.storage.schema import members, messages, users
from hubbub.storage.transaction import LARGE_ROW, Transaction


class Fact(NamedTuple):
    """What stands about one send before it is decided."""

    allowed: bool
    hash: str | None
    """The hash of the first command with this key, None if the key is new."""
    seq: int | None


class NewMessage(NamedTuple):
    id: int
    room: int
    seq: int
    n: int
    at: int
    author: int
    key: str
    hash: str
    body: str


def facts(tx: Transaction, asked: Sequence[tuple[int, int, str]]) -> list[Fact]:
    """For each (room, author, key): may the author write there, and was the key used before. One statement."""
    numbered = [(index, *each) for index, each in enumerate(asked)]
    cursor = FACTS.run(tx.connection, rows=rows.encode(numbered))
    found: list[Fact] = [Fact(False, None, None)] * len(numbered)
    for index, member, disabled, hash_, seq in cursor.fetchall():
        found[index] = Fact(member is not None and not disabled, hash_, seq)
    cursor.close()
    return found


def insert_all(tx: Transaction, new: Sequence[NewMessage]) -> None:
    """Stores messages whose seqs and numbers are assigned, and moves each author's own read position."""
    tx.writes += 1
    small = [tuple(message) for message in new if len(message.body) <= LARGE_ROW]
    if small:
        INSERT.run(tx.connection, rows=rows.encode(small)).close()
    if len(small) < len(new):
        large = [message._asdict() for message in new if len(message.body) > LARGE_ROW]
        rows.refuse_nul(message["body"] for message in large)
        tx.connection.execute(insert(messages), large)
    last = {(message.room, message.author): (message.seq, message.n) for message in new}
    READS.run(tx.connection, rows=rows.encode([(*who, *where) for who, where in last.items()])).close()


def number_at(connection: Connection, room: int, seq: int) -> int:
    """The number of the last message at or before `seq`, 0 if there is none."""
    query = select(messages.c.n).where(messages.c.room == room, messages.c.seq <= seq)
    return connection.scalar(query.order_by(messages.c.seq.desc()).limit(1)) or 0


def before(connection: Connection, room: int, seq: int | None, limit: int) -> list[Message]:
    """The messages just before `seq` (None: the newest), ascending."""
    query = _page(room).order_by(messages.c.seq.desc()).limit(limit)
    if seq is not None:
        query = query.where(messages.c.seq < seq)
    return [_model(row) for row in connection.execute(query)][::-1]


def after(connection: Connection, room: int, seq: int, limit: int) -> list[Message]:
    """The messages just after `seq`, ascending."""
    query = _page(room).where(messages.c.seq > seq).order_by(messages.c.seq).limit(limit)
    return [_model(row) for row in connection.execute(query)]


def _page(room: int) -> Select[Any]:
    return (
        select(
            messages.c.room, messages.c.seq, messages.c.n, messages.c.at, messages.c.author, messages.c.key,
            messages.c.body, users.c.name,
        )
        .join_from(messages, users, users.c.id == messages.c.author)
        .where(messages.c.room == room)
    )  # fmt: skip


def _model(row: Any) -> Message:
    return Message(
        room=row.room,
        seq=row.seq,
        n=row.n,
        at=timestamp(row.at),
        by=row.author,
        name=row.name,
        key=row.key,
        body=row.body,
    )


def _facts(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"index": BIG, "room": BIG, "author": BIG, "key": TEXT})
    asked = select(*given.columns()).select_from(given.source).subquery("asked")
    stored = and_(messages.c.room == asked.c.room, messages.c.author == asked.c.author, messages.c.key == asked.c.key)
    return (
        select(asked.c.index, members.c.user, users.c.disabled, messages.c.hash, messages.c.seq)
        .select_from(asked)
        .outerjoin(members, and_(members.c.room == asked.c.room, members.c.user == asked.c.author))
        .outerjoin(users, users.c.id == asked.c.author)
        .outerjoin(messages, stored)
    )


def _insert(dialect: Dialect) -> Executable:
    given = Rows(
        dialect,
        {
            "id": BIG,
            "room": BIG,
            "seq": BIG,
            "n": BIG,
            "at": BIG,
            "author": BIG,
            "key": TEXT,
            "hash": TEXT,
            "body": TEXT,
        },
    )
    return insert(messages).from_select(list(NewMessage._fields), select(*given.columns()).select_from(given.source))


def _reads(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"room": BIG, "user": BIG, "seq": BIG, "n": BIG})
    fresh = select(*given.columns()).select_from(given.source).subquery("fresh")
    return (
        update(members)
        .values(read_seq=fresh.c.seq, read_n=fresh.c.n)
        .where(members.c.room == fresh.c.room, members.c.user == fresh.c.user)
    )


FACTS = Statement(_facts)
INSERT = Statement(_insert)
READS = Statement(_reads)
