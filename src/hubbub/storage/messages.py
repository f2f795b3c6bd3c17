"""Messages: many sends in a constant number of statements; changes of one message."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Executable, Select, and_, bindparam, insert, select, update

from hubbub.domain.model import Mentions
from hubbub.storage import deletion, reads, rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, TEXT, Rows
from hubbub.storage.schema import MESSAGE_KEPT, members, messages, users
from hubbub.storage.transaction import LARGE_ROW, Transaction


class StoredMessage(NamedTuple):
    """A message as it is stored."""

    at: int
    author: int
    name: str
    body: str | None
    forwarded: str | None
    mentions: str | None
    sent_mentions: str | None
    edited_at: int | None
    deleted_at: int | None
    reply_to: int | None

    def first_mentions(self) -> str:
        """Return what `sent_mentions` must be as soon as `mentions` change."""
        return (self.mentions or "") if self.sent_mentions is None else self.sent_mentions


class NewMessage(NamedTuple):
    """A message to insert. The time is that of the run."""

    id: int
    room: int
    seq: int
    n: int
    author: int
    key: str
    digest: int
    body: str
    reply_to: int | None = None
    forwarded: str | None = None
    mentions: str | None = None


PLAIN = NewMessage._fields[:8]
"""The columns of a message that has only a text."""
NOTHING_MORE = (None, None, None)
TEXTS = ("key", "body", "forwarded", "mentions")


def repliable(tx: Transaction, wanted: Iterable[tuple[int, int]]) -> dict[tuple[int, int], int | None]:
    """Return the author of each wanted (room, seq) that is a message, deleted ones included.

    The author is None if they are no longer a member of the room. One statement.
    """
    found = REPLIABLE.rows(tx.connection, rows=rows.encode(sorted(set(wanted))))
    return {(room, seq): author for room, seq, author in found}


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
            statement.run(tx.connection, at=tx.now, rows=rows.encode(some)).close()
    if len(plain) + len(rich) < len(new):
        own = {"at": tx.now}
        large = [message._asdict() | own for message in new if len(message.body) > LARGE_ROW]
        rows.refuse_nul(message["body"] for message in large)
        tx.connection.execute(insert(messages), large)
    last = {(message.room, message.author): (message.seq, message.n) for message in new}
    reads.move(tx, [(room, author, seq, n) for (room, author), (seq, n) in last.items()])


def find(connection: Connection, room: int, seq: int) -> StoredMessage | None:
    row = FIND.row(connection, room=room, seq=seq)
    return None if row is None else StoredMessage(*row)


def edit(tx: Transaction, room: int, seq: int, old: StoredMessage, body: str, mentions: str | None) -> None:
    """Replace the text of a message. The row has it alone, and so all readers of the log get it."""
    sent_mentions = old.sent_mentions if mentions == old.mentions else old.first_mentions()
    values = {"body": body, "mentions": mentions, "sent_mentions": sent_mentions, "edited_at": tx.now}
    tx.execute(update(messages).where(messages.c.room == room, messages.c.seq == seq).values(**values))


def erase(tx: Transaction, room: int, seq: int, old: StoredMessage, mentioned: Mentions | None) -> None:
    """Delete a message: MESSAGE_KEPT remains of it, and nothing that belongs to it.

    `mentioned` are its mentions.
    """
    deletion.delete_parts(tx, room, seq, mentioned)
    left = deletion.erased(messages, MESSAGE_KEPT, deleted_at=tx.now)
    left["sent_mentions"] = old.first_mentions()
    tx.execute(update(messages).where(messages.c.room == room, messages.c.seq == seq).values(**left))
    reads.count_deleted(tx, room, seq, old.author)
    tx.erased = True


def _find() -> Select[Any]:
    return (
        select(*(users.c.name if name == "name" else messages.c[name] for name in StoredMessage._fields))
        .join_from(messages, users, users.c.id == messages.c.author)
        .where(messages.c.room == bindparam("room", type_=BIG), messages.c.seq == bindparam("seq", type_=BIG))
    )


def _repliable(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"room": BIG, "seq": BIG})
    wanted = select(*given.columns()).select_from(given.source).subquery("wanted")
    at_seq = and_(messages.c.room == wanted.c.room, messages.c.seq == wanted.c.seq)
    joined = and_(members.c.room == messages.c.room, members.c.user == messages.c.author)
    found = select(messages.c.room, messages.c.seq, members.c.user).join_from(wanted, messages, at_seq)
    return found.outerjoin(members, joined)


def _insert(dialect: Dialect, names: tuple[str, ...]) -> Executable:
    given = Rows(dialect, {name: TEXT if name in TEXTS else BIG for name in names})
    values = [bindparam("at", type_=BIG), *given.columns()]
    return insert(messages).from_select(["at", *names], select(*values).select_from(given.source))


REPLIABLE = Statement(_repliable)
INSERT = Statement(lambda dialect: _insert(dialect, PLAIN))
INSERT_RICH = Statement(lambda dialect: _insert(dialect, NewMessage._fields))
FIND = Statement(lambda _: _find())
