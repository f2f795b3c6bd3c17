"""Mentions: resolving them in many texts at once, storing and counting them.

There is one row per user who is mentioned by name or was online for `@here`. A message that
mentions the whole room has one row for user 0 instead and no others, so that no user is counted
twice. A message never has a row for its author.
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
"""If more users are online, `@here` mentions the whole room: an event does not list them all."""


class MessageText(NamedTuple):
    """A text whose mentions are to be resolved.

    `here` are the ids of the online members. For an edit, `before` are the mentions of the previous
    version and `previous_body` is its text.
    """

    room: int
    actor: Actor
    body: str
    here: Sequence[int] = ()
    before: Mentions | None = None
    previous_body: str = ""

    def group_mentions(self, words: MentionedNames, former: MentionedNames, *, may: bool) -> "GroupMentions":
        """Return the mentions of `@here` and `@room` in the text.

        `words` are the mentions in the text, `former` those in the previous version. `may` tells
        whether the author may now mention the whole room. An edit keeps the group mentions of the
        previous version, whether the author may use them now or not, and does not extend them to
        other users.
        """
        before = self.before or NO_MENTIONS
        room = words.room and (may or (before.room and former.room))
        if not words.here or not (may or before.here):
            return GroupMentions(False, room, ())
        if before.here and before.room and not former.room:  # more users were online than are listed
            return GroupMentions(True, True, ())
        if before.here and (words.room or not before.room):
            return GroupMentions(True, room, before.users)
        return GroupMentions(True, True, ()) if len(self.here) > MAX_HERE else GroupMentions(True, room, self.here)


class GroupMentions(NamedTuple):
    """The effective `@here` and `@room` of a text.

    `online` are the users that `@here` mentions.
    """

    here: bool
    room: bool
    online: Sequence[int]


class MessagePlace(NamedTuple):
    """The room, the seq and the author of a message."""

    room: int
    seq: int
    author: int


class _Candidates(NamedTuple):
    """What the store knows about the texts that are resolved."""

    users: dict[tuple[int, str], int]
    """Members by (text, skeleton of the name)."""
    may_mention_room: dict[int, bool]
    """By text, whether its author may mention the whole room."""
    online: set[tuple[int, int]]
    """Online members, as (room, user)."""

    def named(self, index: int, words: MentionedNames) -> list[int]:
        """Return the ids of the users that a text mentions by name, each once."""
        users: dict[int, None] = {}
        for run in words.names:
            keys = ((index, skeleton(name)) for name in candidates(run))
            user = next((self.users[key] for key in keys if key in self.users), None)
            if user is not None:
                users[user] = None
        return list(users)


def resolve(tx: Transaction, texts: Mapping[int, MessageText]) -> dict[int, Mentions]:
    """Return the mentions of each text. Texts without mentions are left out.

    Takes one statement, another one if a text contains `@here`, none if no text contains a mention.
    """
    mentioned = {index: words for index, text in texts.items() if (words := mentions_in(text.body)) != NO_NAMES}
    if not mentioned:
        return {}
    former = {index: mentions_in(texts[index].previous_body) for index in mentioned}
    wanted = [
        (index, texts[index].room, texts[index].actor.id, name)
        for index, words in mentioned.items()
        for name in ["", *_skeletons(words, former[index])]
    ]
    found = _Candidates({}, {}, set())
    for index, name, user, role, kind, count in FIND.rows(tx.connection, rows=rows.encode(wanted)):
        if user is not None:
            found.users[index, name] = user
        author_role = None if role is None else RoomRole(role)
        found.may_mention_room[index] = rules.may_mention_room(texts[index].actor, author_role, kind, count)
    groups = {
        index: texts[index].group_mentions(words, former[index], may=found.may_mention_room.get(index, False))
        for index, words in mentioned.items()
    }
    online = {(texts[index].room, user) for index in mentioned for user in groups[index].online}
    if online:
        found.online.update(MEMBERS_AMONG.rows(tx.connection, rows=rows.encode(sorted(online))))
    resolved = {
        index: _mentions(
            texts[index], found.named(index, words), found.named(index, former[index]), groups[index], found
        )
        for index, words in mentioned.items()
    }
    return {index: mentions for index, mentions in resolved.items() if mentions is not None}


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


def _skeletons(*mentioned: MentionedNames) -> list[str]:
    return list(dict.fromkeys(skeleton(name) for words in mentioned for run in words.names for name in candidates(run)))


def _mentions(
    text: MessageText, named: list[int], former: list[int], group: GroupMentions, found: _Candidates
) -> Mentions | None:
    """Return the mentions of a text, None if there are none.

    `named` are the users that it mentions by name, `former` those that its previous version
    mentioned by name.
    """
    excluded = {text.actor.id, *former}
    online = (user for user in group.online if user not in excluded and (text.room, user) in found.online)
    users = list(dict.fromkeys([*named, *online]))
    if not users and not group.room and not group.here:
        return None
    return Mentions(users=users, room=group.room, here=group.here)


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
