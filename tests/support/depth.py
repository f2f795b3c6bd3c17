"""How far a long test goes: its short form in `make test`, its long form in `make prove`.

Nothing is proved by the long form alone: both are the same test, with another number.
"""

import os

PROVING = bool(os.environ.get("HUBBUB_PROVE"))
LIMIT = 4 * 3_600
"""Seconds that one test of `make prove` may take."""

_made: list[str] = []


def rounds(what: str, *, short: int, long: int) -> int:
    """How many of `what` the running test makes; `make prove` lists them."""
    count = long if PROVING else short
    _made.append(f"{count:,} {what}")
    return count


def made() -> list[str]:
    """What was made since the last call."""
    taken = _made.copy()
    _made.clear()
    return taken
