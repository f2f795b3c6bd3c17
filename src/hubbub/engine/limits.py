"""Rate limits per user, account name and address.

Their memory is bounded, whatever clients send.
"""

from collections import OrderedDict
from dataclasses import dataclass

from hubbub.clock import Clock
from hubbub.domain.errors import RateLimited
from hubbub.domain.names import skeleton
from hubbub.domain.text import TooLong
from hubbub.protocol.headers import network
from hubbub.protocol.ratelimit import Bucket

MAX_BUCKETS = 20_000


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate limit: `rate` per second in the long run, `burst` at once."""

    rate: float
    burst: int


SENDS = Limit(5, 20)
COMMANDS = Limit(10, 100)
ROOMS = Limit(1 / 10, 30)
SEARCHES = Limit(1, 20)
LOGINS_PER_ACCOUNT = Limit(5 / 60, 5)
LOGINS_PER_ADDRESS = Limit(20 / 60, 20)
SIGNUPS_PER_ADDRESS = Limit(5 / 3600, 5)


def _account(username: str) -> str:
    """Return the key of an account, the same for all spellings of its name.

    All names that are too long share one key.
    """
    try:
        return skeleton(username)
    except TooLong:
        return ""


class BucketTable:
    """One limit for many keys. The least recently used keys are forgotten first."""

    def __init__(self, limit: Limit, most: int = MAX_BUCKETS) -> None:
        self.refused = 0
        self._limit = limit
        self._most = most
        self._buckets: OrderedDict[object, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: object, now: float) -> float:
        """Take one token for `key`. Returns 0, or the seconds to wait if there is none."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._limit.rate, self._limit.burst, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        wait = bucket.take(now)
        self.refused += wait > 0
        return wait


class Limits:
    """All rate limits. `enabled` is False if the settings switch them off."""

    def __init__(self, clock: Clock, *, enabled: bool) -> None:
        self.enabled = enabled
        self._clock = clock
        self._sends = BucketTable(SENDS)
        self._commands = BucketTable(COMMANDS)
        self._rooms = BucketTable(ROOMS)
        self._searches = BucketTable(SEARCHES)
        self._accounts = BucketTable(LOGINS_PER_ACCOUNT)
        self._addresses = BucketTable(LOGINS_PER_ADDRESS)
        self._signups = BucketTable(SIGNUPS_PER_ADDRESS)

    @property
    def refused(self) -> dict[str, int]:
        """Return how often each limit refused a request."""
        return {
            "sends": self._sends.refused,
            "commands": self._commands.refused,
            "rooms": self._rooms.refused,
            "searches": self._searches.refused,
            "attempts_per_account": self._accounts.refused,
            "attempts_per_address": self._addresses.refused,
            "signups_per_address": self._signups.refused,
        }

    def command(self, user: int, *, sending: bool, founding: bool = False) -> float | None:
        """Count a command of the user.

        Returns None if it may be executed, else the seconds to wait. Sends have a limit of their
        own. Creating a room (`founding`) counts against the limits of commands and rooms.
        """
        if not self.enabled:
            return None
        now = self._clock.monotonic()
        wait = (self._sends if sending else self._commands).take(user, now)
        if founding and not wait:
            wait = self._rooms.take(user, now)
        return wait or None

    def search(self, user: int) -> None:
        """Count a search of the user. Raises RateLimited."""
        self._check(self._searches, user)

    def login(self, username: str, address: str) -> None:
        """Count an attempt to log in, before the password is checked. Raises RateLimited.

        The address is checked first, so that an attempt it refuses does not use up the account's
        attempts.
        """
        sentence = "Too many attempts to log in. Try again in a moment."
        self._check(self._addresses, network(address), sentence)
        self._check(self._accounts, _account(username), sentence)

    def attempt(self, address: str) -> None:
        """Count an attempt to use an invite or a one-time token. Raises RateLimited."""
        self._check(self._addresses, network(address))

    def signup(self, address: str) -> None:
        """Count a sign-up. Raises RateLimited."""
        self._check(self._signups, network(address), "Too many new accounts from your network. Try again later.")

    def _check(self, table: BucketTable, key: object, sentence: str | None = None) -> None:
        if not self.enabled:
            return
        wait = table.take(key, self._clock.monotonic())
        if wait > 0:
            raise RateLimited(sentence, retry_after=wait)
