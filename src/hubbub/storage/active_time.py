"""Patience that is fair to a machine that stands still."""

from collections.abc import Callable
from time import monotonic


class ActiveClock:
    """Seconds that somebody could have been answered in: of those between two looks at most `longest` count.

    Where there are more, this process stood still, be it with the whole machine, and the store may have answered.
    """

    def __init__(self, longest: float, clock: Callable[[], float] = monotonic) -> None:
        self.seconds = 0.0
        self._longest = longest
        self._clock = clock
        self._looked = clock()

    def elapsed(self) -> float:
        """The seconds up to now."""
        now = self._clock()
        self.seconds += min(now - self._looked, self._longest)
        self._looked = now
        return self.seconds
