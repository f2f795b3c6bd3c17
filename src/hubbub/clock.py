"""Time as a dependency.

Code that needs the time gets a Clock, which tests can replace.
"""

import time


class Clock:
    """The system's clocks."""

    def now(self) -> int:
        """Return milliseconds since 1970.

        May jump when the system clock is set, so do not order by it.
        """
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return seconds since an arbitrary point; never goes back.

        For deadlines and durations.
        """
        return time.monotonic()
