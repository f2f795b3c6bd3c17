"""Rate limits for a whole site: nodes tell each other which tokens they have taken.

Each node decides alone, from buckets of its own, and takes from them what the others tell. So a
client that uses N nodes at once can exceed a burst N times, within INTERVAL. It pays for that later:
a bucket may lack tokens. In the long run the rate of one node holds. Signals may be lost: then the
limit is looser, as it is while the bus is away.

Most users are far from their limits. Where a table has an `allowance`, a node says nothing about keys
that take tokens at less than a part of the rate.
"""

import asyncio
from collections.abc import Callable, Hashable, Mapping
from hashlib import blake2b
from heapq import nlargest
from typing import Any, Protocol

from hubbub.engine.ports import Bus

KIND = "limits"
INTERVAL = 0.25
"""Seconds between two reports, at least. The first one after a pause is sent at once."""
MAX_KEYS = 100
"""Keys of a signal."""
MAX_SIGNALS = 4
"""Signals of a report. What does not fit waits for the next one, the keys with the fewest tokens longest."""
MAX_WAITING = 5_000
"""Keys that wait to be reported. More are left out."""
MAX_TOKENS = 1_000
"""Tokens of a key in a signal."""
MAX_KEY = 2**53
DIGEST = 8
"""Bytes of a key that is not a number. What is typed as a user name may be a password."""


class Charged(Protocol):
    """A table of buckets."""

    def charge(self, key: Hashable, tokens: int, now: float) -> None:
        """Take tokens that another node has given out."""


class SharedLimits:
    """What this node tells the others about its tables, and hears about theirs."""

    def __init__(self, bus: Bus, monotonic: Callable[[], float], tables: Mapping[str, Charged]) -> None:
        self._bus = bus
        self._monotonic = monotonic
        self._tables = tables
        self._waiting: dict[tuple[str, Hashable], int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._reported_at = float("-inf")
        bus.on_signal(KIND, self.hear, any_epoch=True)

    def taken(self, table: str, key: Hashable) -> None:
        """Note a token that this node has given out, to report it soon."""
        known = (table, key)
        if known not in self._waiting and len(self._waiting) >= MAX_WAITING:
            return
        self._waiting[known] = self._waiting.get(known, 0) + 1
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, self._reported_at + INTERVAL - loop.time()), self._report)

    def hear(self, _node: str, content: Mapping[str, Any]) -> None:
        """Take from the tables what another node tells. Raises ValueError, TypeError, LookupError."""
        found = content["taken"]
        if not isinstance(found, list) or len(found) > MAX_KEYS:
            raise ValueError("no list of keys")
        for table, key, tokens in found:
            if not isinstance(table, str):
                raise ValueError("no table")
            if type(tokens) is not int or not 0 < tokens <= MAX_TOKENS or not _is_key(key):
                raise ValueError("no key with tokens")
        now = self._monotonic()
        for table, key, tokens in found:
            known = self._tables.get(table)
            if known is not None:  # else of a later version
                known.charge(key, tokens, now)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _report(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer, self._reported_at = None, loop.time()
        waiting, most = self._waiting, MAX_KEYS * MAX_SIGNALS
        if len(waiting) <= most:
            chosen, self._waiting = list(waiting.items()), {}
        else:
            chosen = nlargest(most, waiting.items(), key=lambda item: item[1])
            for known, _ in chosen:
                del waiting[known]
            self._timer = loop.call_later(INTERVAL, self._report)
        for start in range(0, len(chosen), MAX_KEYS):
            part = chosen[start : start + MAX_KEYS]
            told = [[table, key, min(tokens, MAX_TOKENS)] for (table, key), tokens in part]
            self._bus.signal(KIND, {"taken": told})


def digest(key: str) -> str:
    """Return the form of a key on the bus."""
    return blake2b(key.encode(errors="surrogatepass"), digest_size=DIGEST).hexdigest()


def _is_key(key: object) -> bool:
    if isinstance(key, str):
        return len(key) == 2 * DIGEST
    return type(key) is int and 0 <= key < MAX_KEY
