"""One timer for all connections (Varghese and Lauck's hashed timing wheel).

Connections own no timers.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

import structlog

STEP = 0.25
SPOKES = 256
AGAIN = 5.0
"""Seconds until the next visit of a member whose visit failed."""
logger = structlog.get_logger(__name__)


class TimerMember(Protocol):
    """An object that is visited at intervals.

    `spoke` belongs to the wheel; -1 means not on the wheel.
    """

    spoke: int

    def visit(self, now: float) -> float | None:
        """Do what is due at `now`.

        Return the seconds until the next visit; None for no further visit.

        An exception is logged, and the member is visited again: its deadlines and those of others
        still hold.
        """


class TimerWheel:
    """Visits its members. Runs a timer only while it has members."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._spokes: list[set[TimerMember]] = [set() for _ in range(SPOKES)]
        self._count = 0
        self._turned = 0
        self._timer: asyncio.TimerHandle | None = None
        self.now = clock()
        """The time of the last step: cheap to read, and exact enough to record activity."""

    def put(self, member: TimerMember, seconds: float) -> None:
        """Visit `member` in `seconds`, rounded up to whole steps; at most one full turn."""
        self.remove(member)
        steps = min(max(math.ceil(seconds / STEP), 1), SPOKES - 1)
        member.spoke = (self._turned + steps) % SPOKES
        self._spokes[member.spoke].add(member)
        self._count += 1
        if self._timer is None:
            self.now = self._clock()
            self._arm()

    def remove(self, member: TimerMember) -> None:
        """Remove `member`. Idempotent."""
        if member.spoke >= 0:
            self._spokes[member.spoke].discard(member)
            member.spoke = -1
            self._count -= 1

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(STEP, self._turn)

    def _turn(self) -> None:
        # A late step is not made up for. What is due comes later by the same time, so that no
        # connection is judged by time in which the loop read nothing.
        self.now = now = self._clock()
        self._turned = (self._turned + 1) % SPOKES
        due = self._spokes[self._turned]
        self._spokes[self._turned] = set()
        for member in due:
            member.spoke = -1
        self._count -= len(due)
        for member in due:
            try:
                seconds = member.visit(now)
            except Exception:
                logger.exception("visit_failed")
                seconds = AGAIN
            if seconds is not None and member.spoke < 0:
                self.put(member, seconds)
        if self._count:
            self._arm()
        else:
            self._timer = None
