"""Ids made in the application: ordered in time, unique per node.

They are never used to order what users see.

The ids of several nodes on one database differ in the lowest bits. A node takes the next number of
a counter in the database when it starts, so there is no lease that could expire while the node
runs. After 1,024 starts the numbers repeat. If two nodes then make the same id of a user or a room
in the same millisecond, the primary key refuses it, and the journal takes a new number and repeats
the transaction.
"""

from sqlalchemy import BigInteger, Connection, Text, cast, func, select

from hubbub.storage.schema import meta, rooms, users, webhooks

NODE_BITS = 10
EPOCH = 1_735_689_600_000  # 2025-01-01 in milliseconds: leaves room below 2^53 for a century


class Ids:
    """Makes ids. Must be used on the writer's thread only.

    Transactions have ids from microseconds. Users, rooms and webhooks have public ids from milliseconds, below
    2^53.
    """

    def __init__(self, node: int = 0, last_public: int = 0) -> None:
        self._node = node
        self._last = 0
        self._last_public = last_public >> NODE_BITS
        self._now = 0

    @classmethod
    def load(cls, connection: Connection) -> "Ids":
        """Continue above all stored public ids, whatever the clock says.

        Takes a node number, so it writes.
        """
        public = [connection.scalar(select(func.max(table.c.id))) or 0 for table in (rooms, users, webhooks)]
        return cls(_node(connection), max(public))

    def tick(self, now: int) -> None:
        """Set the time in milliseconds. The ids of a batch start there."""
        self._now = now - EPOCH

    def next(self) -> int:
        self._last = max(self._now * 1000, self._last + 1)
        return self._last << NODE_BITS | self._node

    def next_public(self) -> int:
        self._last_public = max(self._now, self._last_public + 1)
        return self._last_public << NODE_BITS | self._node


def _node(connection: Connection) -> int:
    if connection.dialect.name == "sqlite":
        return 0  # one file, one server
    from sqlalchemy.dialects.postgresql import insert

    count = cast(cast(meta.c.value, BigInteger) + 1, Text)
    taken = (
        insert(meta).values(key="nodes", value="1").on_conflict_do_update(index_elements=["key"], set_={"value": count})
    )
    return int(connection.execute(taken.returning(meta.c.value)).scalar_one()) % (1 << NODE_BITS)
