"""What a deletion erases: columns of the row itself, and the rows that belong to it.

What stays is listed, in `storage.schema` for columns and in tests for tables. A test compares the
lists with the schema.
"""

from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Table, and_, delete, exists, or_, select

from hubbub.domain.model import Mentions
from hubbub.storage.mentions import WHOLE_ROOM
from hubbub.storage.schema import (
    answers,
    bans,
    edits,
    invites,
    links,
    mentions,
    messages,
    pins,
    reactions,
)
from hubbub.storage.transaction import Transaction


class Part(NamedTuple):
    """A table whose rows belong to messages, by the columns `room` and `seq`.

    They go when the message is deleted.
    """

    table: Table
    by: Column[Any] | None = None
    """The user who made a row. As long as it is there, their account is not removed completely."""
    shown: Column[Any] | None = None
    """A column that the room's history shows. There is at most one row for each message."""


PARTS = (
    Part(edits),
    Part(pins, by=pins.c.by, shown=pins.c.pinned_seq),
    Part(reactions, by=reactions.c.user),
    Part(mentions),
)
OWN = (answers.c.author, bans.c.user, invites.c.created_by, links.c.user, mentions.c.user)
"""The columns that name the user whose deletion deletes the row.

The handler ends memberships, sessions and the status, because these have events.
"""


def erased(table: Table, kept: frozenset[str], **values: object) -> dict[str, object]:
    """Return the columns of an erased row: `values`, and nothing in all columns that are not kept.

    Nothing is NULL, or the default of a column that may not be NULL.
    """
    others = [column for column in table.columns if column.name not in kept and column.name not in values]
    return {**values, **{column.name: _nothing(column) for column in others}}


def delete_parts(tx: Transaction, room: int, seq: int, mentioned: Mentions | None) -> None:
    """Delete all rows that belong to a message. `mentioned` are its mentions."""
    users = [WHOLE_ROOM, *(mentioned.users if mentioned is not None else ())]
    for table, *_ in PARTS:
        of_message = and_(table.c.room == room, table.c.seq == seq)
        if table is mentions:  # its key begins with the user
            of_message = and_(table.c.user.in_(users), of_message)
        tx.execute(delete(table).where(of_message))


def delete_own(tx: Transaction, user: int) -> None:
    """Delete the rows that belong to an account that is deleted."""
    for column in OWN:
        tx.execute(delete(column.table).where(column == user))


def left_something(connection: Connection, user: int, room: int) -> bool:
    """Return whether the user has left a message, or a part of one, in the room."""
    made = [exists().where(messages.c.room == room, messages.c.author == user)]
    made += [exists().where(part.table.c.room == room, part.by == user) for part in PARTS if part.by is not None]
    return bool(connection.scalar(select(or_(*made))))


def _nothing(column: Column[Any]) -> object:
    if column.nullable:
        return None
    default = column.default or column.server_default
    if default is None:
        raise TypeError(f"{column} has neither NULL nor a default: it cannot be erased.")
    return default.arg  # type: ignore[union-attr]
