"""Followers, their positions and their dead letters.

Positions change only while the transaction holds the row of their follower.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Executable,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    tuple_,
    update,
)

from hubbub.storage import log, rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, TEXT, Rows
from hubbub.storage.schema import dead_letters, follower_positions, followers, topics
from hubbub.storage.transaction import Transaction

LAG_TOPICS = 1_000
"""Topics among which the oldest entry is looked for."""


class StoredFollower(NamedTuple):
    """A row of the table `followers`, in the order of its columns."""

    name: str
    scope: str
    state: str
    created_at: int
    owner: str | None
    fence: int
    lease_until: int
    attempts: int
    failing_since: int | None
    next_attempt_at: int | None
    last_error: str | None
    last_error_at: int | None
    replay_seq: int | None
    replay_after: str | None


class Lag(NamedTuple):
    """What a follower has not handled yet. `oldest_at` is in milliseconds."""

    topics: int
    entries: int
    oldest_at: int | None


class StoredDeadLetter(NamedTuple):
    topic: str
    seq: int
    at: int
    attempts: int
    reason: str
    retry: bool


class Behind(NamedTuple):
    """A topic whose head is not the follower's position.

    `attempts` counts the failures of the next entry.
    """

    topic: str
    head: int
    floor: int
    seq: int
    attempts: int


def is_prefix(scope: str) -> bool:
    """Return whether a scope stands for all topics that begin with it, as `room:` does."""
    return scope.endswith(":")


def in_scope(scope: str, topic: str) -> bool:
    return topic.startswith(scope) if is_prefix(scope) else topic == scope


# --- followers -------------------------------------------------------------------------------------------------------


def find(connection: Connection, name: str) -> StoredFollower | None:
    row = connection.execute(select(followers).where(followers.c.name == name)).first()
    return None if row is None else StoredFollower(*row)


def listing(connection: Connection, after: str, limit: int) -> list[StoredFollower]:
    """Return followers in the order of their names, without leases that no follower works under."""
    query = select(followers).where(followers.c.name > after, followers.c.scope != "")
    query = query.order_by(followers.c.name).limit(limit)
    return [StoredFollower(*row) for row in connection.execute(query)]


def lock(tx: Transaction, names: Iterable[str]) -> dict[str, StoredFollower]:
    """Lock followers until the end of the transaction, and return those that exist. One statement."""
    found = LOCK.rows(tx.connection, rows=rows.encode([(name,) for name in sorted(set(names))]))
    return {row[0]: StoredFollower(*row) for row in found}


def add(tx: Transaction, name: str, scope: str, state: str) -> None:
    tx.execute(
        insert(followers).values(
            name=name, scope=scope, state=state, created_at=tx.now, fence=0, lease_until=0, attempts=0
        )
    )


def change(tx: Transaction, name: str, **values: Any) -> None:
    tx.execute(update(followers).where(followers.c.name == name).values(**values))


def take(tx: Transaction, names: Sequence[str], owner: str, until: int) -> None:
    """Make `owner` the next owner of followers. One statement."""
    if names:
        values = {"owner": owner, "fence": followers.c.fence + 1, "lease_until": until}
        tx.execute(update(followers).where(followers.c.name.in_(names)).values(**values))


def renew(tx: Transaction, names: Sequence[str], until: int) -> None:
    """Prolong leases. One statement."""
    if names:
        tx.execute(update(followers).where(followers.c.name.in_(names)).values(lease_until=until))


def release(tx: Transaction, owner: str) -> None:
    tx.execute(update(followers).where(followers.c.owner == owner).values(owner=None, lease_until=0))


def remove(tx: Transaction, name: str, limit: int) -> bool:
    """Remove a follower, and at most `limit` of its positions and dead letters.

    Returns whether some of them are left.
    """
    tx.execute(delete(followers).where(followers.c.name == name))
    left = False
    for table, keys in ((follower_positions, ["topic"]), (dead_letters, ["topic", "seq"])):
        own = table.c.follower == name
        found = tx.connection.execute(
            select(*(table.c[key] for key in keys)).where(own).order_by(*(table.c[key] for key in keys)).limit(limit)
        ).all()
        if found:
            last = found[-1].topic
            upto = table.c.topic < last if len(found) == limit and len(keys) > 1 else table.c.topic <= last
            gone = tx.execute(delete(table).where(own, upto)).rowcount
            if gone == 0:  # one topic with more dead letters than the limit
                tx.execute(delete(table).where(own, table.c.topic == last, table.c.seq <= found[-1].seq))
            left = left or len(found) == limit
    return left


# --- positions -------------------------------------------------------------------------------------------------------


def seed(tx: Transaction, name: str, scope: str, after: str, limit: int) -> str | None:
    """Store the heads of topics as positions, where there is none.

    Looks at `limit` topics after `after`. Returns the last one; None if there are no more.
    """
    wanted = select(topics.c.topic, topics.c.head).where(_covered(scope), topics.c.topic > after)
    found = tx.connection.execute(wanted.order_by(topics.c.topic).limit(limit)).all()
    present = positions_at(tx.connection, [(name, row.topic) for row in found])
    fresh = [(name, row.topic, row.head) for row in found if (name, row.topic) not in present]
    put(tx, fresh, (), started=True)
    return found[-1].topic if len(found) == limit else None


def positions_at(connection: Connection, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return the stored positions by (follower, topic). One statement."""
    keys = sorted(set(wanted))
    if not keys:
        return {}
    found = POSITIONS_AT.rows(connection, rows=rows.encode(keys))
    return {(follower, topic): seq for follower, topic, seq in found}


def put(
    tx: Transaction,
    fresh: Sequence[tuple[str, str, int]],
    moved: Sequence[tuple[str, str, int]],
    *,
    started: bool = False,
) -> None:
    """Store positions, given as (follower, topic, seq): `fresh` ones without a row, `moved` ones with one.

    At most two statements. Moved positions forget their failures. With `started`, the follower
    starts at the fresh ones, and never goes back further.
    """
    if fresh:
        tx.writes += 1
        given = [(*each, each[2] if started else 0) for each in fresh]
        ADD.run(tx.connection, rows=rows.encode(given)).close()
    if moved:
        tx.writes += 1
        MOVE.run(tx.connection, rows=rows.encode(moved)).close()


def note_failure(tx: Transaction, name: str, topic: str, attempts: int, next_attempt_at: int) -> None:
    """Store the failures of the next entry of a topic, and when it is tried again."""
    here = (follower_positions.c.follower == name, follower_positions.c.topic == topic)
    values = {"attempts": attempts, "next_attempt_at": next_attempt_at}
    if tx.execute(update(follower_positions).where(*here).values(**values)).rowcount == 0:
        tx.execute(insert(follower_positions).values(follower=name, topic=topic, seq=0, **values))


def start_of(connection: Connection, name: str, topic: str) -> int:
    """Return the position at which a follower started in a topic; 0 if it has followed it from the beginning."""
    own = follower_positions
    return connection.scalar(select(own.c.first).where(own.c.follower == name, own.c.topic == topic)) or 0


def next_attempt(connection: Connection, name: str) -> int | None:
    """Return when the first of the topics that wait for another attempt is tried again, in milliseconds."""
    own = follower_positions
    waits = and_(own.c.follower == name, own.c.next_attempt_at.is_not(None))
    found: int | None = connection.scalar(select(func.min(own.c.next_attempt_at)).where(waits))
    return found


def behind(connection: Connection, name: str, scope: str, after: str, now: int, limit: int) -> list[Behind]:
    """Return topics whose head is not the position, in the order of their names after `after`.

    Topics that wait for another attempt are left out.
    """
    statement = BEHIND_PREFIX if is_prefix(scope) else BEHIND_TOPIC
    given = {"follower": name, "scope": scope, "after": after, "now": now, "limit": limit}
    return [Behind(*row) for row in statement.rows(connection, **given)]


def behind_among(connection: Connection, name: str, wanted: Iterable[str], now: int) -> list[Behind]:
    """Return those of the `wanted` topics whose head is not the position. One statement."""
    given = {"follower": name, "now": now, "rows": rows.encode([(topic,) for topic in wanted])}
    return [Behind(*row) for row in BEHIND_AMONG.rows(connection, **given)]


def set_back(tx: Transaction, name: str, seq: int, after: str, limit: int) -> str | None:
    """Set positions back to `seq`, but not behind the start: those of at most `limit` topics after `after`.

    Returns the last of these topics; None if there are no more.
    """
    own = follower_positions
    later = (own.c.follower == name, own.c.topic > after)
    found = tx.connection.scalars(select(own.c.topic).where(*later).order_by(own.c.topic).limit(limit)).all()
    if found:
        target = case((own.c.first > seq, own.c.first), else_=seq)
        values = {"seq": target, "attempts": 0, "next_attempt_at": None}
        tx.execute(update(own).where(*later, own.c.topic <= found[-1], own.c.seq > target).values(**values))
    return found[-1] if len(found) == limit else None


def retry_topics(tx: Transaction, name: str) -> None:
    """Let the topics of a follower that wait for another attempt be tried now."""
    own = follower_positions
    tx.execute(update(own).where(own.c.follower == name, own.c.next_attempt_at.is_not(None)).values(next_attempt_at=0))


def lag(connection: Connection, name: str, scope: str) -> Lag:
    """Return what a follower has not handled yet, also in topics that wait for another attempt."""
    own = follower_positions
    seq = func.coalesce(own.c.seq, 0)
    query = (
        select(topics.c.topic, topics.c.head, seq.label("seq"))
        .select_from(topics)
        .outerjoin(own, and_(own.c.follower == name, own.c.topic == topics.c.topic))
        .where(_covered(scope), topics.c.head > seq)
        .subquery()
    )
    count, entries = connection.execute(select(func.count(), func.sum(query.c.head - query.c.seq))).one()
    if not count:
        return Lag(0, 0, None)
    first = select(query.c.topic, query.c.seq).limit(LAG_TOPICS).subquery()
    oldest = select(log.entry_at(first.c.seq + 1, "at", first).label("at")).select_from(first).subquery()
    return Lag(count, int(entries), connection.scalar(select(func.min(oldest.c.at))))


# --- dead letters ----------------------------------------------------------------------------------------------------


def add_dead_letter(tx: Transaction, name: str, topic: str, seq: int, attempts: int, reason: str) -> None:
    remove_dead_letter(tx, name, topic, seq)
    row = {"follower": name, "topic": topic, "seq": seq, "at": tx.now, "attempts": attempts, "reason": reason}
    tx.execute(insert(dead_letters).values(**row, retry=False))


def with_retries(connection: Connection, names: Iterable[str]) -> set[str]:
    """Return those of the followers that have dead letters to handle again. One statement."""
    found = WITH_RETRIES.rows(connection, rows=rows.encode([(name,) for name in names]))
    return {row[0] for row in found}


def dead_letters_of(
    connection: Connection, name: str, after: tuple[str, int], limit: int, *, retried: bool = False
) -> list[StoredDeadLetter]:
    """Return dead letters in the order of (topic, seq); with `retried` those to handle again."""
    own = dead_letters
    topic, seq = after
    later = or_(own.c.topic > topic, and_(own.c.topic == topic, own.c.seq > seq))
    query = select(own.c.topic, own.c.seq, own.c.at, own.c.attempts, own.c.reason, own.c.retry)
    query = query.where(own.c.follower == name, later, *([own.c.retry.is_(True)] if retried else []))
    return [StoredDeadLetter(*row) for row in connection.execute(query.order_by(own.c.topic, own.c.seq).limit(limit))]


def count_dead_letters(connection: Connection, name: str) -> int:
    query = select(func.count()).select_from(dead_letters).where(dead_letters.c.follower == name)
    return connection.execute(query).scalar_one()


def retry_dead_letters(tx: Transaction, name: str) -> None:
    """Let all dead letters of a follower be handled again."""
    tx.execute(update(dead_letters).where(dead_letters.c.follower == name).values(retry=True))


def change_dead_letter(tx: Transaction, name: str, topic: str, seq: int, **values: Any) -> bool:
    """Return whether there is one."""
    return tx.execute(update(dead_letters).where(*_dead(name, topic, seq)).values(**values)).rowcount > 0


def has_dead_letter(connection: Connection, name: str, topic: str, seq: int) -> bool:
    return connection.scalar(select(dead_letters.c.seq).where(*_dead(name, topic, seq))) is not None


def forget_dead_letters(tx: Transaction, before: int, limit: int) -> int:
    """Delete old dead letters and return their number."""
    own = dead_letters
    old = select(own.c.follower, own.c.topic, own.c.seq).where(own.c.at < before).limit(limit)
    return tx.execute(delete(own).where(tuple_(own.c.follower, own.c.topic, own.c.seq).in_(old))).rowcount


def remove_dead_letter(tx: Transaction, name: str, topic: str, seq: int) -> bool:
    """Return whether there was one."""
    return tx.execute(delete(dead_letters).where(*_dead(name, topic, seq))).rowcount > 0


def _dead(name: str, topic: str, seq: int) -> tuple[ColumnElement[bool], ...]:
    return dead_letters.c.follower == name, dead_letters.c.topic == topic, dead_letters.c.seq == seq


# --- statements ------------------------------------------------------------------------------------------------------


def _covered(scope: str) -> ColumnElement[bool]:
    if is_prefix(scope):
        return func.substr(topics.c.topic, 1, len(scope)) == scope
    return topics.c.topic == scope


def _lock(dialect: Dialect) -> Executable:
    wanted = Rows(dialect, {"name": TEXT})
    names = select(wanted["name"]).select_from(wanted.source)
    return select(followers).where(followers.c.name.in_(names)).order_by(followers.c.name).with_for_update()


def _positions_at(dialect: Dialect) -> Executable:
    wanted = Rows(dialect, {"follower": TEXT, "topic": TEXT})
    own = follower_positions
    return (
        select(own.c.follower, own.c.topic, own.c.seq)
        .select_from(wanted.source)
        .join(own, and_(own.c.follower == wanted["follower"], own.c.topic == wanted["topic"]))
    )


def _add(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"follower": TEXT, "topic": TEXT, "seq": BIG, "first": BIG})
    rows_ = select(*given.columns(), literal(0).label("attempts")).select_from(given.source)
    return insert(follower_positions).from_select(["follower", "topic", "seq", "first", "attempts"], rows_)


def _move(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"follower": TEXT, "topic": TEXT, "seq": BIG})
    fresh = select(*given.columns()).select_from(given.source).subquery("fresh")
    own = follower_positions
    return (
        update(own)
        .values(seq=fresh.c.seq, attempts=0, next_attempt_at=null())
        .where(own.c.follower == fresh.c.follower, own.c.topic == fresh.c.topic)
    )


def _behind(*where: ColumnElement[bool]) -> Any:
    own = follower_positions
    seq = func.coalesce(own.c.seq, 0)
    due = or_(own.c.next_attempt_at.is_(None), own.c.next_attempt_at <= bindparam("now", type_=BIG))
    joined = and_(own.c.follower == bindparam("follower", type_=TEXT), own.c.topic == topics.c.topic)
    return (
        select(topics.c.topic, topics.c.head, topics.c.floor, seq, func.coalesce(own.c.attempts, 0))
        .select_from(topics)
        .outerjoin(own, joined)
        .where(*where, topics.c.head != seq, due)
    )


def _behind_after(scope: ColumnElement[bool]) -> Any:
    later = topics.c.topic > bindparam("after", type_=TEXT)
    return _behind(scope, later).order_by(topics.c.topic).limit(bindparam("limit", type_=BIG))


def _behind_among(dialect: Dialect) -> Executable:
    wanted = Rows(dialect, {"topic": TEXT})
    found: Executable = _behind(topics.c.topic.in_(select(wanted["topic"]).select_from(wanted.source)))
    return found


def _with_retries(dialect: Dialect) -> Executable:
    wanted = Rows(dialect, {"name": TEXT})
    names = select(wanted["name"]).select_from(wanted.source)
    own = dead_letters
    return select(own.c.follower).distinct().where(own.c.follower.in_(names), own.c.retry.is_(True))


SCOPE = bindparam("scope", type_=TEXT)
LOCK = Statement(_lock)
POSITIONS_AT = Statement(_positions_at)
ADD = Statement(_add)
MOVE = Statement(_move)
BEHIND_PREFIX = Statement(lambda _: _behind_after(func.substr(topics.c.topic, 1, func.length(SCOPE)) == SCOPE))
BEHIND_TOPIC = Statement(lambda _: _behind_after(topics.c.topic == SCOPE))
BEHIND_AMONG = Statement(_behind_among)
WITH_RETRIES = Statement(_with_retries)
