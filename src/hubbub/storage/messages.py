"""Messages: a whole run of sends in a constant number of statements; one message, to be changed."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Executable, Select, and_, bindparam, insert, literal_column, select, update

from hubbub.domain.errors import NotFound
from hubbub.domain.model import Membership, room_topic
from hubbub.storage import log, reads, rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, TEXT, Rows
from hubbub.storage.schema import members, messages, rooms, users
from hubbub.storage.transaction import LARGE_ROW, Transaction


class SendFacts(NamedTuple):
    """What stands about one send before it is decided."""

    allowed: bool
    hash: str | None
    """The hash of the first command with this key, None if the key is new."""
    seq: int | None
    archived: bool = False
    sees_from: int = 0
    """No message of the room with a smaller seq is the author's to read."""


class StoredMessage(NamedTuple):
    """A message as it is stored."""

    at: int
    author: int
    name: str
    body: str | None
    forwarded: str | None
    mentions: str | None
    text_seq: int | None
    edited_at: int | None
    deleted_at: int | None

    def text_at(self, seq: int) -> int:
        """Which entry of the room's log has the text, 0 if none; `seq` is the message's own."""
        return seq if self.text_seq is None else self.text_seq


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
    reply_to: int | None = None
    forwarded: str | None = None
    mentions: str | None = None


PLAIN = NewMessage._fields[:9]
"""The columns of a message that is nothing but words."""
NOTHING_MORE = (None, None, None)
EDITED = literal_column("text_seq") > literal_column("0")
"""As the index `messages_edited` has it: a bound zero would not find it."""
TOGETHER = 500
TEXTS = ("key", "hash", "body", "forwarded", "mentions")


def facts(tx: Transaction, asked: Sequence[tuple[int, int, str]]) -> list[SendFacts]:
    """For each (room, author, key): may the author write there, and was the key used before. One statement."""
    numbered = [(index, *each) for index, each in enumerate(asked)]
    cursor = FACTS.run(tx.connection, rows=rows.encode(numbered))
    found: list[SendFacts] = [SendFacts(False, None, None)] * len(numbered)
    for index, joined_seq, disabled, hash_, seq, archived, history in cursor.fetchall():
        allowed = joined_seq is not None and not disabled
        found[index] = SendFacts(allowed, hash_, seq, archived, joined_seq if history == "joined" else 0)
    cursor.close()
    return found


def existing(tx: Transaction, places: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Those of the places (room, seq) at which something was said, deleted messages too. One statement."""
    return set(EXISTING.rows(tx.connection, rows=rows.encode(sorted(set(places)))))


def insert_all(tx: Transaction, new: Sequence[NewMessage]) -> None:
    """Stores messages whose seqs and numbers are assigned, and moves each author's own read position."""
    tx.writes += 1
    plain: list[tuple[object, ...]] = []
    rich: list[tuple[object, ...]] = []
    for message in new:
        if len(message.body) <= LARGE_ROW:
            if message[len(PLAIN) :] == NOTHING_MORE:
                plain.append(message[: len(PLAIN)])
            else:
                rich.append(tuple(message))
    for statement, some in ((INSERT, plain), (INSERT_RICH, rich)):
        if some:
            statement.run(tx.connection, rows=rows.encode(some)).close()
    if len(plain) + len(rich) < len(new):
        large = [message._asdict() for message in new if len(message.body) > LARGE_ROW]
        rows.refuse_nul(message["body"] for message in large)
        tx.connection.execute(insert(messages), large)
    last = {(message.room, message.author): (message.seq, message.n) for message in new}
    reads.move(tx, [(*who, *where) for who, where in last.items()])


def find(connection: Connection, own: Membership | None, room: int, seq: int) -> StoredMessage:
    """A message that is a member's to see. Raises NotFound for strangers, and for what was said before his time."""
    if own is None or seq < own.sees_from:
        raise NotFound()
    row = FIND.row(connection, room=room, seq=seq)
    if row is None:
        raise NotFound()
    return StoredMessage(*row)


def change(tx: Transaction, room: int, seq: int, **values: Any) -> None:
    """Changes columns of a message."""
    tx.execute(update(messages).where(messages.c.room == room, messages.c.seq == seq).values(**values))


def redact_edits(tx: Transaction, room: int) -> None:
    """Takes out of the log what messages say since they were edited: it may be of before somebody's time.

    A constant number of statements for each 500 of them, once for all: no later edit is told with its text.
    """
    place = (messages.c.room == room, EDITED)
    query = select(messages.c.text_seq).where(*place)
    seqs = tx.connection.scalars(query).all()
    for start in range(0, len(seqs), TOGETHER):
        log.redact_all(tx, room_topic(room), seqs[start : start + TOGETHER])
    if seqs:
        tx.execute(update(messages).where(*place).values(text_seq=0))


def _find() -> Select[Any]:
    return (
        select(*(users.c.name if name == "name" else messages.c[name] for name in StoredMessage._fields))
        .join_from(messages, users, users.c.id == messages.c.author)
        .where(messages.c.room == bindparam("room", type_=BIG), messages.c.seq == bindparam("seq", type_=BIG))
    )


def _facts(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"index": BIG, "room": BIG, "author": BIG, "key": TEXT})
    asked = select(*given.columns()).select_from(given.source).subquery("asked")
    stored = and_(messages.c.room == asked.c.room, messages.c.author == asked.c.author, messages.c.key == asked.c.key)
    return (
        select(
            asked.c.index, members.c.joined_seq, users.c.disabled, messages.c.hash, messages.c.seq,
            rooms.c.archived, rooms.c.history,
        )
        .select_from(asked)
        .outerjoin(members, and_(members.c.room == asked.c.room, members.c.user == asked.c.author))
        .outerjoin(rooms, rooms.c.id == asked.c.room)
        .outerjoin(users, users.c.id == asked.c.author)
        .outerjoin(messages, stored)
    )  # fmt: skip


def _existing(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"room": BIG, "seq": BIG})
    asked = select(*given.columns()).select_from(given.source).subquery("asked")
    there = and_(messages.c.room == asked.c.room, messages.c.seq == asked.c.seq)
    return select(messages.c.room, messages.c.seq).join_from(asked, messages, there)


def _insert(dialect: Dialect, names: tuple[str, ...]) -> Executable:
    given = Rows(dialect, {name: TEXT if name in TEXTS else BIG for name in names})
    return insert(messages).from_select(list(names), select(*given.columns()).select_from(given.source))


FACTS = Statement(_facts)
EXISTING = Statement(_existing)
INSERT = Statement(lambda dialect: _insert(dialect, PLAIN))
INSERT_RICH = Statement(lambda dialect: _insert(dialect, NewMessage._fields))
FIND = Statement(lambda _: _find())
