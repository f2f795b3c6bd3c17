"""Ids made in the application: ordered in time, unique per node, never used to order what people see."""

from sqlalchemy import Connection, func, select

from hubbub.storage.schema import log, messages, rooms, users

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
    def load(cls, connection: Connection, node: int = 0) -> "Ids":
        """Continues above everything that is stored, whatever the clock says now."""
        big = [connection.scalar(select(func.max(table.c.id))) or 0 for table in (log, messages)]
        public = [connection.scalar(select(func.max(table.c.id))) or 0 for table in (rooms, users)]
        return cls(node, max(big), max(public))

    def tick(self, now: int) -> None:
        """Tells the time in milliseconds; the ids of a batch start there."""
        self._now = now - EPOCH

    def next(self) -> int:
        self._last = max(self._now * 1000, self._last + 1)
        return self._last << NODE_BITS | self._node

    def next_public(self) -> int:
        self._last_public = max(self._now, self._last_public + 1)
        return self._last_public << NODE_BITS | self._node
