"""When clients come back after the server has asked them to: not all at once."""

from random import uniform

FIRST, SPREAD = 1.0, 4.0
"""The shortest delay and the width of the range of delays, in seconds."""
RATE = 500
"""Clients that may come back per second. A node greets about 1,200 (see docs/performance.md)."""
WIDEST = 30.0


def delay(among: int = 0) -> float:
    """Return a random delay in seconds for one of `among` clients that are sent away together."""
    return uniform(FIRST, FIRST + min(max(SPREAD, among / RATE), WIDEST))  # noqa: S311  not a secret
