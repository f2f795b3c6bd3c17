"""Reading and trimming the log.

The entries of a room are the rows of the log and, for each `message.sent`, the row of the message.
They are read with the present texts of their messages.
"""

import itertools
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    Boolean,
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
from hubbub.domain.events import Entry
from hubbub.domain.text import MAX_PAGE_BYTES
from hubbub.storage import event_text, rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, TEXT, Rows
from hubbub.storage.schema import log, messages, meta, topics, users
from hubbub.storage.transaction import Transaction


@dataclass(frozen=True, slots=True)
class LogPage:
    """Entries after a position, in order and without a gap.

    `head` is the topic's head in the same snapshot.
    """

    head: int
    floor: int
    texts: list[bytes]
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
    texts: list[bytes] = []
    size = 0
    room = _room(topic)
    read = event_text.reader(topic, room)
    with closing(_rows(connection, topic, room, after, min(after + limit, head), floor)) as rows_:
        for row in rows_:
            text = read(row)
            size += len(text)
            if texts and size > MAX_PAGE_BYTES:
                break
            texts.append(text)
            after = row[0]
    return LogPage(head, max(topic_floor, floor), texts, after)


def _rows(
    connection: Connection, topic: str, room: int, after: int, last: int, floor: int
) -> Generator[Sequence[Any], None, None]:
    """Yield an `event_text.Row` for each entry after `after` up to `last`, in order.

    One statement if the entries are messages alone, else two: seqs have no gaps, so that a missing
    one is in the log.
    """
    sent: Any = IN_MESSAGES.run(connection, room=room, after=after, last=last) if room else ()
    logged: Any = None
    pending: Sequence[Any] | None = None

    def open_log() -> tuple[Any, Sequence[Any] | None]:
        cursor = IN_LOG.run(connection, topic=topic, room=room, after=after, last=last, floor=floor)
        return cursor, cursor.fetchone()

    expected = after + 1
    try:
        for row in sent:
            seq = row[0]
            if seq != expected:
                if logged is None:
                    logged, pending = open_log()
                while pending is not None and pending[0] < seq:
                    yield pending
                    pending = logged.fetchone()
            expected = seq + 1
            yield row
        if logged is None and expected <= last:
            logged, pending = open_log()
        if pending is not None:
            yield pending
            yield from logged
    finally:
        for cursor in (sent, logged):
            if cursor:
                cursor.close()


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
    read = event_text.reader(topic, room)
    with closing(_rows(connection, topic, room, after, after + limit, floor)) as rows_:
        return [_entry(topic, row, read(row)) for row in rows_]


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
    readers = {topic: event_text.reader(topic, _room(topic)) for topic, _ in wanted}
    size = count = 0
    cursor = ENTRIES_OF.run(connection, rows=given, most=most)
    for index, *row in cursor:
        topic = wanted[index][0]
        text = readers[topic](row)
        found.extend([] for _ in range(index + 1 - len(found)))
        found[index].append(_entry(topic, row, text))
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


def _entry(topic: str, row: Sequence[Any], text: bytes) -> Entry:
    return Entry(topic, row[0], parse_event(topic, event_text.type_of(row), text), text)


def _heads(dialect: Dialect) -> Executable:
    wanted = Rows(dialect, {"topic": TEXT})
    return select(topics.c.topic, topics.c.head).where(
        topics.c.topic.in_(select(wanted["topic"]).select_from(wanted.source))
    )


EDITED = messages.alias("edited")
SENT = (
    messages.c.seq, messages.c.at, messages.c.n, messages.c.author, messages.c.key, users.c.name, messages.c.body,
    messages.c.reply_to, messages.c.forwarded, func.coalesce(messages.c.sent_mentions, messages.c.mentions),
    users.c.bot,
)  # fmt: skip
NO_NUMBER, NO_TEXT, NO_FLAG = cast(null(), BIG), cast(null(), TEXT), cast(null(), Boolean())
LOGGED = (
    log.c.seq, log.c.at, NO_NUMBER, log.c.message, log.c.type, log.c.text, EDITED.c.body,
    NO_NUMBER, NO_TEXT, NO_TEXT, NO_FLAG,
)  # fmt: skip
"""The columns of `event_text.Row`, of entries that messages are, and of those in the log."""


def _range(column: Any) -> Any:
    return and_(column > bindparam("after", type_=BIG), column <= bindparam("last", type_=BIG))


def _in_messages() -> Select[Any]:
    own = messages.c.room == bindparam("room", type_=BIG)
    joined = select(*SENT).join_from(messages, users, users.c.id == messages.c.author)
    return joined.where(own, _range(messages.c.seq)).order_by(messages.c.seq)


def _in_log() -> Select[Any]:
    of_edit = and_(
        EDITED.c.room == bindparam("room", type_=BIG),
        EDITED.c.seq == log.c.message,
        EDITED.c.seq > bindparam("floor", type_=BIG),
    )
    own = log.c.topic == bindparam("topic", type_=TEXT)
    joined = select(*LOGGED).join_from(log, EDITED, of_edit, isouter=True)
    return joined.where(own, _range(log.c.seq)).order_by(log.c.seq)


def _entries_of(dialect: Dialect) -> Executable:
    """Entries after the floor of their topic: older messages are still there, other entries are not."""
    given = Rows(dialect, {"index": BIG, "topic": TEXT, "room": BIG, "after": BIG, "upto": BIG})
    wanted = select(*given.columns()).select_from(given.source).subquery("wanted")
    index, own = wanted.c.index.label("index"), topics.c.topic == wanted.c.topic

    def here(table: Any) -> Any:
        return and_(table.c.seq > wanted.c.after, table.c.seq <= wanted.c.upto, table.c.seq > topics.c.floor)

    of_edit = and_(EDITED.c.room == wanted.c.room, EDITED.c.seq == log.c.message)
    in_log: Select[Any] = (
        select(index, *LOGGED)
        .join_from(wanted, topics, own)
        .join(log, and_(log.c.topic == wanted.c.topic, here(log)))
        .join(EDITED, of_edit, isouter=True)
    )
    in_messages: Select[Any] = (
        select(index, *SENT)
        .join_from(wanted, topics, own)
        .join(messages, and_(messages.c.room == wanted.c.room, here(messages)))
        .join(users, users.c.id == messages.c.author)
    )
    both = union_all(in_log, in_messages)
    return both.order_by(literal_column("1"), literal_column("2")).limit(bindparam("most", type_=BIG))


EPOCH = Statement(lambda _: select(meta.c.value).where(meta.c.key == "epoch"))
POSITION = Statement(
    lambda _: select(topics.c.head, topics.c.floor).where(topics.c.topic == bindparam("topic", type_=TEXT))
)
HEADS = Statement(_heads)
IN_MESSAGES = Statement(lambda _: _in_messages())
IN_LOG = Statement(lambda _: _in_log())
ENTRIES_OF = Statement(_entries_of)
