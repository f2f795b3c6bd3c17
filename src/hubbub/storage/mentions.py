"""Mentions: finding the members that texts name, storing mentions and counting them.

There is one row per user who is mentioned by name or was online for `@here`. A message that
mentions the whole room has one row for user 0 instead and no others, so that no user is counted
twice. A message never has a row for its author.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Dialect,
    Executable,
    FromClause,
    ScalarSelect,
    and_,
    delete,
    func,
    insert,
    literal_column,
    select,
    tuple_,
)

from hubbub.domain.model import Mentions
from hubbub.domain.text import MENTIONS_COUNTED
from hubbub.storage import rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, TEXT, Rows
from hubbub.storage.schema import members, mentions, rooms, users
from hubbub.storage.transaction import Transaction

WHOLE_ROOM = 0


class MessagePlace(NamedTuple):
    """The room, the seq and the author of a message."""

    room: int
    seq: int
    author: int


class NamedMember(NamedTuple):
    """A member of a room whose name a text mentions, and the author of that text."""

    text: int
    skeleton: str
    user: int | None
    """The member. None if no member has the name."""
    role: str | None
    """The author's role in the room. None if the author is not a member."""
    kind: str
    members: int


def named_members(tx: Transaction, wanted: Sequence[tuple[int, int, int, str]]) -> list[NamedMember]:
    """Return the members for each (text, room, author, skeleton of a name). One statement.

    An empty skeleton asks for the author's role alone.
    """
    return [NamedMember(*row) for row in FIND.rows(tx.connection, rows=rows.encode(wanted))]


def members_among(tx: Transaction, wanted: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Return those of the wanted (room, user) that are members. One statement."""
    return set(MEMBERS_AMONG.rows(tx.connection, rows=rows.encode(sorted(wanted))))


def store_all(tx: Transaction, new: Sequence[tuple[MessagePlace, Mentions]]) -> None:
    """Store the mentions of new messages. One statement, or none."""
    found = [(user, *place) for place, after in new for user in _rows_of(after) if user != place.author]
    if found:
        tx.writes += 1
        INSERT.run(tx.connection, rows=rows.encode(found)).close()


def replace(tx: Transaction, place: MessagePlace, before: Mentions | None, after: Mentions | None) -> None:
    """Replace the mentions of an edited message."""
    if before == after:
        return
    delete_of(tx, place.room, place.seq, before)
    if after is not None:
        store_all(tx, [(place, after)])


def delete_of(tx: Transaction, room: int, seq: int, before: Mentions | None) -> None:
    """Delete the mentions of a message."""
    if before is not None:
        tx.writes += 1
        gone = [(user, room, seq) for user in _rows_of(before)]
        DELETE.run(tx.connection, rows=rows.encode(gone)).close()


def forget(tx: Transaction, room: int, user: int) -> None:
    """Delete the mentions of a user in a room that they leave."""
    tx.execute(delete(mentions).where(mentions.c.user == user, mentions.c.room == room))


def counted(member: FromClause) -> ColumnElement[int]:
    """Return an expression that counts a member's unread mentions.

    `member` has the columns room, user, read_seq and joined_seq. Counted are mentions of the user
    and mentions of the whole room by other users, up to 100 of each kind, if they are newer than
    the read position and the join.
    """
    of, most = member.c, MENTIONS_COUNTED
    one = literal_column("1", BIG).label("one")
    own = (
        select(one)
        .where(
            mentions.c.user == of.user,
            mentions.c.room == of.room,
            mentions.c.seq > of.read_seq,
            mentions.c.seq > of.joined_seq,
        )
        .limit(most)
        .correlate(member)
        .subquery("own")
    )
    common = (
        select(one)
        .where(
            mentions.c.user == WHOLE_ROOM,
            mentions.c.room == of.room,
            mentions.c.seq > of.read_seq,
            mentions.c.seq > of.joined_seq,
            mentions.c.author != of.user,
        )
        .limit(most)
        .correlate(member)
        .subquery("common")
    )
    return _count(own) + _count(common)


def _count(found: FromClause) -> ScalarSelect[int]:
    return select(func.count()).select_from(found).scalar_subquery()


def _rows_of(found: Mentions) -> list[int]:
    return [WHOLE_ROOM] if found.room else sorted(set(found.users))


def _find(dialect: Dialect) -> Executable:
    """Select members by name.

    A row with an empty name only selects the author's role in the room.
    """
    given = Rows(dialect, {"text": BIG, "room": BIG, "author": BIG, "skeleton": TEXT})
    wanted = select(*given.columns()).select_from(given.source).subquery("wanted")
    author = members.alias("author")
    return (
        select(wanted.c.text, wanted.c.skeleton, members.c.user, author.c.role, rooms.c.kind, rooms.c.members)
        .select_from(wanted)
        .join(rooms, rooms.c.id == wanted.c.room)
        .outerjoin(author, and_(author.c.room == wanted.c.room, author.c.user == wanted.c.author))
        .outerjoin(users, users.c.skeleton == wanted.c.skeleton)
        .outerjoin(members, and_(members.c.room == wanted.c.room, members.c.user == users.c.id))
    )


def _members_among(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"room": BIG, "user": BIG})
    wanted = select(*given.columns()).select_from(given.source).subquery("wanted")
    joined = and_(members.c.room == wanted.c.room, members.c.user == wanted.c.user)
    return select(members.c.room, members.c.user).join_from(wanted, members, joined)


def _insert(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"user": BIG, "room": BIG, "seq": BIG, "author": BIG})
    names = ["user", "room", "seq", "author"]
    return insert(mentions).from_select(names, select(*given.columns()).select_from(given.source))


def _delete(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"user": BIG, "room": BIG, "seq": BIG})
    key = tuple_(mentions.c.user, mentions.c.room, mentions.c.seq)
    return delete(mentions).where(key.in_(select(*given.columns()).select_from(given.source)))


FIND = Statement(_find)
MEMBERS_AMONG = Statement(_members_among)
INSERT = Statement(_insert)
DELETE = Statement(_delete)
