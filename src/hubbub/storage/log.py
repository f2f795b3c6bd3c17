"""Reading the log: heads, floors, and what happened since a position; trimming a prefix."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, Dialect, Executable, and_, bindparam, delete, select, update

from hubbub.domain.events import BY_TYPE, Entry, Event, RoomCreated, SiteRoomEvent
from hubbub.domain.model import SITE
from hubbub.storage import rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, TEXT, Rows
from hubbub.storage.schema import log, meta, topics
from hubbub.storage.transaction import Transaction, drop_body, null_body

MAX_PAGE_CHARACTERS = 256 * 1024
"""A page ends before it grows larger, so that an answer always fits into a reader's outbox."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Entries after a position, in order and without a hole, and the topic's head in the same snapshot."""

    head: int
    floor: int
    texts: list[str]
    last: int

    @property
    def complete(self) -> bool:
        return self.last >= self.head


def epoch(connection: Connection) -> str:
    """The name of this history; it changes only when a backup was restored."""
    found = EPOCH.row(connection)
    assert found is not None, "the first migration writes it"
    return str(found[0])


def position(connection: Connection, topic: str) -> tuple[int, int] | None:
    """(head, floor) of a topic, None if there is no such topic."""
    found = POSITION.row(connection, topic=topic)
    return None if found is None else (found[0], found[1])


def heads(connection: Connection, wanted: Iterable[str]) -> dict[str, int]:
    found = HEADS.rows(connection, rows=rows.encode([(topic,) for topic in wanted]))
    return {row[0]: row[1] for row in found}


def since(connection: Connection, topic: str, after: int, limit: int, *, floor: int = 0) -> LogPage | None:
    """What follows `after`, at most `limit` entries; None if there is no way from `after` to the head without a hole.

    `floor` is the asker's own (his joining); the higher of the two counts.
    """
    place = position(connection, topic)
    if place is None:
        return None
    head, own = place
    if after > head or after < max(own, floor):
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
    return LogPage(head, max(own, floor), texts, after)


def row_at(connection: Connection, topic: str, seq: int) -> int | None:
    """The id of the row at a position, None if there is none: whoever wrote it knows it by that."""
    found: int | None = connection.scalar(select(log.c.id).where(log.c.topic == topic, log.c.seq == seq))
    return found


def redact(tx: Transaction, topic: str, seq: int) -> None:
    """Takes the text out of an entry, whose `body` is null from then on; append what supersedes it next.

    The entry may be trimmed already, or be one of this very transaction. Holds the topic.
    """
    tx.head(topic)
    found = TEXT_AT.row(tx.connection, topic=topic, seq=seq)
    if found is None:
        tx.redact(topic, {seq}, null_body)
        return
    tx.writes += 1
    SCRUB.run(tx.connection, topic=topic, seq=seq, scrubbed=null_body(found[0])).close()


def redact_all(tx: Transaction, topic: str, seqs: Sequence[int]) -> None:
    """Takes the texts out of entries for good: `body` is left out of them. Two statements. Holds the topic."""
    tx.head(topic)
    tx.redact(topic, set(seqs), drop_body)
    found = TEXTS_AT.rows(tx.connection, topic=topic, rows=rows.encode([(seq,) for seq in seqs]))
    if found:
        tx.writes += 1
        UNTELL.run(tx.connection, rows=rows.encode([(id_, drop_body(text)) for id_, text in found])).close()


def entries(connection: Connection, topic: str, after: int, limit: int = 1_000) -> list[Entry]:
    """The same as parsed entries, for a node that refills what it did not publish."""
    query = (
        select(log.c.seq, log.c.type, log.c.text)
        .where(log.c.topic == topic, log.c.seq > after)
        .order_by(log.c.seq)
        .limit(limit)
    )
    return [
        Entry(topic, row.seq, _parse(topic, row.type, row.text), row.text.encode()) for row in connection.execute(query)
    ]


def trim(tx: Transaction, topic: str, before: int, limit: int) -> int:
    """Removes the entries up to the first one that is not older than `before`; returns how many. Moves the floor."""
    head = tx.head(topic)
    oldest = select(log.c.seq, log.c.at).where(log.c.topic == topic).order_by(log.c.seq).limit(limit)
    old = itertools.takewhile(lambda row: row.at < before, tx.connection.execute(oldest).all())
    last = max((row.seq for row in old), default=0)
    if last == 0:
        return 0
    gone = tx.execute(delete(log).where(log.c.topic == topic, log.c.seq <= last)).rowcount
    head.floor, head.changed = last, True
    return gone


def trimmable(connection: Connection, before: int, limit: int = 100) -> list[str]:
    """Topics whose first entry that is left is older than `before`."""
    first = and_(log.c.topic == topics.c.topic, log.c.seq == topics.c.floor + 1)
    oldest = select(log.c.at).where(first).correlate(topics).scalar_subquery()  # a join would scan the whole log
    query = select(topics.c.topic).where(oldest < before).limit(limit)
    return list(connection.scalars(query))


def _parse(topic: str, type_: str, text: str) -> Event:
    body = orjson.loads(text)
    if topic.startswith("user:"):
        body["person"] = int(topic.removeprefix("user:"))
    event = BY_TYPE[type_]
    if issubclass(event, (RoomCreated, SiteRoomEvent)):
        body["in_site"] = topic == SITE
    return event.model_validate(body)


def _heads(dialect: Dialect) -> Executable:
    wanted = Rows(dialect, {"topic": TEXT})
    return select(topics.c.topic, topics.c.head).where(
        topics.c.topic.in_(select(wanted["topic"]).select_from(wanted.source))
    )


def _at(statement: Any) -> Executable:
    here = (log.c.topic == bindparam("topic", type_=TEXT), log.c.seq == bindparam("seq", type_=BIG))
    found: Executable = statement.where(*here)
    return found


def _texts_at(dialect: Dialect) -> Executable:
    wanted = Rows(dialect, {"seq": BIG})
    return select(log.c.id, log.c.text).where(
        log.c.topic == bindparam("topic", type_=TEXT), log.c.seq.in_(select(wanted["seq"]).select_from(wanted.source))
    )


def _untell(dialect: Dialect) -> Executable:
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
SINCE = Statement(lambda _: _since())
TEXTS_AT = Statement(_texts_at)
UNTELL = Statement(_untell)
TEXT_AT = Statement(lambda _: _at(select(log.c.text)))
SCRUB = Statement(lambda _: _at(update(log).values(text=bindparam("scrubbed", type_=TEXT))))
