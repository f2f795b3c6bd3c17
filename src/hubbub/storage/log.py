"""Reading and trimming the log.

The entries of a room are the rows of the log and, for each `message.sent`, the row of the message.
They are read with the present texts of their messages.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    CompoundSelect,
    Connection,
    Dialect,
    Executable,
    Select,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    literal_column,
    null,
    select,
    union_all,
)

from hubbub.domain.entries import parse_event
from hubbub.domain.events import Entry, MessageSent
from hubbub.storage import event_text, rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, TEXT, Rows
from hubbub.storage.schema import log, messages, meta, topics, users
from hubbub.storage.transaction import Transaction

MAX_PAGE_CHARACTERS = 256 * 1024
"""A page ends before it exceeds this, so that an answer always fits into a connection's outbox."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Entries after a position, in order and without a gap.

    `head` is the topic's head in the same snapshot.
    """

    head: int
    floor: int
    texts: list[str]
    last: int

    @property
    def complete(self) -> bool:
        return self.last >= self.head


def epoch(connection: Connection) -> str:
    """Return the id of this history. `storage.epochs` changes it."""
    found = EPOCH.row(connection)
    assert found is not None, "the first migration writes it"
    return str(found[0])


def position(connection: Connection, topic: str) -> tuple[int, int] | None:
    """Return (head, floor) of a topic, None if there is no such topic."""
    found = POSITION.row(connection, topic=topic)
    return None if found is None else (found[0], found[1])


def heads(connection: Connection, wanted: Iterable[str]) -> dict[str, int]:
    found = HEADS.rows(connection, rows=rows.encode([(topic,) for topic in wanted]))
    return {row[0]: row[1] for row in found}


def since(connection: Connection, topic: str, after: int, limit: int, *, floor: int = 0) -> LogPage | None:
    """Return the entries after `after`, at most `limit` of them.

    Returns None if there is a gap between `after` and the head. `floor` is that of the reader, who
    joined after it. The higher of the reader's and the topic's floor counts. Edits of messages up to
    the reader's floor have no text.
    """
    found = position(connection, topic)
    if found is None:
        return None
    head, topic_floor = found
    if after > head or after < max(topic_floor, floor):
        return None
    texts: list[str] = []
    size = 0
    room = _room(topic)
    cursor = SINCE.run(connection, topic=topic, room=room, after=after, limit=limit, floor=floor)
    for row in cursor:
        text = event_text.read(topic, room, row)
        size += len(text)
        if texts and size > MAX_PAGE_CHARACTERS:
            break
        texts.append(text)
        after = row[0]
    cursor.close()
    return LogPage(head, max(topic_floor, floor), texts, after)


class Newest(NamedTuple):
    """The newest entry of all topics. `tx` identifies its transaction, `at` is in milliseconds."""

    tx: int
    topic: str
    seq: int
    at: int


def newest(connection: Connection) -> Newest | None:
    """Return the newest entry of all topics, None if there is none.

    It is the last one of its topic. Reads one row of each topic: once at the start of a process.
    """
    tx, at = (entry_at(topics.c.head, name).label(name) for name in ("tx", "at"))
    lasts = select(tx, topics.c.topic, topics.c.head, at).subquery()
    query = select(lasts).where(lasts.c.tx.is_not(None)).order_by(lasts.c.tx.desc()).limit(1)
    found = connection.execute(query).first()
    return None if found is None else Newest(*found)


def row_at(connection: Connection, topic: str, seq: int) -> int | None:
    """Return the id of the message, or of the transaction that wrote the entry; None if there is none.

    A writer recognises its own entry by it.
    """
    in_log = select(log.c.tx).where(log.c.topic == topic, log.c.seq == seq)
    in_messages = select(messages.c.id).where(messages.c.room == _room(topic), messages.c.seq == seq)
    found: int | None = connection.scalar(union_all(in_log, in_messages))
    return found


def entries(connection: Connection, topic: str, after: int, limit: int = 1_000, *, floor: int = 0) -> list[Entry]:
    """Return the parsed entries after `after`.

    Without a floor they have all texts: they are for readers who may read the whole room.
    """
    room = _room(topic)
    found = []
    for row in SINCE.rows(connection, topic=topic, room=room, after=after, limit=limit, floor=floor):
        text = event_text.read(topic, room, row)
        event = parse_event(topic, row[event_text.TYPE] or MessageSent.type, text)
        found.append(Entry(topic, row[0], event, text.encode()))
    return found


def entries_of(
    connection: Connection, wanted: Sequence[tuple[str, int]], limit: int, most: int, characters: int
) -> tuple[list[list[Entry]], bool]:
    """Return the parsed entries of several topics, each given with the position after which to start.

    At most `limit` entries of each topic and `most` in all, and no more when they have this many
    `characters`. The result has the lists of the first topics, and whether it ended early: then the
    last list may be incomplete. One statement.
    """
    given = rows.encode(
        [(index, topic, _room(topic), after, after + limit) for index, (topic, after) in enumerate(wanted)]
    )
    found: list[list[Entry]] = []
    size = count = 0
    cursor = ENTRIES_OF.run(connection, rows=given, most=most)
    for index, *row in cursor:
        topic = wanted[index][0]
        text = event_text.read(topic, _room(topic), row)
        event = parse_event(topic, row[event_text.TYPE] or MessageSent.type, text)
        found.extend([] for _ in range(index + 1 - len(found)))
        found[index].append(Entry(topic, row[0], event, text.encode()))
        size, count = size + len(text), count + 1
        if size >= characters or count == most:
            cursor.close()
            return found, True
    cursor.close()
    found.extend([] for _ in range(len(wanted) - len(found)))
    return found, False


def trim(tx: Transaction, topic: str, before: int, limit: int) -> int:
    """Remove the oldest entries up to the first one that is not older than `before`.

    Looks at `limit` entries at most, moves the floor, and returns the number of removed entries.
    Messages stay; they are no entries any more.
    """
    head = tx.head(topic)
    of_room = messages.c.room == _room(topic)
    both = union_all(
        select(log.c.seq, log.c.at).where(log.c.topic == topic, log.c.seq > head.floor),
        select(messages.c.seq, messages.c.at).where(of_room, messages.c.seq > head.floor),
    )
    oldest = tx.connection.execute(both.order_by("seq").limit(limit)).all()
    old = list(itertools.takewhile(lambda row: row.at < before, oldest))
    if not old:
        return 0
    last = old[-1].seq
    tx.execute(delete(log).where(log.c.topic == topic, log.c.seq <= last))
    tx.erased = True
    head.floor, head.changed = last, True
    return len(old)


def remove_topic(tx: Transaction, topic: str) -> None:
    """Remove a topic that has no entries, and gets none any more. Holds the topic."""
    tx.head(topic).changed = False
    tx.execute(delete(topics).where(topics.c.topic == topic))


def forget(tx: Transaction, topic: str) -> None:
    """Remove all entries that are stored, for a topic that has no readers any more.

    Entries that this transaction appended stay.
    """
    head = tx.head(topic)
    own = log.c.topic == topic
    last = tx.connection.scalar(select(func.max(log.c.seq)).where(own))
    if last is not None:
        tx.execute(delete(log).where(own))
        tx.erased = True
        head.floor, head.changed = last, True


def trimmable(connection: Connection, before: int, after: str = "", limit: int = 1_000) -> tuple[list[str], str | None]:
    """Return topics whose oldest entry is older than `before`, among the `limit` after `after`.

    Also returns the last topic of these, None at the end: a pass over all topics reads them in
    bounded steps.
    """
    oldest = entry_at(topics.c.floor + 1, "at")
    query = select(topics.c.topic, oldest.label("at")).where(topics.c.topic > after).order_by(topics.c.topic)
    found = connection.execute(query.limit(limit)).all()
    old = [row.topic for row in found if row.at is not None and row.at < before]
    return old, found[-1].topic if len(found) == limit else None


def entry_at(seq: Any, column: str, of: Any = topics) -> Any:
    """Return an expression: a column of the entry at `seq` of a row with a topic, NULL if there is none.

    Two scalar subqueries: a join would scan the whole log.
    """
    room = case((of.c.topic.like("room:%"), cast(func.substr(of.c.topic, len("room:") + 1), BIG)))
    entry = select(log.c[column]).where(log.c.topic == of.c.topic, log.c.seq == seq)
    message = select(messages.c["id" if column == "tx" else column]).where(
        messages.c.room == room, messages.c.seq == seq
    )
    return func.coalesce(*(each.correlate(of).scalar_subquery() for each in (entry, message)))


def _room(topic: str) -> int:
    """Return the id of the room of a topic, 0 if it is none: no room has that."""
    return int(topic.removeprefix("room:")) if topic.startswith("room:") else 0


def _heads(dialect: Dialect) -> Executable:
    wanted = Rows(dialect, {"topic": TEXT})
    return select(topics.c.topic, topics.c.head).where(
        topics.c.topic.in_(select(wanted["topic"]).select_from(wanted.source))
    )


EDITED = messages.alias("edited")
SENT = (
    messages.c.author, users.c.name, messages.c.n, messages.c.key, messages.c.body, messages.c.reply_to,
    messages.c.forwarded, func.coalesce(messages.c.sent_mentions, messages.c.mentions),
)  # fmt: skip
LOGGED = (log.c.type, log.c.message, log.c.text, EDITED.c.body)
"""The columns of entries that messages are, and of those in the log."""


def _since() -> CompoundSelect[Any]:
    """Select the rows that `event_text.read` takes."""
    topic, room = bindparam("topic", type_=TEXT), bindparam("room", type_=BIG)
    after, floor = bindparam("after", type_=BIG), bindparam("floor", type_=BIG)
    of_edit = and_(EDITED.c.room == room, EDITED.c.seq == log.c.message, EDITED.c.seq > floor)
    in_log: Select[Any] = (
        select(log.c.seq, log.c.at, *_nulls(SENT), *LOGGED)
        .join_from(log, EDITED, of_edit, isouter=True)
        .where(log.c.topic == topic, log.c.seq > after)
    )
    in_messages: Select[Any] = (
        select(messages.c.seq, messages.c.at, *SENT, *_nulls(LOGGED))
        .join_from(messages, users, users.c.id == messages.c.author)
        .where(messages.c.room == room, messages.c.seq > after)
    )
    return union_all(in_log, in_messages).order_by(literal_column("1")).limit(bindparam("limit", type_=BIG))


def _entries_of(dialect: Dialect) -> Executable:
    """Entries after the floor of their topic: older messages are still there, other entries are not."""
    given = Rows(dialect, {"index": BIG, "topic": TEXT, "room": BIG, "after": BIG, "upto": BIG})
    wanted = select(*given.columns()).select_from(given.source).subquery("wanted")
    index, own = wanted.c.index.label("index"), topics.c.topic == wanted.c.topic

    def here(table: Any) -> Any:
        return and_(table.c.seq > wanted.c.after, table.c.seq <= wanted.c.upto, table.c.seq > topics.c.floor)

    of_edit = and_(EDITED.c.room == wanted.c.room, EDITED.c.seq == log.c.message)
    in_log: Select[Any] = (
        select(index, log.c.seq, log.c.at, *_nulls(SENT), *LOGGED)
        .join_from(wanted, topics, own)
        .join(log, and_(log.c.topic == wanted.c.topic, here(log)))
        .join(EDITED, of_edit, isouter=True)
    )
    in_messages: Select[Any] = (
        select(index, messages.c.seq, messages.c.at, *SENT, *_nulls(LOGGED))
        .join_from(wanted, topics, own)
        .join(messages, and_(messages.c.room == wanted.c.room, here(messages)))
        .join(users, users.c.id == messages.c.author)
    )
    both = union_all(in_log, in_messages)
    return both.order_by(literal_column("1"), literal_column("2")).limit(bindparam("most", type_=BIG))


def _nulls(columns: Iterable[Any]) -> list[Any]:
    """Return a NULL of the type of each column."""
    return [cast(null(), column.type) for column in columns]


EPOCH = Statement(lambda _: select(meta.c.value).where(meta.c.key == "epoch"))
POSITION = Statement(
    lambda _: select(topics.c.head, topics.c.floor).where(topics.c.topic == bindparam("topic", type_=TEXT))
)
HEADS = Statement(_heads)
SINCE = Statement(lambda _: _since())
ENTRIES_OF = Statement(_entries_of)
