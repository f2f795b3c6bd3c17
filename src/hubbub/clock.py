"""Time as an argument: whoever needs it is handed a Clock, so that a test can hand over another one."""

import time


class Clock:
    """The system's clocks."""

    def now(self) -> int:
        """Milliseconds since 1970; may jump when somebody sets the clock, so it orders nothing."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds from some point in the past; never goes back. For deadlines and durations."""
        return time.monotonic()
