"""Mentions: whom a run of texts calls, found by one statement; rows to count by; and the count itself.

A row for each person who is called by name or was there for `@here`; one row of user 0 where everybody in the room is
called, and then no others, so that nobody is counted twice. One's own message never has a row for oneself.
"""

from collections.abc import Mapping, Sequence
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

from hubbub.domain import rules
from hubbub.domain.mentions import NO_NAMES, MentionedNames, candidates
from hubbub.domain.mentions import find as mentions_in
from hubbub.domain.model import Actor, Mentions, RoomRole
from hubbub.domain.names import skeleton
from hubbub.domain.text import MENTIONS_COUNTED
from hubbub.storage import rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, TEXT, Rows
from hubbub.storage.schema import members, mentions, rooms, users
from hubbub.storage.transaction import Transaction

WHOLE_ROOM = 0
NO_MENTIONS = Mentions()
MAX_HERE = 500
"""Where more people are connected, `@here` calls the whole room: an event does not list them all."""


class MessageText(NamedTuple):
    """Words in a room. `here` are the ids of those who are connected; `before` is whom an edited message called so far,
    `was` what it said.
    """

    room: int
    actor: Actor
    body: str
    here: Sequence[int] = ()
    before: Mentions | None = None
    previous_body: str = ""

    def group_mentions(self, words: MentionedNames, former: MentionedNames, *, may: bool) -> "GroupMentions":
        """Whom its words, and what they were, call beside the names. `may` its author call everybody now?

        What an edited message called so stays called, whatever he may, and calls nobody else.
        """
        before = self.before or NO_MENTIONS
        room = words.room and (may or (before.room and former.room))
        if not words.here or not (may or before.here):
            return GroupMentions(False, room, ())
        if before.here and before.room and not former.room:  # More were there than are listed.
            return GroupMentions(True, True, ())
        if before.here and (words.room or not before.room):
            return GroupMentions(True, room, before.users)
        return GroupMentions(True, True, ()) if len(self.here) > MAX_HERE else GroupMentions(True, room, self.here)


class GroupMentions(NamedTuple):
    """Whether a text says `@here` and `@room` so that it counts, and who is called by the first."""

    here: bool
    room: bool
    there: Sequence[int]


class MessagePlace(NamedTuple):
    """Where a message stands, and whose it is."""

    room: int
    seq: int
    author: int


class _Candidates(NamedTuple):
    """Members by (text, skeleton of their name); by text whether its author may call everybody; members who are there,
    by (room, id)."""

    users: dict[tuple[int, str], int]
    loud: dict[int, bool]
    there: set[tuple[int, int]]

    def named(self, index: int, words: MentionedNames) -> list[int]:
        """The ids of those whom the words of a text name, each once."""
        users: dict[int, None] = {}
        for run in words.names:
            keys = ((index, skeleton(name)) for name in candidates(run))
            who = next((self.users[key] for key in keys if key in self.users), None)
            if who is not None:
                users[who] = None
        return list(users)


def resolve(tx: Transaction, said: Mapping[int, MessageText]) -> dict[int, Mentions]:
    """Whom each of some texts calls; those that call nobody are left out. One statement, one more where one of them
    says `@here`, none if no text asks."""
    called = {index: words for index, text in said.items() if (words := mentions_in(text.body)) != NO_NAMES}
    if not called:
        return {}
    former = {index: mentions_in(said[index].previous_body) for index in called}
    asked = [
        (index, said[index].room, said[index].actor.id, name)
        for index, words in called.items()
        for name in ["", *_skeletons(words, former[index])]
    ]
    found = _Candidates({}, {}, set())
    for index, name, user, role, kind, count in FIND.rows(tx.connection, rows=rows.encode(asked)):
        if user is not None:
            found.users[index, name] = user
        role_there = None if role is None else RoomRole(role)
        found.loud[index] = rules.may_mention_room(said[index].actor, role_there, kind, count)
    loud = {
        index: said[index].group_mentions(words, former[index], may=found.loud.get(index, False))
        for index, words in called.items()
    }
    there = {(said[index].room, user) for index in called for user in loud[index].there}
    if there:
        found.there.update(THERE.rows(tx.connection, rows=rows.encode(sorted(there))))
    resolved = {
        index: _mentions(said[index], found.named(index, words), found.named(index, former[index]), loud[index], found)
        for index, words in called.items()
    }
    return {index: mentions for index, mentions in resolved.items() if mentions is not None}


def store_all(tx: Transaction, new: Sequence[tuple[MessagePlace, Mentions]]) -> None:
    """Keeps whom messages call. One statement, or none."""
    found = [(user, *place) for place, called in new for user in _rows_of(called) if user != place.author]
    if found:
        tx.writes += 1
        INSERT.run(tx.connection, rows=rows.encode(found)).close()


def replace(tx: Transaction, place: MessagePlace, before: Mentions | None, after: Mentions | None) -> None:
    """Keeps whom a message calls now that it says something else."""
    if before == after:
        return
    delete_of(tx, place.room, place.seq, before)
    if after is not None:
        store_all(tx, [(place, after)])


def delete_of(tx: Transaction, room: int, seq: int, called: Mentions | None) -> None:
    """Forgets whom a message called."""
    if called is not None:
        tx.writes += 1
        gone = [(user, room, seq) for user in _rows_of(called)]
        DELETE.run(tx.connection, rows=rows.encode(gone)).close()


def forget(tx: Transaction, room: int, user: int) -> None:
    """Forgets what called somebody in a room he is no longer in."""
    tx.execute(delete(mentions).where(mentions.c.user == user, mentions.c.room == room))


def counted(person: FromClause) -> ColumnElement[int]:
    """How many messages of a room call somebody since he read it, up to 100, by the columns room, user, read_seq and
    joined_seq of `person`: those to him, and those to everybody that are not his own nor from before he was there."""
    of, most = person.c, MENTIONS_COUNTED
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
        .correlate(person)
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
        .correlate(person)
        .subquery("common")
    )
    return _count(own) + _count(common)


def _count(found: FromClause) -> ScalarSelect[int]:
    return select(func.count()).select_from(found).scalar_subquery()


def _skeletons(*said: MentionedNames) -> list[str]:
    return list(dict.fromkeys(skeleton(name) for words in said for run in words.names for name in candidates(run)))


def _mentions(
    text: MessageText, named: list[int], former: list[int], loud: GroupMentions, found: _Candidates
) -> Mentions | None:
    """`named` are those whom its words name, `former` those whom they named before."""
    out = {text.actor.id, *former}
    there = (user for user in loud.there if user not in out and (text.room, user) in found.there)
    users = list(dict.fromkeys([*named, *there]))
    if not users and not loud.room and not loud.here:
        return None
    return Mentions(users=users, room=loud.room, here=loud.here)


def _rows_of(called: Mentions) -> list[int]:
    return [WHOLE_ROOM] if called.room else sorted(set(called.users))


def _find(dialect: Dialect) -> Executable:
    """A name is nobody's where it is empty: that row only asks what the author is in the room."""
    given = Rows(dialect, {"text": BIG, "room": BIG, "author": BIG, "skeleton": TEXT})
    asked = select(*given.columns()).select_from(given.source).subquery("asked")
    author = members.alias("author")
    return (
        select(asked.c.text, asked.c.skeleton, members.c.user, author.c.role, rooms.c.kind, rooms.c.members)
        .select_from(asked)
        .join(rooms, rooms.c.id == asked.c.room)
        .outerjoin(author, and_(author.c.room == asked.c.room, author.c.user == asked.c.author))
        .outerjoin(users, users.c.skeleton == asked.c.skeleton)
        .outerjoin(members, and_(members.c.room == asked.c.room, members.c.user == users.c.id))
    )


def _there(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"room": BIG, "user": BIG})
    asked = select(*given.columns()).select_from(given.source).subquery("asked")
    joined = and_(members.c.room == asked.c.room, members.c.user == asked.c.user)
    return select(members.c.room, members.c.user).join_from(asked, members, joined)


def _insert(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"user": BIG, "room": BIG, "seq": BIG, "author": BIG})
    names = ["user", "room", "seq", "author"]
    return insert(mentions).from_select(names, select(*given.columns()).select_from(given.source))


def _delete(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"user": BIG, "room": BIG, "seq": BIG})
    key = tuple_(mentions.c.user, mentions.c.room, mentions.c.seq)
    return delete(mentions).where(key.in_(select(*given.columns()).select_from(given.source)))


FIND = Statement(_find)
THERE = Statement(_there)
INSERT = Statement(_insert)
DELETE = Statement(_delete)
