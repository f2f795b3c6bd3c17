"""Reading, redacting and trimming the log."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Dialect, Executable, and_, bindparam, delete, func, select, update

from hubbub.domain.events import BY_TYPE, ENVELOPE, Entry, Event, SiteRoomEvent
from hubbub.domain.model import SITE
from hubbub.storage import rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, TEXT, Rows
from hubbub.storage.schema import log, meta, topics
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
    """Return the id of this history. It changes only when a backup is restored."""
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
    joined after it. The higher of the reader's and the topic's floor counts.
    """
    found = position(connection, topic)
    if found is None:
        return None
    head, topic_floor = found
    if after > head or after < max(topic_floor, floor):
        return None
    texts: list[str] = []
    size = 0
    cursor = SINCE.run(connection, topic=topic, after=after, limit=limit)
    for seq, text in cursor:
        size += len(text)
        if texts and size > MAX_PAGE_CHARACTERS:
            break
        texts.append(text)
        after = seq
    cursor.close()
    return LogPage(head, max(topic_floor, floor), texts, after)


def row_at(connection: Connection, topic: str, seq: int) -> int | None:
    """Return the id of the row at a position, None if there is none.

    A writer recognises its own row by the id.
    """
    found: int | None = connection.scalar(select(log.c.id).where(log.c.topic == topic, log.c.seq == seq))
    return found


def redact(tx: Transaction, topic: str, seq: int) -> None:
    """Remove all but the `kept` fields from an entry whose text changes or goes.

    Its `body` is null: append the event that supersedes it next. The entry may already be trimmed, or may have been
    appended by this transaction. Holds the topic.
    """
    tx.head(topic)
    tx.erased = True
    found = TEXT_AT.row(tx.connection, topic=topic, seq=seq)
    if found is None:
        tx.redact(topic, {seq}, _superseded)
        return
    tx.writes += 1
    REDACT.run(tx.connection, topic=topic, seq=seq, redacted=_superseded(found[0])).close()


def redact_all(tx: Transaction, topic: str, seqs: Sequence[int]) -> None:
    """Remove all but the `kept` fields from entries whose text stays as it is.

    They have no `body`: clients load the text separately. Two statements. Holds the topic.
    """
    tx.head(topic)
    tx.erased = True
    tx.redact(topic, set(seqs), _redacted)
    found = TEXTS_AT.rows(tx.connection, topic=topic, rows=rows.encode([(seq,) for seq in seqs]))
    if found:
        tx.writes += 1
        REDACT_ALL.run(tx.connection, rows=rows.encode([(id_, _redacted(text)) for id_, text in found])).close()


def entries(connection: Connection, topic: str, after: int, limit: int = 1_000) -> list[Entry]:
    """Return the parsed entries after `after`.

    A node uses them to publish what it has missed.
    """
    query = (
        select(log.c.seq, log.c.type, log.c.text)
        .where(log.c.topic == topic, log.c.seq > after)
        .order_by(log.c.seq)
        .limit(limit)
    )
    return [
        Entry(topic, row.seq, _parse(topic, row.type, row.text), row.text.encode()) for row in connection.execute(query)
    ]


def entries_of(
    connection: Connection, wanted: Sequence[tuple[str, int]], limit: int, most: int, characters: int
) -> tuple[list[list[Entry]], bool]:
    """Return the parsed entries of several topics, each given with the position after which to start.

    At most `limit` entries of each topic and `most` in all, and no more when they have this many
    `characters`. The result has the lists of the first topics, and whether it ended early: then the
    last list may be incomplete. One statement.
    """
    given = rows.encode([(index, topic, after, after + limit) for index, (topic, after) in enumerate(wanted)])
    found: list[list[Entry]] = []
    size = count = 0
    cursor = ENTRIES_OF.run(connection, rows=given, most=most)
    for index, topic, seq, type_, text in cursor:
        found.extend([] for _ in range(index + 1 - len(found)))
        found[index].append(Entry(topic, seq, _parse(topic, type_, text), text.encode()))
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
    """
    head = tx.head(topic)
    oldest = select(log.c.seq, log.c.at).where(log.c.topic == topic).order_by(log.c.seq).limit(limit)
    old = itertools.takewhile(lambda row: row.at < before, tx.connection.execute(oldest).all())
    last = max((row.seq for row in old), default=0)
    if last == 0:
        return 0
    gone = tx.execute(delete(log).where(log.c.topic == topic, log.c.seq <= last)).rowcount
    tx.erased = True
    head.floor, head.changed = last, True
    return gone


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


def trimmable(connection: Connection, before: int, limit: int = 100) -> list[str]:
    """Return topics whose oldest entry is older than `before`."""
    first = and_(log.c.topic == topics.c.topic, log.c.seq == topics.c.floor + 1)
    oldest = select(log.c.at).where(first).correlate(topics).scalar_subquery()  # a join would scan the whole log
    query = select(topics.c.topic).where(oldest < before).limit(limit)
    return list(connection.scalars(query))


def _redacted(text: str, **instead: object) -> str:
    """Return the wire object with the envelope, the `kept` fields and `instead`."""
    fields: dict[str, object] = orjson.loads(text)
    kept = ENVELOPE.keys() | BY_TYPE[str(fields["type"])].kept
    return orjson.dumps({name: value for name, value in fields.items() if name in kept} | instead).decode()


def _superseded(text: str) -> str:
    return _redacted(text, body=None)


def _parse(topic: str, type_: str, text: str) -> Event:
    body = orjson.loads(text)
    if topic.startswith("user:"):
        body["person"] = int(topic.removeprefix("user:"))
    event = BY_TYPE[type_]
    if issubclass(event, SiteRoomEvent):
        body["in_site"] = topic == SITE
    return event.model_validate(body)


def _heads(dialect: Dialect) -> Executable:
    wanted = Rows(dialect, {"topic": TEXT})
    return select(topics.c.topic, topics.c.head).where(
        topics.c.topic.in_(select(wanted["topic"]).select_from(wanted.source))
    )


def _entries_of(dialect: Dialect) -> Executable:
    wanted = Rows(dialect, {"index": BIG, "topic": TEXT, "after": BIG, "upto": BIG})
    here = and_(log.c.topic == wanted["topic"], log.c.seq > wanted["after"], log.c.seq <= wanted["upto"])
    index = wanted["index"].label("index")
    found = select(index, log.c.topic, log.c.seq, log.c.type, log.c.text).select_from(wanted.source).join(log, here)
    return found.order_by(index, log.c.seq).limit(bindparam("most", type_=BIG))


def _at(statement: Any) -> Executable:
    at_position = (log.c.topic == bindparam("topic", type_=TEXT), log.c.seq == bindparam("seq", type_=BIG))
    found: Executable = statement.where(*at_position)
    return found


def _texts_at(dialect: Dialect) -> Executable:
    wanted = Rows(dialect, {"seq": BIG})
    return select(log.c.id, log.c.text).where(
        log.c.topic == bindparam("topic", type_=TEXT), log.c.seq.in_(select(wanted["seq"]).select_from(wanted.source))
    )


def _redact_all(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"id": BIG, "text": TEXT})
    fresh = select(*given.columns()).select_from(given.source).subquery("fresh")
    return update(log).values(text=fresh.c.text).where(log.c.id == fresh.c.id)


def _since() -> Executable:
    later = (log.c.topic == bindparam("topic", type_=TEXT), log.c.seq > bindparam("after", type_=BIG))
    return select(log.c.seq, log.c.text).where(*later).order_by(log.c.seq).limit(bindparam("limit", type_=BIG))


EPOCH = Statement(lambda _: select(meta.c.value).where(meta.c.key == "epoch"))
POSITION = Statement(
    lambda _: select(topics.c.head, topics.c.floor).where(topics.c.topic == bindparam("topic", type_=TEXT))
)
HEADS = Statement(_heads)
ENTRIES_OF = Statement(_entries_of)
SINCE = Statement(lambda _: _since())
TEXTS_AT = Statement(_texts_at)
REDACT_ALL = Statement(_redact_all)
TEXT_AT = Statement(lambda _: _at(select(log.c.text)))
REDACT = Statement(lambda _: _at(update(log).values(text=bindparam("redacted", type_=TEXT))))
