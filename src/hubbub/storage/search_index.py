"""The search index: which messages contain which tokens. Works the same on both databases.

New messages are in `search_recent`. As soon as there are BLOCK of them they become a block, which
stays as it is, except that messages are removed from it. Messages are removed by their id alone,
whatever their text was.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from sys import byteorder
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Executable,
    LargeBinary,
    Subquery,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from hubbub.domain.search import blocks
from hubbub.domain.search.blocks import BLOCK, Numbers
from hubbub.storage import rows
from hubbub.storage.database import Statement
from hubbub.storage.rows import BIG, TEXT, Rows
from hubbub.storage.schema import messages, search_blocks, search_chunks, search_recent, search_state
from hubbub.storage.transaction import Transaction

ONLY = 1
"""The id of the only row of `search_state`."""
CHUNK_END = "\r"
"""Stands between chunks that are read as one value."""


class State(NamedTuple):
    """How far the index is built, in the order of the table's columns."""

    tokeniser: int
    low: int
    high: int
    done: int
    total: int

    @property
    def is_complete(self) -> bool:
        return self.low == 0


NOT_BUILT = State(0, 1, 1, 0, 0)


class Document(NamedTuple):
    """A message with its tokens. `body` and `mentions` are what the tokens were made of."""

    id: int
    room: int
    author: int
    at: int
    body: str
    mentions: str | None
    tokens: str
    """Between blanks."""


class BlockHead(NamedTuple):
    """A block without its messages."""

    block: int
    first: int
    last: int
    first_at: int
    last_at: int


class IndexTerm(NamedTuple):
    """A token, or the beginning of one."""

    token: str
    prefix: bool = False


Group = Sequence[IndexTerm]
"""Terms of which a message contains at least one."""


# --- state -----------------------------------------------------------------------------------------------------------


def state(connection: Connection) -> State:
    found = STATE.row(connection)
    return NOT_BUILT if found is None else State(*found)


def lock(tx: Transaction) -> State:
    """Lock the index until the end of the transaction, and return its state.

    Called after the topics are locked and before the index is changed.
    """
    query = select(*_COLUMNS).with_for_update()
    found = tx.connection.execute(query).first()
    if found is None:
        tx.execute(insert(search_state).values(id=ONLY, **NOT_BUILT._asdict()))
        return NOT_BUILT
    return State(*found)


def change(tx: Transaction, **values: int) -> None:
    tx.execute(update(search_state).values(**values))


def clear(tx: Transaction, limit: int) -> int:
    """Remove at most `limit` blocks and all recent messages; return how many blocks were removed."""
    tx.execute(delete(search_recent))
    gone = tx.connection.scalars(select(search_blocks.c.block).order_by(search_blocks.c.block).limit(limit)).all()
    if gone:
        tx.execute(delete(search_chunks).where(search_chunks.c.block <= gone[-1]))
        tx.execute(delete(search_blocks).where(search_blocks.c.block <= gone[-1]))
        tx.erased = True
    return len(gone)


# --- writing ---------------------------------------------------------------------------------------------------------


def add_recent(tx: Transaction, new: Sequence[Document]) -> None:
    """Add messages that are not in the index yet."""
    if new:
        tx.writes += 1
        ADD.run(tx.connection, rows=rows.encode([(d.id, d.room, d.at, d.tokens) for d in new])).close()


def pack(tx: Transaction) -> bool:
    """Move the oldest BLOCK recent messages into a block. Returns False if there are fewer."""
    if (tx.connection.scalar(select(func.count()).select_from(search_recent)) or 0) < BLOCK:
        return False
    columns = (search_recent.c.id, search_recent.c.room, search_recent.c.at, search_recent.c.tokens)
    found = tx.connection.execute(select(*columns).order_by(search_recent.c.id).limit(BLOCK)).all()
    _add_block(tx, [tuple(row) for row in found])
    tx.execute(delete(search_recent).where(search_recent.c.id <= found[-1].id))
    return True


def add_block(tx: Transaction, new: Sequence[Document]) -> None:
    """Add a block of at most BLOCK messages that are not in the index yet."""
    if new:
        _add_block(tx, sorted((d.id, d.room, d.at, d.tokens) for d in new))


def _add_block(tx: Transaction, found: Sequence[tuple[int, int, int, str]]) -> None:
    """Store a block. `found` are (id, room, at, tokens), by ascending id."""
    containing: dict[str, list[int]] = {}
    for number, row in enumerate(found):
        for token in row[3].split():
            containing.setdefault(token, []).append(number)
    block = (tx.connection.scalar(select(func.max(search_blocks.c.block))) or 0) + 1
    times = [row[2] for row in found]
    tx.execute(
        insert(search_blocks).values(
            block=block,
            first=found[0][0],
            last=found[-1][0],
            first_at=min(times),
            last_at=max(times),
            ids=_pack(row[0] for row in found),
            rooms=_pack(row[1] for row in found),
        )
    )
    _add_chunks(tx, block, blocks.encode(containing))


def indexed(tx: Transaction, ids: Sequence[int]) -> set[int]:
    """Return those of `ids` that are in the index."""
    found = set(tx.connection.scalars(select(search_recent.c.id).where(search_recent.c.id.in_(ids))))
    for row in _blocks_of(tx.connection, min(ids), max(ids)):
        found.update(set(ids).intersection(_unpack(row.ids)))
    return found


def remove(tx: Transaction, message: int) -> bool:
    """Remove a message from the index. Returns whether it was there. Holds the index.

    Whatever its text was: nothing of it is left.
    """
    if tx.execute(delete(search_recent).where(search_recent.c.id == message)).rowcount:
        tx.erased = True
        return True
    for row in _blocks_of(tx.connection, message, message):
        ids = _unpack(row.ids)
        if message not in ids:
            continue
        number = ids.index(message)
        _remove_from_block(tx, row.block, number)
        ids[number] = 0
        tx.execute(update(search_blocks).where(search_blocks.c.block == row.block).values(ids=_pack(ids)))
        tx.erased = True
        return True
    return False


def _remove_from_block(tx: Transaction, block: int, number: int) -> None:
    """Remove a message from all chunks of its block."""
    of_block = select(search_chunks.c.token, search_chunks.c.entries).where(search_chunks.c.block == block)
    for token, entries in tx.connection.execute(of_block).all():
        left = blocks.without(bytes(entries), number)
        if left is not None:
            tx.execute(
                delete(search_chunks).where(search_chunks.c.block == block, search_chunks.c.token == bytes(token))
            )
            _add_chunks(tx, block, left)


def _add_chunks(tx: Transaction, block: int, chunks: Iterable[tuple[bytes, bytes]]) -> None:
    new = [{"block": block, "token": token, "entries": entries} for token, entries in chunks]
    if new:
        tx.execute(insert(search_chunks), new)


def _blocks_of(connection: Connection, first: int, last: int) -> Sequence[Any]:
    """Return number and ids of the blocks that may contain ids from `first` to `last`."""
    query = select(search_blocks.c.block, search_blocks.c.ids)
    return connection.execute(query.where(search_blocks.c.first <= last, search_blocks.c.last >= first)).all()


def _pack(numbers: Iterable[int]) -> bytes:
    packed = array("q", numbers)
    if byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _unpack(packed: bytes) -> "array[int]":
    numbers = array("q")
    numbers.frombytes(packed)
    if byteorder == "big":
        numbers.byteswap()
    return numbers


# --- reading ---------------------------------------------------------------------------------------------------------


def heads(connection: Connection, before: int) -> list[BlockHead]:
    """Return the blocks that have messages with ids below `before`, by descending highest id."""
    found = HEADS.row(connection, before=before)
    packed = found[0] if found else None
    if isinstance(packed, str):
        packed = orjson.loads(packed)
    return sorted((BlockHead(*row) for row in packed or ()), key=lambda head: head.last, reverse=True)


def recent(connection: Connection, groups: Sequence[Group], before: int) -> list[tuple[int, int]]:
    """Return (id, room) of the recent messages below `before` that match all groups."""
    query = select(search_recent.c.id, search_recent.c.room).where(search_recent.c.id < before)
    for group in groups:
        query = query.where(or_(*(_contains(connection.dialect, term) for term in group)))
    return [(row[0], row[1]) for row in connection.execute(query)]


def matching(connection: Connection, groups: Sequence[Group], wanted: Sequence[int]) -> dict[int, Numbers | None]:
    """Return the blocks among `wanted` that have messages which match all groups, with their numbers.

    None stands for all messages of the block.
    """
    found: dict[int, Numbers | None] = dict.fromkeys(wanted)
    for group in groups:
        matched: dict[int, Numbers] = {}
        for term in group:
            for block, numbers in _of_term(connection, term, list(found)):
                matched.setdefault(block, set()).update(numbers)
        found = {
            block: both
            for block, numbers in matched.items()
            if (both := numbers if (before := found[block]) is None else before & numbers)
        }
        if not found:
            break
    return found


def members(connection: Connection, found: dict[int, Numbers | None]) -> list[tuple[int, int]]:
    """Return (id, room) of the messages with these numbers in blocks."""
    result: list[tuple[int, int]] = []
    for block, packed_ids, packed_rooms in MEMBERS.rows(connection, rows=rows.encode([(each,) for each in found])):
        ids, rooms, numbers = _unpack(packed_ids), _unpack(packed_rooms), found[block]
        wanted = range(len(ids)) if numbers is None else blocks.decode(numbers)
        result += [(ids[number], rooms[number]) for number in wanted if ids[number]]
    return result


def _of_term(connection: Connection, term: IndexTerm, wanted: Sequence[int]) -> list[tuple[int, Numbers]]:
    """Return the numbers of the messages that contain a term, by block. A block may occur twice."""
    token = term.token.encode()
    given = {"rows": rows.encode([(block,) for block in wanted]), "token": token}
    if term.prefix:
        begins = blocks.prefix_needle(term.token)
        found = PREFIX.rows(connection, **given, above=token + b"\xff", needle=begins)
    else:
        begins = blocks.needle(term.token)
        found = EXACT.rows(connection, **given, needle=begins)
    if connection.dialect.name == "sqlite":
        found = list(_separated(found[0][0]))
    return [(block, blocks.find(bytes(entries), begins)) for block, entries in found]


def _joined(found: Subquery) -> Executable:
    """Select chunks as one value. Each row of SQLite can cost a wait while other threads of Python work."""
    each = found.c.block.op("||")(found.c.entries)  # entries begin with a newline, and contain no control characters
    return select(cast(func.group_concat(each, CHUNK_END), LargeBinary))


def _separated(joined: bytes | None) -> Iterator[tuple[int, bytes]]:
    for each in joined.split(CHUNK_END.encode()) if joined else ():
        at = each.index(b"\n")
        yield int(each[:at]), each[at:]


def _contains(dialect: Dialect, term: IndexTerm) -> ColumnElement[bool]:
    searched = f" {term.token}" if term.prefix else f" {term.token} "
    where = func.instr if dialect.name == "sqlite" else func.strpos
    return where(search_recent.c.tokens, searched) > 0


def _chunk_of(dialect: Dialect, *, prefix: bool) -> Executable:
    """Select the chunks of some blocks that contain a token, or tokens with the same beginning."""
    given = Rows(dialect, {"block": BIG})
    wanted = select(given["block"].label("block")).select_from(given.source).subquery("wanted")
    token, needle = bindparam("token", type_=LargeBinary()), bindparam("needle", type_=LargeBinary())
    chunk, before = search_chunks.alias("chunk"), search_chunks.alias("before")
    start = (
        select(before.c.token)
        .where(before.c.block == wanted.c.block, before.c.token <= token)
        .order_by(before.c.token.desc())
        .limit(1)
    )
    if dialect.name == "sqlite":
        found = func.instr(chunk.c.entries, needle) > 0
    else:
        found = func.position(needle.op("IN")(chunk.c.entries)) > 0
    if prefix:
        upto = chunk.c.token < bindparam("above", type_=LargeBinary())
        least = func.coalesce(start.correlate(wanted).scalar_subquery(), token)
        at = and_(chunk.c.block == wanted.c.block, chunk.c.token >= least, upto)
        chunks = select(chunk.c.block, chunk.c.entries).join_from(wanted, chunk, at).where(found)
        return _joined(chunks.subquery("found")) if dialect.name == "sqlite" else chunks
    if dialect.name == "sqlite":
        entries = start.with_only_columns(before.c.entries).correlate(wanted).scalar_subquery().label("entries")
        # With a limit, the subquery is not merged into its query: SQLite would look each chunk up twice.
        of_block = select(wanted.c.block, entries).limit(-1).subquery("chunk_of_token")
        return _joined(select(of_block).where(func.instr(of_block.c.entries, needle) > 0).subquery("found"))
    one = (
        select(chunk.c.block, chunk.c.entries)
        .where(chunk.c.block == wanted.c.block, chunk.c.token <= token)
        .order_by(chunk.c.token.desc())
        .limit(1)
        .lateral("chunk_of_token")
    )
    here = func.position(needle.op("IN")(one.c.entries)) > 0
    return select(one.c.block, one.c.entries).select_from(wanted.join(one, here))


def _add(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"id": BIG, "room": BIG, "at": BIG, "tokens": TEXT})
    names = ["id", "room", "at", "tokens"]
    return insert(search_recent).from_select(names, select(*given.columns()).select_from(given.source))


def _heads(dialect: Dialect) -> Executable:
    """Select all blocks as one JSON array: while other threads work, each row of SQLite can cost a wait."""
    columns = (search_blocks.c[name] for name in BlockHead._fields)
    below = search_blocks.c.first < bindparam("before", type_=BIG)
    found = select(*columns).where(below).subquery("heads")
    if dialect.name == "sqlite":
        return select(func.json_group_array(func.json_array(*found.c)))
    return select(func.json_agg(func.json_build_array(*found.c)))


def _members(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"block": BIG})
    columns = (search_blocks.c.block, search_blocks.c.ids, search_blocks.c.rooms)
    return select(*columns).where(search_blocks.c.block.in_(select(given["block"]).select_from(given.source)))


_COLUMNS = [search_state.c[name] for name in State._fields]
STATE = Statement(lambda _: select(*_COLUMNS))
ADD = Statement(_add)
HEADS = Statement(_heads)
MEMBERS = Statement(_members)
EXACT = Statement(lambda dialect: _chunk_of(dialect, prefix=False))
PREFIX = Statement(lambda dialect: _chunk_of(dialect, prefix=True))


# --- the messages to index -------------------------------------------------------------------------------------------


class Text(NamedTuple):
    """The indexed columns of a message. The text is None if the message was deleted."""

    id: int
    room: int
    author: int
    at: int
    body: str | None
    mentions: str | None


_TEXT = [messages.c[name] for name in Text._fields]


def texts_of(connection: Connection, ids: Iterable[int]) -> dict[int, Text]:
    """Return messages as they are now, by id. One statement."""
    found = TEXTS_OF.rows(connection, rows=rows.encode([(each,) for each in ids]))
    return {row[0]: Text(*row) for row in found}


def texts_at(connection: Connection, room: int, seqs: Iterable[int]) -> list[Text]:
    """Return the messages of a room at `seqs`. One statement."""
    found = TEXTS_AT.rows(connection, room=room, rows=rows.encode([(each,) for each in seqs]))
    return [Text(*row) for row in found]


def texts_below(connection: Connection, low: int, limit: int) -> list[Text]:
    """Return the messages with the highest ids below `low`, descending."""
    return [Text(*row) for row in TEXTS_BELOW.rows(connection, low=low, limit=limit)]


def highest_id(connection: Connection) -> int:
    return connection.scalar(select(func.max(messages.c.id))) or 0


def count_messages(connection: Connection) -> int:
    return connection.scalar(select(func.count(messages.c.body))) or 0


def _texts_of(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"id": BIG})
    return select(*_TEXT).where(messages.c.id.in_(select(given["id"]).select_from(given.source)))


def _texts_at(dialect: Dialect) -> Executable:
    given = Rows(dialect, {"seq": BIG})
    wanted = messages.c.seq.in_(select(given["seq"]).select_from(given.source))
    return select(*_TEXT).where(messages.c.room == bindparam("room", type_=BIG), wanted)


def _texts_below() -> Executable:
    query = select(*_TEXT).where(messages.c.id < bindparam("low", type_=BIG))
    return query.order_by(messages.c.id.desc()).limit(bindparam("limit", type_=BIG))


TEXTS_OF = Statement(_texts_of)
TEXTS_AT = Statement(_texts_at)
TEXTS_BELOW = Statement(lambda _: _texts_below())
