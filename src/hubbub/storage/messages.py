"""Messages: many sends in a constant number of statements; changes of one message."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Executable, Select, and_, bindparam, insert, literal_column, select, update

from hubbub.domain.model import Mentions, room_topic
from hubbub.storage import deletion, log, reads, rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, TEXT, Rows
from hubbub.storage.schema import MESSAGE_KEPT, messages, users
from hubbub.storage.transaction import LARGE_ROW, Transaction


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
        """Return the seq of the log entry that holds the text, 0 if none does.

        `seq` is the message's own.
        """
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
"""The columns of a message that has only a text."""
NOTHING_MORE = (None, None, None)
EDITED = literal_column("text_seq") > literal_column("0")
"""Spelt as in the index `messages_edited`. With a bound zero the index would not be used."""
REDACTED_AT_ONCE = 500
TEXTS = ("key", "hash", "body", "forwarded", "mentions")


def existing(tx: Transaction, wanted: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return those of the wanted (room, seq) that are messages, deleted ones included.

    One statement.
    """
    return set(EXISTING.rows(tx.connection, rows=rows.encode(sorted(set(wanted)))))


def insert_all(tx: Transaction, new: Sequence[NewMessage]) -> None:
    """Store messages with assigned seqs and numbers.

    Each author's read position moves to their last message.
    """
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
    reads.move(tx, [(room, author, seq, n) for (room, author), (seq, n) in last.items()])


def find(connection: Connection, room: int, seq: int) -> StoredMessage | None:
    row = FIND.row(connection, room=room, seq=seq)
    return None if row is None else StoredMessage(*row)


def change(tx: Transaction, room: int, seq: int, **values: Any) -> None:
    """Set columns of a message."""
    tx.execute(update(messages).where(messages.c.room == room, messages.c.seq == seq).values(**values))


def erase(tx: Transaction, room: int, seq: int, mentioned: Mentions | None) -> None:
    """Delete a message: MESSAGE_KEPT remains of it, and nothing that belongs to it.

    `mentioned` are its mentions. The log is left as it is.
    """
    deletion.delete_parts(tx, room, seq, mentioned)
    change(tx, room, seq, **deletion.erased(messages, MESSAGE_KEPT, text_seq=0, deleted_at=tx.now))


def redact_edits(tx: Transaction, room: int) -> None:
    """Erase the texts of edited messages from the entries of their edits.

    An edited message may be older than the history that some members see, but the entry of its edit
    is not. Takes a constant number of statements for each 500 messages. This is needed once per
    room: no later edit puts its text into the log.
    """
    edited = (messages.c.room == room, EDITED)
    query = select(messages.c.text_seq).where(*edited)
    seqs = tx.connection.scalars(query).all()
    for start in range(0, len(seqs), REDACTED_AT_ONCE):
        log.redact_all(tx, room_topic(room), seqs[start : start + REDACTED_AT_ONCE])
    if seqs:
        tx.execute(update(messages).where(*edited).values(text_seq=0))


def _find() -> Select[Any]:
    return (
        select(*(users.c.name if name == "name" else messages.c[name] for name in StoredMessage._fields))
        .join_from(messages, users, users.c.id == messages.c.author)
        .where(messages.c.room == bindparam("room", type_=BIG), messages.c.seq == bindparam("seq", type_=BIG))
    )


def _existing(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"room": BIG, "seq": BIG})
    wanted = select(*given.columns()).select_from(given.source).subquery("wanted")
    at_seq = and_(messages.c.room == wanted.c.room, messages.c.seq == wanted.c.seq)
    return select(messages.c.room, messages.c.seq).join_from(wanted, messages, at_seq)


def _insert(dialect: Dialect, names: tuple[str, ...]) -> Executable:
    given = Rows(dialect, {name: TEXT if name in TEXTS else BIG for name in names})
    return insert(messages).from_select(list(names), select(*given.columns()).select_from(given.source))


EXISTING = Statement(_existing)
INSERT = Statement(lambda dialect: _insert(dialect, PLAIN))
INSERT_RICH = Statement(lambda dialect: _insert(dialect, NewMessage._fields))
FIND = Statement(lambda _: _find())
