"""A token bucket with an explicit clock."""


class Bucket:
    """A bucket that starts full: `burst` tokens at once, `rate` per second on average.

    `now` is in seconds of a monotonic clock.
    """

    __slots__ = ("_burst", "_left", "_rate", "_seen")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._seen = now

    def take(self, now: float) -> float:
        """Take a token and return 0.

        If there is none, return the seconds until the next one.
        """
        self._refill(now)
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / self._rate

    def charge(self, tokens: float, now: float, most: float) -> None:
        """Take tokens that were given out elsewhere. Afterwards at most `most` tokens are lacking."""
        self._refill(now)
        self._left = max(-most, self._left - tokens)

    def is_full(self, now: float) -> bool:
        """Return True if the bucket is full.

        It can be dropped then, because a new one starts full.
        """
        self._refill(now)
        return self._left >= self._burst

    def _refill(self, now: float) -> None:
        self._left = min(self._burst, self._left + max(0.0, now - self._seen) * self._rate)
        self._seen = max(self._seen, now)
