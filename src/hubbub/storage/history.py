"""The history of a room as one of its members sees it.

Messages come with their reactions, pins and current names, as objects for the wire: a page is
read and encoded often, and building a model of each message only to dump it took most of the time.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Dialect, Executable, FromClause, and_, bindparam, literal, select
from sqlalchemy.engine import Connection

from hubbub.domain.model import Membership, Mentions
from hubbub.domain.text import MAX_ID, timestamp
from hubbub.storage import accounts, deletion, reactions, rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, Rows
from hubbub.storage.schema import messages, users

SHOWN = [(part.table, part.shown) for part in deletion.PARTS if part.shown is not None]
WireMessage = dict[str, Any]
"""A `domain.model.Message` as clients receive it; a test compares the two."""
NOT_MENTIONED = Mentions().model_dump()


class HistoryRow(NamedTuple):
    """A stored message with its author's name and its parts that are shown."""

    seq: int
    n: int
    at: int
    author: int
    name: str
    key: str
    body: str | None
    reply_to: int | None
    forwarded: str | None
    mentions: str | None
    edited_at: int | None
    deleted_at: int | None
    pinned_seq: int | None
    bot: bool


class FoundRow(NamedTuple):
    """A row of the messages of any room: its id and its room, then the fields of HistoryRow."""

    id: int
    room: int
    seq: int
    n: int
    at: int
    author: int
    name: str
    key: str
    body: str | None
    reply_to: int | None
    forwarded: str | None
    mentions: str | None
    edited_at: int | None
    deleted_at: int | None
    pinned_seq: int | None
    bot: bool


class RoomView(NamedTuple):
    """A member's view of a room.

    The member may not see messages with a seq below `since`.
    """

    room: int
    user: int
    since: int


def view(own: Membership, room: int, user: int) -> RoomView:
    return RoomView(room, user, own.sees_from)


def before(connection: Connection, seen: RoomView, seq: int | None, limit: int) -> list[HistoryRow]:
    """Return the rows of the messages just before `seq` (None: the newest), ascending."""
    last = MAX_ID if seq is None else seq - 1
    found = BEFORE.rows(connection, room=seen.room, first=seen.since, last=last, limit=limit)
    return [HistoryRow(*row) for row in reversed(found)]


def after(connection: Connection, seen: RoomView, seq: int, limit: int) -> list[HistoryRow]:
    """Return the rows of the messages just after `seq`, ascending."""
    first = max(seen.since, seq + 1)
    return [HistoryRow(*row) for row in AFTER.rows(connection, room=seen.room, first=first, last=MAX_ID, limit=limit)]


def any_between(connection: Connection, seen: RoomView, first: int, last: int) -> bool:
    """Return whether the member sees a message with a seq from `first` to `last`."""
    return ANY.row(connection, room=seen.room, first=max(seen.since, first), last=last) is not None


def some(connection: Connection, seen: RoomView, seqs: Iterable[int]) -> list[HistoryRow]:
    """Return the rows of the messages at `seqs` that the member may see, ascending."""
    wanted = [(seq,) for seq in sorted({seq for seq in seqs if seq >= seen.since})]
    if not wanted:
        return []
    return [HistoryRow(*row) for row in SOME.rows(connection, room=seen.room, rows=rows.encode(wanted))]


def with_quotes(
    connection: Connection, seen: RoomView, page: Sequence[HistoryRow]
) -> tuple[list[WireMessage], list[WireMessage]]:
    """Return the messages of a page, and those they reply to that the member may see, ascending.

    Takes two statements, and one more for each kind of message among them: replies to messages
    outside of the page, forwarded messages.
    """
    quoted = {row.reply_to for row in page if row.reply_to is not None}
    others = some(connection, seen, quoted - {row.seq for row in page})
    made = wire(connection, seen, [*page, *others])
    quotes = [message for message in made if message["seq"] in quoted]
    return made[: len(page)], sorted(quotes, key=lambda message: message["seq"])


def wire(connection: Connection, seen: RoomView, found: Sequence[HistoryRow]) -> list[WireMessage]:
    """Return the messages of rows, with reactions and authors' current names."""
    reacted = reactions.of(connection, seen.room, [row.seq for row in found], seen.user)
    first = _origins(connection, {row.seq: row.forwarded for row in found})
    return [_wire(seen.room, row, reacted.get(row.seq, []), first.get(row.seq)) for row in found]


def rows_of(connection: Connection, ids: Iterable[int]) -> dict[int, FoundRow]:
    """Return the rows of messages of any rooms, by id. One statement."""
    found = ROWS_OF.rows(connection, rows=rows.encode([(each,) for each in ids]))
    return {row[0]: FoundRow(*row) for row in found}


def wire_of(connection: Connection, user: int, found: Sequence[FoundRow]) -> list[WireMessage]:
    """Return the messages of rows of several rooms, with reactions and authors' current names."""
    reacted = reactions.of_many(connection, [(row.room, row.seq) for row in found], user) if found else {}
    first = _origins(connection, {row.id: row.forwarded for row in found})
    return [_wire(row.room, row[2:], reacted.get((row.room, row.seq), []), first.get(row.id)) for row in found]


def _origins(connection: Connection, forwarded: Mapping[int, str | None]) -> dict[int, dict[str, Any]]:
    """Return the origins of forwarded messages, with current names."""
    first = {key: orjson.loads(each) for key, each in forwarded.items() if each is not None}
    if not first:
        return {}
    names = accounts.names_of(connection, {each["by"] for each in first.values()})
    return {key: {**each, "name": names[each["by"]]} for key, each in first.items()}


def _wire(
    room: int, row: Sequence[Any], reacted: list[dict[str, Any]], forwarded: dict[str, Any] | None
) -> WireMessage:
    """Return the message of a HistoryRow."""
    seq, n, at, author, name, key, body, reply_to, _, mentions, edited_at, deleted_at, pinned_seq, bot = row
    message: WireMessage = {
        "room": room, "seq": seq, "n": n, "at": timestamp(at), "by": author, "name": name,
        "key": key, "body": body, "deleted": deleted_at is not None,
    }  # fmt: skip
    if bot:
        message["bot"] = True
    if edited_at is not None:
        message["edited_at"] = timestamp(edited_at)
    if reply_to is not None:
        message["reply_to"] = reply_to
    if forwarded is not None:
        message["forwarded"] = forwarded
    if mentions is not None:
        message["mentions"] = {**NOT_MENTIONED, **orjson.loads(mentions)}
    message["pinned"] = pinned_seq is not None
    message["reactions"] = reacted
    return message


def _source() -> FromClause:
    """Join each message with its author, and with its parts that are shown."""
    joined: FromClause = messages.join(users, users.c.id == messages.c.author)
    for table, _ in SHOWN:
        joined = joined.outerjoin(table, and_(table.c.room == messages.c.room, table.c.seq == messages.c.seq))
    return joined


def _columns(fields: Iterable[str] = HistoryRow._fields) -> list[Any]:
    others = {"name": users.c.name, "bot": users.c.bot} | {column.name: column for _, column in SHOWN}
    return [others[name] if name in others else messages.c[name] for name in fields]


ROOM = messages.c.room == bindparam("room", type_=BIG)
WITHIN = and_(ROOM, messages.c.seq >= bindparam("first", type_=BIG), messages.c.seq <= bindparam("last", type_=BIG))


def _page(order: Any) -> Executable:
    limit = bindparam("limit", type_=BIG)
    return select(*_columns()).select_from(_source()).where(WITHIN).order_by(order).limit(limit)


def _some(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"seq": BIG})
    wanted = messages.c.seq.in_(select(given["seq"]).select_from(given.source))
    return select(*_columns()).select_from(_source()).where(ROOM, wanted).order_by(messages.c.seq)


def _rows_of(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"id": BIG})
    wanted = messages.c.id.in_(select(given["id"]).select_from(given.source))
    return select(*_columns(FoundRow._fields)).select_from(_source()).where(wanted)


BEFORE = Statement(lambda _: _page(messages.c.seq.desc()))
AFTER = Statement(lambda _: _page(messages.c.seq))
ANY = Statement(lambda _: select(literal(1, BIG)).select_from(messages).where(WITHIN).limit(literal(1, BIG)))
SOME = Statement(_some)
ROWS_OF = Statement(_rows_of)
