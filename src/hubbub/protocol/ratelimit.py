"""A token bucket that is told the time: `burst` at once, `rate` a second in the long run."""


class Bucket:
    """Starts full. `now` is in seconds of a clock that never goes back."""

    __slots__ = ("_burst", "_left", "_rate", "_seen")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._seen = now

    def take(self, now: float) -> float:
        """Takes one and returns 0, or takes nothing and returns the seconds until there is one."""
        self._refill(now)
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / self._rate

    def is_full(self, now: float) -> bool:
        """A full bucket says nothing that a new one would not say: it can be forgotten."""
        self._refill(now)
        return self._left >= self._burst

    def _refill(self, now: float) -> None:
        self._left = min(self._burst, self._left + max(0.0, now - self._seen) * self._rate)
        self._seen = max(self._seen, now)
