"""Reactions: whole runs of them in a constant number of statements, and those of a page of messages."""

from collections.abc import Iterable, Sequence
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
    or_,
    select,
    tuple_,
)

from hubbub.domain.model import Reaction, RoomRole
from hubbub.storage import rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, TEXT, Rows
from hubbub.storage.schema import members, messages, reactions, rooms, users
from hubbub.storage.transaction import Transaction

SHOWN = 20
"""So many of those who reacted are named in a page of messages."""


class ReactionRequest(NamedTuple):
    """An emoji of somebody at a message."""

    room: int
    message: int
    emoji: str
    user: int


class ReactionFacts(NamedTuple):
    """What stands about one reaction before it is decided."""

    disabled: bool = True
    role: RoomRole | None = None
    """None for those who are not in the room."""
    archived: bool = False
    seen: bool = False
    """Whether there is such a message, and the person may read it."""
    deleted: bool = False
    there: bool = False
    """Whether the reaction is stored already."""


class ReactionRow(NamedTuple):
    """Somebody's reaction, as lists of them give it."""

    emoji: str
    user: int
    name: str
    seq: int


def facts(tx: Transaction, asked: Sequence[ReactionRequest]) -> list[ReactionFacts]:
    """One statement for all."""
    found = [ReactionFacts()] * len(asked)
    numbered = [(index, *each) for index, each in enumerate(asked)]
    for index, disabled, role, archived, seen, deleted, there in FACTS.rows(tx.connection, rows=rows.encode(numbered)):
        found[index] = ReactionFacts(
            bool(disabled), None if role is None else RoomRole(role), bool(archived),
            seen is not None, deleted is not None, there is not None,
        )  # fmt: skip
    return found


def emoji_at(tx: Transaction, places: Iterable[tuple[int, int]]) -> dict[tuple[int, int], dict[str, int]]:
    """By (room, message), the different emoji there, and where each was first used; from one to the next, however many
    people used each."""
    found: dict[tuple[int, int], dict[str, int]] = {}
    for room, message, emoji, first_seq in EMOJI.rows(tx.connection, rows=rows.encode(sorted(set(places)))):
        found.setdefault((room, message), {})[emoji] = first_seq
    return found


def add_all(tx: Transaction, new: Sequence[tuple[int, int, str, int, int, int]]) -> None:
    """Stores (room, message, emoji, user, position in the room's log, that of the emoji's first use)."""
    tx.writes += 1
    INSERT.run(tx.connection, rows=rows.encode(new)).close()


def remove_all(tx: Transaction, gone: Sequence[ReactionRequest]) -> None:
    tx.writes += 1
    DELETE.run(tx.connection, rows=rows.encode([tuple(one) for one in gone])).close()


def delete_of(tx: Transaction, room: int, seq: int) -> None:
    """Forgets what hung on a message that is deleted."""
    tx.execute(delete(reactions).where(reactions.c.room == room, reactions.c.seq == seq))


def of(connection: Connection, room: int, seqs: Iterable[int], user: int) -> dict[int, list[Reaction]]:
    """By message, its reactions as `user` sees them; messages without any are left out. One statement."""
    wanted = [(seq,) for seq in seqs]
    if not wanted:
        return {}
    found: dict[int, dict[str, Reaction]] = {}
    for seq, emoji, who, count, mine in OF.rows(connection, room=room, user=user, rows=rows.encode(wanted)):
        kinds = found.setdefault(seq, {})
        known = kinds.get(emoji)
        if known is None:
            kinds[emoji] = Reaction(emoji=emoji, count=count, mine=bool(mine), by=[who])
        else:
            known.by.append(who)
    return {seq: list(kinds.values()) for seq, kinds in found.items()}


def listing(connection: Connection, room: int, seq: int, after: int, limit: int) -> list[ReactionRow]:
    """Who reacted to a message, in that order, after position `after` of the room's log."""
    query = (
        select(reactions.c.emoji, reactions.c.user, users.c.name, reactions.c.added_seq)
        .join_from(reactions, users, users.c.id == reactions.c.user)
        .where(reactions.c.room == room, reactions.c.seq == seq, reactions.c.added_seq > after)
        .order_by(reactions.c.added_seq)
        .limit(limit)
    )
    return [ReactionRow(*row) for row in connection.execute(query)]


def _facts(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"index": BIG, "room": BIG, "message": BIG, "emoji": TEXT, "user": BIG})
    asked = select(*given.columns()).select_from(given.source).subquery("asked")
    visible = and_(
        messages.c.room == asked.c.room,
        messages.c.seq == asked.c.message,
        or_(rooms.c.history == "all", messages.c.seq >= members.c.joined_seq),
    )
    stored = and_(
        reactions.c.room == asked.c.room, reactions.c.seq == asked.c.message,
        reactions.c.emoji == asked.c.emoji, reactions.c.user == asked.c.user,
    )  # fmt: skip
    return (
        select(
            asked.c.index, users.c.disabled, members.c.role, rooms.c.archived, messages.c.seq, messages.c.deleted_at,
            reactions.c.user,
        )
        .select_from(asked)
        .join(users, users.c.id == asked.c.user)
        .outerjoin(members, and_(members.c.room == asked.c.room, members.c.user == asked.c.user))
        .outerjoin(rooms, rooms.c.id == members.c.room)
        .outerjoin(messages, visible)
        .outerjoin(reactions, stored)
    )  # fmt: skip


def _emoji(dialect: Dialect) -> Executable:
    """From each emoji to the next greater one: an index holds them in order, so that crowds are jumped over."""
    given = Rows(dialect, {"room": BIG, "message": BIG})
    asked = select(*given.columns()).select_from(given.source).subquery("asked")
    here = and_(reactions.c.room == asked.c.room, reactions.c.seq == asked.c.message)
    first = select(func.min(reactions.c.emoji)).where(here).correlate(asked).scalar_subquery()
    walk = select(asked.c.room, asked.c.message, first.label("emoji")).cte("walk", recursive=True)
    there = and_(reactions.c.room == walk.c.room, reactions.c.seq == walk.c.message, reactions.c.emoji > walk.c.emoji)
    following = select(func.min(reactions.c.emoji)).where(there).correlate(walk).scalar_subquery()
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
    """The first of each emoji at each message; an emoji keeps its place while anybody has it."""
    wanted = Rows(dialect, {"seq": BIG})
    of_emoji = [reactions.c.seq, reactions.c.emoji]
    me = bindparam("user", type_=BigInteger)
    at: dict[str, Any] = {"partition_by": of_emoji}
    ranked = (
        select(
            reactions.c.seq, reactions.c.emoji, reactions.c.user, reactions.c.first_seq,
            func.count().over(**at).label("count"),
            func.max(case((reactions.c.user == me, 1), else_=0)).over(**at).label("mine"),
            func.row_number().over(**at, order_by=reactions.c.added_seq).label("place"),
        )
        .where(
            reactions.c.room == bindparam("room", type_=BigInteger),
            reactions.c.seq.in_(select(wanted["seq"]).select_from(wanted.source)),
        )
        .subquery("ranked")
    )  # fmt: skip
    return (
        select(ranked.c.seq, ranked.c.emoji, ranked.c.user, ranked.c.count, ranked.c.mine)
        .where(ranked.c.place <= SHOWN)
        .order_by(ranked.c.seq, ranked.c.first_seq, ranked.c.place)
    )


FACTS = Statement(_facts)
EMOJI = Statement(_emoji)
INSERT = Statement(_insert)
DELETE = Statement(_delete)
OF = Statement(_of)
