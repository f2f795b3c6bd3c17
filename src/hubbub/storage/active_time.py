"""A clock for timeouts that hardly advances while the process stands still."""

from collections.abc import Callable
from time import monotonic


class ActiveClock:
    """Counts the seconds in which this process was running.

    Of the time between two calls of `elapsed` at most `longest` seconds count. If more have passed,
    this process stood still, perhaps with the whole machine, and the store may have answered
    meanwhile.
    """

    def __init__(self, longest: float, clock: Callable[[], float] = monotonic) -> None:
        self.seconds = 0.0
        self._longest = longest
        self._clock = clock
        self._last = clock()

    def elapsed(self) -> float:
        """Return the counted seconds up to now."""
        now = self._clock()
        self.seconds += min(now - self._last, self._longest)
        self._last = now
        return self.seconds
