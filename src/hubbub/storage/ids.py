"""Ids made in the application: ordered in time, unique per node, never used to order what people see.

Nodes on one database differ in the lowest bits. A node takes the next number of a counter in the database when it
starts, so there is no lease that could run out under somebody. After 1,024 starts numbers come again; should two nodes
then make one id in the same microsecond, the primary key refuses it, and the journal takes a new number and repeats.
"""

from sqlalchemy import BigInteger, Connection, Text, cast, func, select

from hubbub.storage.schema import log, messages, meta, rooms, users

NODE_BITS = 10
EPOCH = 1_735_689_600_000  # 2025-01-01 in milliseconds: leaves room below 2^53 for a century


class Ids:
    """Row ids of big tables (microseconds) and the small public ids of users and rooms (milliseconds, below 2^53).

    Belongs to the writer's thread.
    """

    def __init__(self, node: int = 0, last: int = 0, last_public: int = 0) -> None:
        self._node = node
        self._last = last >> NODE_BITS
        self._last_public = last_public >> NODE_BITS
        self._now = 0

    @classmethod
    def load(cls, connection: Connection) -> "Ids":
        """Continues above everything that is stored, whatever the clock says now; takes a node's number (writes)."""
        big = [connection.scalar(select(func.max(table.c.id))) or 0 for table in (log, messages)]
        public = [connection.scalar(select(func.max(table.c.id))) or 0 for table in (rooms, users)]
        return cls(_node(connection), max(big), max(public))

    def tick(self, now: int) -> None:
        """Tells the time in milliseconds; the ids of a batch start there."""
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
