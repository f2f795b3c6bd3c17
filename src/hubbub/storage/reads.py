"""Read positions, many at a time in a constant number of statements."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Dialect, Executable, Text, and_, bindparam, cast, func, literal, select, update

from hubbub.domain.text import MENTIONS_COUNTED
from hubbub.storage import mentions, rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, Rows
from hubbub.storage.schema import members, messages, topics
from hubbub.storage.transaction import Transaction


class UnreadCount(NamedTuple):
    """The unread messages of a user in a room. Mentions are counted up to 100."""

    room: int
    messages: int
    mentions: int
    muted: bool


def unread(connection: Connection, user: int) -> list[UnreadCount]:
    """Return the rooms in which the user has unread messages. One statement."""
    return [
        UnreadCount(room, count, min(called, MENTIONS_COUNTED), bool(muted))
        for room, count, called, muted in UNREAD.rows(connection, user=user)
    ]


class ReadTarget(NamedTuple):
    """A new read position of a user in a room."""

    room: int
    user: int
    seq: int
    joined_seq: int


class ReadState(NamedTuple):
    """The read position of a member of a room."""

    read_seq: int
    joined_seq: int


def own(tx: Transaction, asked: Sequence[tuple[int, int]]) -> dict[tuple[int, int], ReadState]:
    """Return the read states by (room, user), of those that are members. One statement."""
    found = OWN.rows(tx.connection, rows=rows.encode(sorted(set(asked))))
    return {(room, user): ReadState(read, joined) for room, user, read, joined in found}


def standing(tx: Transaction, targets: Sequence[ReadTarget]) -> list[tuple[int, int]]:
    """Return the message number and the unread mentions at each target. One statement.

    The first is the number of the last message up to the target, 0 if there is none. The second is
    the number of the user's mentions after the target, counted up to 100.
    """
    found = [(0, 0)] * len(targets)
    numbered = [(index, *target) for index, target in enumerate(targets)]
    for index, n, count in STANDING.rows(tx.connection, rows=rows.encode(numbered)):
        found[index] = (n, min(count, MENTIONS_COUNTED))
    return found


def move(tx: Transaction, moved: Sequence[tuple[int, int, int, int]]) -> None:
    """Set read positions. One statement.

    Each is given as (room, user, seq, number of the last message up to seq).
    """
    tx.writes += 1
    MOVE.run(tx.connection, rows=rows.encode(moved)).close()


def number_of(connection: Connection, room: int, seq: int) -> int | None:
    """Return the number of the message at `seq`, None if there is no message at `seq`."""
    found: int | None = connection.scalar(select(messages.c.n).where(messages.c.room == room, messages.c.seq == seq))
    return found


def _unread(_: Dialect) -> Executable:
    topic = literal("room:", Text).concat(cast(members.c.room, Text))
    return (
        select(members.c.room, topics.c.n - members.c.read_n, mentions.counted(members), members.c.muted)
        .join_from(members, topics, topics.c.topic == topic)
        .where(members.c.user == bindparam("user", type_=BIG), topics.c.n > members.c.read_n)
        .order_by(members.c.room)
    )


def _own(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"room": BIG, "user": BIG})
    wanted = select(*given.columns()).select_from(given.source).subquery("wanted")
    joined = and_(members.c.room == wanted.c.room, members.c.user == wanted.c.user)
    return select(members.c.room, members.c.user, members.c.read_seq, members.c.joined_seq).join_from(
        wanted, members, joined
    )


def _standing(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"index": BIG, "room": BIG, "user": BIG, "read_seq": BIG, "joined_seq": BIG})
    target = select(*given.columns()).select_from(given.source).subquery("target")
    last = (
        select(messages.c.n)
        .where(messages.c.room == target.c.room, messages.c.seq <= target.c.read_seq)
        .order_by(messages.c.seq.desc())
        .limit(1)
        .correlate(target)
        .scalar_subquery()
    )
    return select(target.c.index, func.coalesce(last, 0), mentions.counted(target))


def _move(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"room": BIG, "user": BIG, "seq": BIG, "n": BIG})
    fresh = select(*given.columns()).select_from(given.source).subquery("fresh")
    return (
        update(members)
        .values(read_seq=fresh.c.seq, read_n=fresh.c.n)
        .where(members.c.room == fresh.c.room, members.c.user == fresh.c.user)
    )


UNREAD = Statement(_unread)
OWN = Statement(_own)
STANDING = Statement(_standing)
MOVE = Statement(_move)
