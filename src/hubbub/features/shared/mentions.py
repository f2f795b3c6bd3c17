"""Which users and groups the texts of messages mention."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hubbub.domain import rules
from hubbub.domain.mentions import NO_NAMES, MentionedNames, candidates
from hubbub.domain.mentions import find as mentions_in
from hubbub.domain.model import Actor, Mentions, RoomRole
from hubbub.domain.names import skeleton
from hubbub.domain.text import MAX_HERE
from hubbub.storage import members, mentions
from hubbub.storage.transaction import Transaction

NO_MENTIONS = Mentions()


class MessageText(NamedTuple):
    """A text whose mentions are to be resolved.

    `here` are the ids of the online members of this node, `elsewhere` of users who are online on
    other nodes. For an edit, `before` are the mentions of the previous version and `previous_body`
    is its text.
    """

    room: int
    actor: Actor
    body: str
    here: Sequence[int] = ()
    before: Mentions | None = None
    previous_body: str = ""
    elsewhere: Sequence[int] = ()

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
    The members who are online on other nodes take some more.
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
    for index, name, user, role, kind, count in mentions.named_members(tx, wanted):
        if user is not None:
            found.users[index, name] = user
        author_role = None if role is None else RoomRole(role)
        found.may_mention_room[index] = rules.may_mention_room(texts[index].actor, author_role, kind, count)
        if texts[index].elsewhere and mentioned[index].here and found.may_mention_room[index]:
            texts = {**texts, index: _with_elsewhere(tx, texts[index], count)}
    groups = {
        index: texts[index].group_mentions(words, former[index], may=found.may_mention_room.get(index, False))
        for index, words in mentioned.items()
    }
    online = {(texts[index].room, user) for index in mentioned for user in groups[index].online}
    if online:
        found.online.update(mentions.members_among(tx, online))
    resolved = {
        index: _mentions(
            texts[index], found.named(index, words), found.named(index, former[index]), groups[index], found
        )
        for index, words in mentioned.items()
    }
    return {index: found for index, found in resolved.items() if found is not None}


def _with_elsewhere(tx: Transaction, text: MessageText, size: int) -> MessageText:
    """Add the members who are online on other nodes to `here`. `size` is how many members the room has."""
    most = MAX_HERE + 1 - len(text.here)
    found = members.some_among(tx.connection, text.room, text.elsewhere, size, most) if most > 0 else []
    return text._replace(here=(*text.here, *found), elsewhere=())


def with_author(found: Mentions | None, author: int | None, actor: Actor) -> Mentions | None:
    """Return the mentions of a reply by `actor`, with the author of the message it answers.

    `author` is None if they are not a member. Users do not mention themselves by replying.
    """
    if author is None or author == actor.id or (found is not None and author in found.users):
        return found
    if found is None:
        return Mentions(users=[author])
    return found.model_copy(update={"users": [*found.users, author]})


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
