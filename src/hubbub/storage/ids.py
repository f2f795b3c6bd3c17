"""Ids made in the application: ordered in time, unique per node.

They are never used to order what users see.

The ids of several nodes on one database differ in the lowest bits: the node number. A node takes the
next number of a counter in the database, and an advisory lock of that number on the connection that
it writes through. So there is no lease that could expire while the node runs, or outlive it, and
what a session without the lock writes is never committed. When the counter starts again, numbers
that are locked are left out. The ids of a node continue above all that are stored.

Should two nodes make the same id of a user or a room nevertheless, the primary key refuses it, and
the journal takes a new number and repeats the transaction.
"""

import zlib

from sqlalchemy import BigInteger, Connection, Text, cast, func, select, text

from hubbub.domain.errors import Unavailable
from hubbub.storage.schema import messages, meta, rooms, users, webhooks

NODE_BITS = 10
LOCK_CLASS = 0x6875_6263
"""The first number of the locks; the second one has bits of the schema's name, and the node number."""
EPOCH = 1_735_689_600_000  # 2025-01-01 in milliseconds: leaves room below 2^53 for a century


class Ids:
    """Makes ids. Must be used on the writer's thread only.

    Transactions have ids from microseconds. Users, rooms and webhooks have public ids from milliseconds, below
    2^53.
    """

    def __init__(self, node: int = 0, last_public: int = 0, last: int = 0) -> None:
        self._node = node
        self._last = last >> NODE_BITS
        self._last_public = last_public >> NODE_BITS
        self._now = 0

    @classmethod
    def load(cls, connection: Connection) -> "Ids":
        """Continue above all stored ids, whatever the clock says.

        Takes a node number, so it writes. Raises Unavailable if there is none.
        """
        node = _take_node(connection)  # first, so that an earlier owner of the number writes no more
        found = [connection.scalar(select(func.max(table.c.id))) or 0 for table in (rooms, users, webhooks, messages)]
        *public, message = found
        return cls(node, max(public), message)

    def hold(self, connection: Connection) -> bool:
        """Lock the node number on a new connection of this node. Returns False if another node has it."""
        return connection.dialect.name == "sqlite" or _lock(connection, self._node)

    def tick(self, now: int) -> None:
        """Set the time in milliseconds. The ids of a batch start there."""
        self._now = now - EPOCH

    def next(self) -> int:
        self._last = max(self._now * 1000, self._last + 1)
        return self._last << NODE_BITS | self._node

    def next_public(self) -> int:
        self._last_public = max(self._now, self._last_public + 1)
        return self._last_public << NODE_BITS | self._node


def _take_node(connection: Connection) -> int:
    if connection.dialect.name == "sqlite":
        return 0  # one file, one server
    from sqlalchemy.dialects.postgresql import insert

    count = cast(cast(meta.c.value, BigInteger) + 1, Text)
    taken = (
        insert(meta).values(key="nodes", value="1").on_conflict_do_update(index_elements=["key"], set_={"value": count})
    )
    for _ in range(1 << NODE_BITS):
        node = int(connection.execute(taken.returning(meta.c.value)).scalar_one()) % (1 << NODE_BITS)
        if _lock(connection, node):
            return node
    raise Unavailable(retry_after=1.0)


def _lock(connection: Connection, node: int) -> bool:
    """Lock a number until the session ends. Returns False if another session has it."""
    schema = str(connection.scalar(text("SELECT current_schema()")))
    number = (zlib.crc32(schema.encode()) << NODE_BITS & 0x7FFFFFFF) | node
    lock = text("SELECT pg_try_advisory_lock(:class, :number)")
    return bool(connection.scalar(lock, {"class": LOCK_CLASS, "number": number}))
