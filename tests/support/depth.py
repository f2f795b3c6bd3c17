"""Length of long tests: short in `make test`, long in `make prove`.

Both forms are the same test with another number.
"""

import os

PROVING = bool(os.environ.get("HUBBUB_PROVE"))
LIMIT = 4 * 3_600
"""Maximum seconds for one test of `make prove`."""

_made: list[str] = []


def rounds(what: str, *, short: int, long: int) -> int:
    """Return the number of `what` the running test makes; `make prove` lists them."""
    count = long if PROVING else short
    _made.append(f"{count:,} {what}")
    return count


def made() -> list[str]:
    """Return what was counted since the last call."""
    taken = _made.copy()
    _made.clear()
    return taken
