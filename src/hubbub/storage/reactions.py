"""Reactions: many at once in a constant number of statements, and those of a page."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    Dialect,
    Executable,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    tuple_,
)

from hubbub.storage import rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, TEXT, Rows
from hubbub.storage.schema import reactions, users
from hubbub.storage.transaction import Transaction

SHOWN = 20
"""The number of users who are named per emoji in a page of messages."""


class ReactionKey(NamedTuple):
    """A user's emoji on a message."""

    room: int
    message: int
    emoji: str
    user: int


class ReactionRow(NamedTuple):
    """A reaction in the list of who reacted to a message."""

    emoji: str
    by: int
    name: str
    seq: int


def existing(tx: Transaction, wanted: Collection[ReactionKey]) -> set[ReactionKey]:
    """Return those of the wanted reactions that are stored. One statement."""
    found = EXISTING.rows(tx.connection, rows=rows.encode([tuple(each) for each in set(wanted)]))
    return {ReactionKey(*row) for row in found}


def emoji_at(tx: Transaction, wanted: Iterable[tuple[int, int]]) -> dict[tuple[int, int], dict[str, int]]:
    """Return the different emoji on messages and the seq of their first use.

    The keys are (room, message). The cost does not depend on how many users have used each emoji.
    """
    found: dict[tuple[int, int], dict[str, int]] = {}
    for room, message, emoji, first_seq in EMOJI.rows(tx.connection, rows=rows.encode(sorted(set(wanted)))):
        found.setdefault((room, message), {})[emoji] = first_seq
    return found


def add_all(tx: Transaction, new: Sequence[tuple[int, int, str, int, int, int]]) -> None:
    """Store reactions.

    Each is (room, message, emoji, user, seq in the room's log, seq of the emoji's first use).
    """
    tx.writes += 1
    INSERT.run(tx.connection, rows=rows.encode(new)).close()


def remove_all(tx: Transaction, gone: Sequence[ReactionKey]) -> None:
    tx.writes += 1
    DELETE.run(tx.connection, rows=rows.encode([tuple(each) for each in gone])).close()


def of(connection: Connection, room: int, seqs: Iterable[int], user: int) -> dict[int, list[dict[str, Any]]]:
    """Return the reactions to messages as `user` sees them, by message. One statement.

    They are `domain.model.Reaction` as clients receive them. Messages without reactions are left
    out.
    """
    wanted = [(seq,) for seq in seqs]
    if not wanted:
        return {}
    found: dict[int, dict[str, dict[str, Any]]] = {}
    for seq, emoji, by, count, mine in OF.rows(connection, room=room, user=user, rows=rows.encode(wanted)):
        kinds = found.setdefault(seq, {})
        known = kinds.get(emoji)
        if known is None:
            kinds[emoji] = {"emoji": emoji, "count": count, "mine": bool(mine), "users": [by]}
        else:
            known["users"].append(by)
    return {seq: list(kinds.values()) for seq, kinds in found.items()}


def of_many(
    connection: Connection, wanted: Collection[tuple[int, int]], user: int
) -> dict[tuple[int, int], list[dict[str, Any]]]:
    """Return the reactions to messages of several rooms as `user` sees them, by (room, seq). One statement."""
    found: dict[tuple[int, int], dict[str, dict[str, Any]]] = {}
    for room, seq, emoji, by, count, mine in OF_MANY.rows(connection, user=user, rows=rows.encode(list(wanted))):
        kinds = found.setdefault((room, seq), {})
        known = kinds.get(emoji)
        if known is None:
            kinds[emoji] = {"emoji": emoji, "count": count, "mine": bool(mine), "users": [by]}
        else:
            known["users"].append(by)
    return {key: list(kinds.values()) for key, kinds in found.items()}


def listing(connection: Connection, room: int, seq: int, after: int, limit: int) -> list[ReactionRow]:
    """Return the reactions to a message after the seq `after` of the log, ascending."""
    query = (
        select(reactions.c.emoji, reactions.c.user, users.c.name, reactions.c.added_seq)
        .join_from(reactions, users, users.c.id == reactions.c.user)
        .where(reactions.c.room == room, reactions.c.seq == seq, reactions.c.added_seq > after)
        .order_by(reactions.c.added_seq)
        .limit(limit)
    )
    return [ReactionRow(*row) for row in connection.execute(query)]


def _existing(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"room": BIG, "seq": BIG, "emoji": TEXT, "user": BIG})
    wanted = select(*given.columns()).select_from(given.source).subquery("wanted")
    columns = [reactions.c.room, reactions.c.seq, reactions.c.emoji, reactions.c.user]
    same = and_(*(column == wanted.c[column.name] for column in columns))
    return select(*columns).join_from(wanted, reactions, same)


def _emoji(dialect: Dialect) -> Executable:
    """Walk from each emoji to the next greater one.

    An index has them in order, so that the walk skips the many users of one emoji.
    """
    given = Rows(dialect, {"room": BIG, "message": BIG})
    wanted = select(*given.columns()).select_from(given.source).subquery("wanted")
    of_message = and_(reactions.c.room == wanted.c.room, reactions.c.seq == wanted.c.message)
    first = select(func.min(reactions.c.emoji)).where(of_message).correlate(wanted).scalar_subquery()
    walk = select(wanted.c.room, wanted.c.message, first.label("emoji")).cte("walk", recursive=True)
    greater = and_(reactions.c.room == walk.c.room, reactions.c.seq == walk.c.message, reactions.c.emoji > walk.c.emoji)
    following = select(func.min(reactions.c.emoji)).where(greater).correlate(walk).scalar_subquery()
    walk = walk.union_all(select(walk.c.room, walk.c.message, following).where(walk.c.emoji.is_not(None)))
    any_row = and_(
        reactions.c.room == walk.c.room, reactions.c.seq == walk.c.message, reactions.c.emoji == walk.c.emoji
    )
    since = select(reactions.c.first_seq).where(any_row).limit(1).correlate(walk).scalar_subquery()
    return select(walk.c.room, walk.c.message, walk.c.emoji, since).where(walk.c.emoji.is_not(None))


def _insert(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"room": BIG, "seq": BIG, "emoji": TEXT, "user": BIG, "added_seq": BIG, "first_seq": BIG})
    names = ["room", "seq", "emoji", "user", "added_seq", "first_seq"]
    return insert(reactions).from_select(names, select(*given.columns()).select_from(given.source))


def _delete(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"room": BIG, "seq": BIG, "emoji": TEXT, "user": BIG})
    key = tuple_(reactions.c.room, reactions.c.seq, reactions.c.emoji, reactions.c.user)
    return delete(reactions).where(key.in_(select(*given.columns()).select_from(given.source)))


def _of(dialect: Dialect) -> Executable:
    """Select the first SHOWN users of each emoji on each message.

    An emoji keeps its position as long as at least one user has it.
    """
    wanted = Rows(dialect, {"seq": BIG})
    of_emoji = [reactions.c.seq, reactions.c.emoji]
    me = bindparam("user", type_=BigInteger)
    at: dict[str, Any] = {"partition_by": of_emoji}
    ranked = (
        select(
            reactions.c.seq, reactions.c.emoji, reactions.c.user, reactions.c.first_seq,
            func.count().over(**at).label("count"),
            func.max(case((reactions.c.user == me, 1), else_=0)).over(**at).label("mine"),
            func.row_number().over(**at, order_by=reactions.c.added_seq).label("rank"),
        )
        .where(
            reactions.c.room == bindparam("room", type_=BigInteger),
            reactions.c.seq.in_(select(wanted["seq"]).select_from(wanted.source)),
        )
        .subquery("ranked")
    )  # fmt: skip
    return (
        select(ranked.c.seq, ranked.c.emoji, ranked.c.user, ranked.c.count, ranked.c.mine)
        .where(ranked.c.rank <= SHOWN)
        .order_by(ranked.c.seq, ranked.c.first_seq, ranked.c.rank)
    )


def _of_many(dialect: Dialect) -> Executable:
    """Like `_of`, for messages of several rooms."""
    given = Rows(dialect, {"room": BIG, "seq": BIG})
    wanted = select(*given.columns()).select_from(given.source).subquery("wanted")
    here = and_(reactions.c.room == wanted.c.room, reactions.c.seq == wanted.c.seq)
    me = bindparam("user", type_=BigInteger)
    at: dict[str, Any] = {"partition_by": [reactions.c.room, reactions.c.seq, reactions.c.emoji]}
    ranked = (
        select(
            reactions.c.room, reactions.c.seq, reactions.c.emoji, reactions.c.user, reactions.c.first_seq,
            func.count().over(**at).label("count"),
            func.max(case((reactions.c.user == me, 1), else_=0)).over(**at).label("mine"),
            func.row_number().over(**at, order_by=reactions.c.added_seq).label("rank"),
        )
        .join_from(wanted, reactions, here)
        .subquery("ranked")
    )  # fmt: skip
    return (
        select(ranked.c.room, ranked.c.seq, ranked.c.emoji, ranked.c.user, ranked.c.count, ranked.c.mine)
        .where(ranked.c.rank <= SHOWN)
        .order_by(ranked.c.room, ranked.c.seq, ranked.c.first_seq, ranked.c.rank)
    )


EXISTING = Statement(_existing)
EMOJI = Statement(_emoji)
INSERT = Statement(_insert)
DELETE = Statement(_delete)
OF = Statement(_of)
OF_MANY = Statement(_of_many)
