"""The write transaction.

It first locks the topics, then appends events with their seqs, and writes the log and the heads
once at the end.

A topic's state changes only under its lock. The lock is the topic's row (`FOR UPDATE`; SQLite has
one writer anyway). One statement locks all topics of a batch in one order, so that commit order
equals seq order and transactions do not deadlock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect, Executable, bindparam, insert, select, update
from sqlalchemy.engine import CursorResult

from hubbub.domain.errors import NeedsTopics
from hubbub.domain.events import Entry, Event, MessageSent
from hubbub.domain.text import timestamp
from hubbub.storage import event_text, rows
from hubbub.storage.database import Statement
from hubbub.storage.ids import Ids
from hubbub.storage.rows import BIG, TEXT, Columns, Rows
from hubbub.storage.schema import log, topics


@dataclass(slots=True)
class Head:
    """The state of a locked topic.

    `seq` is the last seq given, `floor` the last seq that is trimmed, `n` the number of messages.
    """

    seq: int
    floor: int
    n: int
    changed: bool = False


class Transaction:
    """The transaction that handlers write through.

    `now` is in milliseconds and the same for the whole batch.
    """

    def __init__(self, connection: Connection, ids: Ids, now: int) -> None:
        self.connection = connection
        self.ids = ids
        self.now = now
        self.at = timestamp(now)
        self.id = ids.next()
        """Identifies the log rows of this transaction."""
        self.row = self.id
        """The id of the row of the entry that was appended last: a message has an id of its own. It
        identifies our own row after a COMMIT with an unknown outcome."""
        self._written: list[tuple[int, str, int]] = []
        self.entries: list[Entry] = []
        self.writes = 0
        self.erased = False
        """Whether text was erased that other files than the database's may still contain."""
        self.newest: tuple[int, str, int] | None = None
        """(id, topic, seq) of an entry of this transaction, once they are written: the proof that a
        database contains it. Not of a user's topic, if possible, since that may be deleted with a
        guest."""
        self.heads: dict[str, Head] = {}
        self._rows: list[LogRow] = []

    def lock(self, wanted: Iterable[str]) -> None:
        """Lock the `wanted` topics, as far as they exist.

        Called once, before anything is read.
        """
        cursor = LOCK.run(self.connection, rows=rows.encode([(topic,) for topic in sorted(set(wanted))]))
        for topic, seq, floor, n in cursor.fetchall():
            self.heads[topic] = Head(seq, floor, n)
        cursor.close()

    def head(self, topic: str) -> Head:
        """Return the locked state of `topic`. Raises NeedsTopics if it is not locked."""
        try:
            return self.heads[topic]
        except KeyError:
            raise NeedsTopics(topic) from None

    def knows(self, topic: str) -> bool:
        return topic in self.heads

    def create_topic(self, topic: str) -> Head:
        """Create an empty topic, which this transaction holds."""
        self.execute(insert(topics).values(topic=topic, head=0, floor=0, n=0))
        head = self.heads[topic] = Head(0, 0, 0)
        return head

    def append(self, event: Event) -> Entry:
        """Append `event` to the log of its topic with the next seq.

        The row of the message is the entry of a MessageSent: the caller inserts it.
        """
        topic = event.topic
        head = self.head(topic)
        head.seq += 1
        head.changed = True
        text, stored = event_text.encode(event, topic, head.seq, self.at)
        entry = Entry(topic, head.seq, event, text)
        if type(event) is MessageSent:
            self.row = self.ids.next()
        else:
            self.row = self.id
            self._rows.append((topic, head.seq, event.type, event_text.message_of(event), stored.decode()))
        self._written.append((self.row, topic, head.seq))
        self.entries.append(entry)
        self.writes += 1
        return entry

    def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        """Execute a statement that writes."""
        self.writes += 1
        return self.connection.execute(statement, parameters)

    def flush(self) -> None:
        """Write the log rows and the heads. This is the last step before COMMIT."""
        if self._rows:
            _insert_log(self.connection, self._rows, self.now, self.id)
            self._rows = []
        if self._written:
            lasting = (each for each in reversed(self._written) if not each[1].startswith("user:"))
            self.newest = next(lasting, self._written[-1])
        changed = [(topic, head.seq, head.floor, head.n) for topic, head in self.heads.items() if head.changed]
        if changed:
            HEADS.run(self.connection, rows=rows.encode(changed)).close()


LARGE_ROW = 2_048
LogRow = tuple[str, int, str, int | None, str]
"""The topic, seq, type, message and text of an entry."""


def _insert_log(connection: Connection, batch: Sequence[LogRow], at: int, tx: int) -> None:
    """Insert rows into the log.

    Small rows are passed as one JSON parameter. Rows over 2 KiB are inserted one by one, since JSON
    is slower for them (measured).
    """
    small = [row for row in batch if len(row[4]) <= LARGE_ROW]
    if small:
        INSERT_LOG.run(connection, at=at, tx=tx, rows=rows.encode(small)).close()
    if len(small) < len(batch):
        large = [dict(zip(LOG_ROW, row, strict=True)) for row in batch if len(row[4]) > LARGE_ROW]
        connection.execute(insert(log), [{"at": at, "tx": tx, **row} for row in large])


def _lock(dialect: Dialect) -> Executable:
    wanted = Rows(dialect, {"topic": TEXT})
    return (
        select(topics.c.topic, topics.c.head, topics.c.floor, topics.c.n)
        .where(topics.c.topic.in_(select(wanted["topic"]).select_from(wanted.source)))
        .order_by(topics.c.topic)
        .with_for_update()
    )


def _insert(dialect: Dialect) -> Executable:
    given = Rows(dialect, LOG_ROW)
    values = [bindparam("at", type_=BIG), bindparam("tx", type_=BIG), *given.columns()]
    return insert(log).from_select(["at", "tx", *LOG_ROW], select(*values).select_from(given.source))


def _heads(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"topic": TEXT, "head": BIG, "floor": BIG, "n": BIG})
    fresh = select(*given.columns()).select_from(given.source).subquery("fresh")
    return (
        update(topics)
        .values(head=fresh.c.head, floor=fresh.c.floor, n=fresh.c.n)
        .where(topics.c.topic == fresh.c.topic)
    )


LOG_ROW: Columns = {"topic": TEXT, "seq": BIG, "type": TEXT, "message": BIG, "text": TEXT}
LOCK = Statement(_lock)
INSERT_LOG = Statement(_insert)
HEADS = Statement(_heads)
