"""What is stored about the actors and the objects of commands, before the commands are decided."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Dialect, Executable, and_, select
from sqlalchemy.sql import ColumnElement

from hubbub.domain.model import Membership, RoomRole
from hubbub.storage import rows
from hubbub.storage.database import Statement
from hubbub.storage.messages import StoredMessage
from hubbub.storage.rows import BIG, TEXT, Rows
from hubbub.storage.schema import members, messages, rooms, users
from hubbub.storage.transaction import Transaction

PostedMessage = tuple[int | None, int]
"""The digest and the seq of a message. A deleted message has no digest."""


class RoomFacts(NamedTuple):
    """What is stored about a command in a room."""

    open: bool
    """Whether the actor's account exists and is not disabled."""
    own: Membership | None
    """The actor's membership of the room."""
    message: StoredMessage | None = None
    """The message that the command is about, whether the actor may read it or not."""
    posted: PostedMessage | None = None
    """The message that the actor has posted with the command's key."""


ROLES = {role.value: role for role in RoomRole}
MEMBERSHIP = 8
"""The number of columns of a membership."""


def of_rooms(tx: Transaction, asked: Sequence[tuple[int, int]]) -> list[RoomFacts]:
    """Return the facts for each (room, user). One statement."""
    found: list[Any] = [None] * len(asked)
    numbered = [(index, *each) for index, each in enumerate(asked)]
    for index, disabled, *own in ROOMS.rows(tx.connection, rows=rows.encode(numbered)):
        found[index] = RoomFacts(disabled == 0, _membership(tuple(own)))
    return found


def of_messages(tx: Transaction, asked: Sequence[tuple[int, int, int]]) -> list[RoomFacts]:
    """Return the facts for each (room, user, seq of a message). One statement."""
    found: list[Any] = [None] * len(asked)
    numbered = [(index, *each) for index, each in enumerate(asked)]
    for row in MESSAGES.rows(tx.connection, rows=rows.encode(numbered)):
        own, message = row[2 : 2 + MEMBERSHIP], row[2 + MEMBERSHIP :]
        stored = None if message[0] is None else StoredMessage(*message)
        found[row[0]] = RoomFacts(row[1] == 0, _membership(own), stored)
    return found


def of_posts(tx: Transaction, asked: Sequence[tuple[int, int, str]]) -> list[RoomFacts]:
    """Return the facts for each (room, user, key).

    Two statements. A run has many messages of few users, and few messages that were posted before.
    """
    pairs = list(dict.fromkeys(each[:2] for each in asked))
    known = dict(zip(pairs, of_rooms(tx, pairs), strict=True))
    found = [known[each[:2]] for each in asked]
    numbered = [(index, *each) for index, each in enumerate(asked)]
    for index, digest, seq in POSTED.rows(tx.connection, rows=rows.encode(numbered)):
        found[index] = found[index]._replace(posted=(digest, seq))
    return found


def _membership(row: tuple[Any, ...]) -> Membership | None:
    role = row[0]
    if role is None:
        return None
    _, joined_seq, read_seq, read_n, kind, history, archived, members_ = row
    return Membership(ROLES[role], joined_seq, read_seq, read_n, kind, history, archived != 0, members_)


def _statement(dialect: Dialect, *, message: bool) -> Executable:
    """Select the facts of rooms, and those of a message in each."""
    columns_given = {"index": BIG, "room": BIG, "user": BIG, **({"message": BIG} if message else {})}
    given = Rows(dialect, columns_given)
    wanted = select(*given.columns()).select_from(given.source).subquery("wanted")
    columns: list[ColumnElement[Any]] = [
        users.c.disabled, members.c.role, members.c.joined_seq, members.c.read_seq, members.c.read_n,
        rooms.c.kind, rooms.c.history, rooms.c.archived, rooms.c.members,
    ]  # fmt: skip
    source = (
        wanted.outerjoin(members, and_(members.c.room == wanted.c.room, members.c.user == wanted.c.user))
        .outerjoin(rooms, rooms.c.id == wanted.c.room)
        .outerjoin(users, users.c.id == wanted.c.user)
    )
    if message:
        author = users.alias("author")
        of_room = and_(messages.c.room == wanted.c.room, messages.c.seq == wanted.c.message)
        source = source.outerjoin(messages, of_room).outerjoin(author, author.c.id == messages.c.author)
        columns += [author.c.name if name == "name" else messages.c[name] for name in StoredMessage._fields]
    return select(wanted.c.index, *columns).select_from(source)


def _posted(dialect: Dialect) -> Executable:
    """Select the messages that were posted with given keys."""
    given = Rows(dialect, {"index": BIG, "room": BIG, "user": BIG, "key": TEXT})
    wanted = select(*given.columns()).select_from(given.source).subquery("wanted")
    same = [messages.c.room == wanted.c.room, messages.c.author == wanted.c.user, messages.c.key == wanted.c.key]
    return select(wanted.c.index, messages.c.digest, messages.c.seq).join_from(wanted, messages, and_(*same))


ROOMS = Statement(lambda dialect: _statement(dialect, message=False))
MESSAGES = Statement(lambda dialect: _statement(dialect, message=True))
POSTED = Statement(_posted)
