"""The history of a room as one of its members sees it.

Messages come with their reactions, pins and current names.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, FromClause, Select, and_, select

from hubbub.domain.model import Forwarded, Membership, Mentions, Message, Reaction
from hubbub.domain.text import timestamp
from hubbub.storage import accounts, deletion, reactions
from hubbub.storage.rows import BIG, Rows, encode
from hubbub.storage.schema import messages, users

SHOWN = [(part.table, part.shown) for part in deletion.PARTS if part.shown is not None]


def _source() -> FromClause:
    """Join each message with its author, and with its parts that are shown."""
    joined: FromClause = messages.join(users, users.c.id == messages.c.author)
    for table, _ in SHOWN:
        joined = joined.outerjoin(table, and_(table.c.room == messages.c.room, table.c.seq == messages.c.seq))
    return joined


SOURCE = _source()


class RoomView(NamedTuple):
    """A member's view of a room.

    The member may not see messages with a seq below `since`.
    """

    room: int
    user: int
    since: int


def view(own: Membership, room: int, user: int) -> RoomView:
    return RoomView(room, user, own.sees_from)


def before(connection: Connection, seen: RoomView, seq: int | None, limit: int) -> list[Any]:
    """Return the rows of the messages just before `seq` (None: the newest), ascending."""
    query = _rows(seen).order_by(messages.c.seq.desc()).limit(limit)
    if seq is not None:
        query = query.where(messages.c.seq < seq)
    return list(connection.execute(query))[::-1]


def after(connection: Connection, seen: RoomView, seq: int, limit: int) -> list[Any]:
    """Return the rows of the messages just after `seq`, ascending."""
    query = _rows(seen).where(messages.c.seq > seq).order_by(messages.c.seq).limit(limit)
    return list(connection.execute(query))


def some(connection: Connection, seen: RoomView, seqs: Iterable[int]) -> list[Message]:
    """Return the messages at `seqs` that the member may see, ascending."""
    wanted = sorted(set(seqs))
    if not wanted:
        return []
    query = _rows(seen).where(messages.c.seq.in_(wanted)).order_by(messages.c.seq)
    return models(connection, seen, connection.execute(query).all())


def quotes(connection: Connection, seen: RoomView, replies: Iterable[Message]) -> list[Message]:
    """Return the visible messages that `replies` reply to, ascending."""
    return some(connection, seen, (reply.reply_to for reply in replies if reply.reply_to is not None))


def models(connection: Connection, seen: RoomView, rows: Sequence[Any]) -> list[Message]:
    """Return the messages of rows, with reactions and authors' current names."""
    reacted = reactions.of(connection, seen.room, [row.seq for row in rows], seen.user)
    origins = _origins(connection, rows)
    return [_model(row, reacted.get(row.seq, []), origins.get(row.id)) for row in rows]


def rows_of(connection: Connection, ids: Iterable[int]) -> dict[int, Any]:
    """Return the rows of messages of any rooms, by id. One statement."""
    found = connection.execute(_rows_of(connection.dialect), {"rows": encode([(each,) for each in ids])})
    return {row.id: row for row in found}


def models_of(connection: Connection, user: int, rows: Sequence[Any]) -> list[Message]:
    """Return the messages of rows of several rooms, with reactions and authors' current names."""
    if not rows:
        return []
    reacted = reactions.of_many(connection, [(row.room, row.seq) for row in rows], user)
    origins = _origins(connection, rows)
    return [_model(row, reacted.get((row.room, row.seq), []), origins.get(row.id)) for row in rows]


def _origins(connection: Connection, rows: Sequence[Any]) -> dict[int, Forwarded]:
    """Return the origins of forwarded messages by the message's id, with current names."""
    first = {row.id: Forwarded.model_validate_json(row.forwarded) for row in rows if row.forwarded is not None}
    names = accounts.names_of(connection, {each.by for each in first.values()}) if first else {}
    return {key: each.model_copy(update={"name": names[each.by]}) for key, each in first.items()}


def _rows(seen: RoomView) -> Select[Any]:
    return (
        select(messages, users.c.name, *(column for _, column in SHOWN))
        .select_from(SOURCE)
        .where(messages.c.room == seen.room, messages.c.seq >= seen.since)
    )


@cache
def _rows_of(dialect: Dialect) -> Select[Any]:
    given = Rows(dialect, {"id": BIG})
    wanted = messages.c.id.in_(select(given["id"]).select_from(given.source))
    return select(messages, users.c.name, *(column for _, column in SHOWN)).select_from(SOURCE).where(wanted)


def _model(row: Any, reacted: list[Reaction], forwarded: Forwarded | None) -> Message:
    return Message(
        room=row.room,
        seq=row.seq,
        n=row.n,
        at=timestamp(row.at),
        by=row.author,
        name=row.name,
        key=row.key,
        body=row.body,
        deleted=row.deleted_at is not None,
        edited_at=None if row.edited_at is None else timestamp(row.edited_at),
        reply_to=row.reply_to,
        forwarded=forwarded,
        mentions=None if row.mentions is None else Mentions.model_validate_json(row.mentions),
        pinned=row.pinned_seq is not None,
        reactions=reacted,
    )
