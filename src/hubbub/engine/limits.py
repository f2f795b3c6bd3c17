"""The table of rate limits: who may do how much, how often. Bounded in memory, whoever knocks and however often."""

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
    """`rate` a second in the long run, `burst` at once."""

    rate: float
    burst: int


SENDS = Limit(5, 20)
COMMANDS = Limit(10, 100)
ROOMS = Limit(1 / 10, 30)
LOGINS_PER_ACCOUNT = Limit(5 / 60, 5)
LOGINS_PER_ADDRESS = Limit(20 / 60, 20)
SIGNUPS_PER_ADDRESS = Limit(5 / 3600, 5)


def _account(username: str) -> str:
    """The account that is meant: one for all spellings of a name, and for all that is too long to be one."""
    try:
        return skeleton(username)
    except TooLong:
        return ""


class BucketTable:
    """One limit for many keys. What was not used for the longest is forgotten first."""

    def __init__(self, limit: Limit, most: int = MAX_BUCKETS) -> None:
        self.refused = 0
        self._limit = limit
        self._most = most
        self._buckets: OrderedDict[object, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: object, now: float) -> float:
        """0 if there was one to take for `key`, else the seconds until there will be."""
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
    """Every limit per time; all of them off where the settings say so."""

    def __init__(self, clock: Clock, *, enabled: bool) -> None:
        self.enabled = enabled
        self._clock = clock
        self._sends = BucketTable(SENDS)
        self._commands = BucketTable(COMMANDS)
        self._rooms = BucketTable(ROOMS)
        self._accounts = BucketTable(LOGINS_PER_ACCOUNT)
        self._addresses = BucketTable(LOGINS_PER_ADDRESS)
        self._signups = BucketTable(SIGNUPS_PER_ADDRESS)

    @property
    def refused(self) -> dict[str, int]:
        """How often each bucket was empty."""
        return {
            "sends": self._sends.refused,
            "commands": self._commands.refused,
            "rooms": self._rooms.refused,
            "attempts_per_account": self._accounts.refused,
            "attempts_per_address": self._addresses.refused,
            "signups_per_address": self._signups.refused,
        }

    def command(self, user: int, *, sending: bool, founding: bool = False) -> float | None:
        """None if the person may go on, else the seconds to wait.

        Sends have a bucket of their own; a new room takes of two.
        """
        if not self.enabled:
            return None
        now = self._clock.monotonic()
        wait = (self._sends if sending else self._commands).take(user, now)
        if founding and not wait:
            wait = self._rooms.take(user, now)
        return wait or None

    def login(self, username: str, address: str) -> None:
        """Before a password is checked. Raises RateLimited.

        The address goes first: what it refuses does not use up the account's attempts.
        """
        sentence = "Too many attempts to log in. Wait a moment."
        self._check(self._addresses, network(address), sentence)
        self._check(self._accounts, _account(username), sentence)

    def attempt(self, address: str) -> None:
        """Showing any other secret: an invite, a reset link. Raises RateLimited."""
        self._check(self._addresses, network(address))

    def signup(self, address: str) -> None:
        """Raises RateLimited."""
        self._check(self._signups, network(address), "Too many new accounts from here. Try again later.")

    def _check(self, table: BucketTable, key: object, sentence: str | None = None) -> None:
        if not self.enabled:
            return
        wait = table.take(key, self._clock.monotonic())
        if wait > 0:
            raise RateLimited(sentence, retry_after=wait)
