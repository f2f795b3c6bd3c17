"""Rate limits per user, account name and address.

Their memory is bounded, whatever clients send. They hold for the whole site, within bounds
(`shared_limits`).
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from hubbub.clock import Clock
from hubbub.domain.errors import RateLimited
from hubbub.domain.names import check_user_name, skeleton
from hubbub.engine.ports import Bus
from hubbub.engine.shared_limits import SharedLimits, digest
from hubbub.protocol.headers import network
from hubbub.protocol.ratelimit import Bucket

MAX_BUCKETS = 20_000
TOO_MANY_LOGINS = "Too many attempts to log in. Try again in a moment."
DEBT = 3
"""Bursts that a bucket may lack: a client may use up the bursts of four nodes at once, and pays for all of them."""
QUIET_RATE = 1 / 8
"""The part of a user's rate up to which a node does not tell the others."""
QUIET_BURST = 1 / 4
"""The same for the burst."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate limit: `rate` per second in the long run, `burst` at once."""

    rate: float
    burst: int


SENDS = Limit(5, 20)
GUEST_SENDS = Limit(10, 40)
"""Messages of all guests of one network."""
COMMANDS = Limit(10, 100)
ROOMS = Limit(1 / 10, 30)
SEARCHES = Limit(1, 20)
READS = Limit(50, 1_000)
"""Enough to catch up in a thousand rooms at once. A large answer costs more than one."""
READ_BYTES = 32 * 1024
"""Bytes of an answer that cost as much as a small one."""
HELLOS = Limit(1, 30)
"""Log-ins of connections: each reads all rooms of the user. The burst is for devices that come back together."""
REFRESHES = Limit(1 / 10, 20)
LOGINS_PER_ACCOUNT = Limit(5 / 60, 5)
"""For one account from one network, or from one device that has logged in before."""
LOGINS_PER_ACCOUNT_IN_ALL = Limit(20 / 60, 60)
"""From all networks that are new to the account: so many guesses that it takes several of them."""
CONFIRMATIONS = Limit(5 / 60, 5)
MAX_KNOWN = 20_000
"""Networks from which accounts have logged in, as far as they are remembered."""
LOGINS_PER_ADDRESS = Limit(20 / 60, 20)
SIGNUPS_PER_ADDRESS = Limit(5 / 3600, 5)


def account_key(username: str) -> str:
    """Return the key of an account, the same for all spellings of its name.

    All names that no account can have share one key.
    """
    try:
        return skeleton(check_user_name(username))
    except ValueError:
        return ""


class BucketTable:
    """One limit for many keys. The least recently used keys are forgotten first."""

    def __init__(self, limit: Limit, most: int = MAX_BUCKETS) -> None:
        self.refused = 0
        self.on_taken: Callable[[Hashable, float], None] | None = None
        """Called with the key and the time of each token that is given out."""
        self._limit = limit
        self._most = most
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: Hashable, now: float) -> float:
        """Take one token for `key`. Returns 0, or the seconds to wait if there is none."""
        wait = self._bucket(key, now).take(now)
        if wait > 0:
            self.refused += 1
        elif self.on_taken is not None:
            self.on_taken(key, now)
        return wait

    def charge(self, key: Hashable, tokens: int, now: float) -> None:
        """Take tokens that another node has given out. `key` may lack up to DEBT bursts then."""
        self._bucket(key, now).charge(tokens, now, DEBT * self._limit.burst)

    def _bucket(self, key: Hashable, now: float) -> Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self._limit.rate, self._limit.burst, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket


class Limits:
    """All rate limits. `enabled` is False if the settings switch them off.

    With a `bus`, the nodes of the site tell each other what they have counted.
    """

    def __init__(self, clock: Clock, *, enabled: bool, bus: Bus | None = None) -> None:
        self.enabled = enabled
        self._clock = clock
        self._sends = BucketTable(SENDS)
        self._guest_sends = BucketTable(GUEST_SENDS)
        self._commands = BucketTable(COMMANDS)
        self._rooms = BucketTable(ROOMS)
        self._searches = BucketTable(SEARCHES)
        self._reads = BucketTable(READS)
        self._hellos = BucketTable(HELLOS)
        self._refreshes = BucketTable(REFRESHES)
        self._accounts = BucketTable(LOGINS_PER_ACCOUNT)
        self._accounts_in_all = BucketTable(LOGINS_PER_ACCOUNT_IN_ALL)
        self._confirmations = BucketTable(CONFIRMATIONS)
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Accounts with a network from which they have logged in, the latest last."""
        self._addresses = BucketTable(LOGINS_PER_ADDRESS)
        self._signups = BucketTable(SIGNUPS_PER_ADDRESS)
        self._shared = self._share(bus) if bus is not None and enabled else None

    def _share(self, bus: Bus) -> SharedLimits:
        quiet = {"sends": SENDS, "commands": COMMANDS, "searches": SEARCHES, "reads": READS, "hellos": HELLOS}
        tables = {
            "sends": self._sends, "commands": self._commands, "searches": self._searches, "rooms": self._rooms,
            "guest_sends": self._guest_sends, "reads": self._reads, "hellos": self._hellos,
            "refreshes": self._refreshes,
            "accounts": self._accounts, "accounts_in_all": self._accounts_in_all, "addresses": self._addresses,
            "confirmations": self._confirmations, "signups": self._signups,
        }  # fmt: skip
        shared = SharedLimits(bus, self._clock.monotonic, tables)
        for name, table in tables.items():
            table.on_taken = _tell(shared, name, quiet.get(name))
        return shared

    def stop(self) -> None:
        if self._shared is not None:
            self._shared.stop()

    @property
    def refused(self) -> dict[str, int]:
        """Return how often each limit refused a request."""
        return {
            "sends": self._sends.refused,
            "guest_sends": self._guest_sends.refused,
            "commands": self._commands.refused,
            "rooms": self._rooms.refused,
            "searches": self._searches.refused,
            "reads": self._reads.refused,
            "hellos": self._hellos.refused,
            "refreshes": self._refreshes.refused,
            "attempts_per_account": self._accounts.refused,
            "attempts_per_account_in_all": self._accounts_in_all.refused,
            "confirmations": self._confirmations.refused,
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

    def guest_sends(self, address: str) -> None:
        """Count a message of a guest for the network. Raises RateLimited."""
        self._check(self._guest_sends, network(address), "The guests of your network send too many messages.")

    def search(self, user: int) -> None:
        """Count a search of the user. Raises RateLimited."""
        self._check(self._searches, user)

    def read(self, user: int) -> None:
        """Count a request of the user that only reads. Raises RateLimited."""
        self._check(self._reads, user)

    def has_read(self, user: int, size: int) -> None:
        """Count an answer of so many bytes. Later reads wait for it."""
        if self.enabled and size >= READ_BYTES:
            self._reads.charge(user, size // READ_BYTES, self._clock.monotonic())

    def hello(self, user: int) -> None:
        """Count a connection that logs in as the user. Raises RateLimited."""
        self._check(self._hellos, user)

    def refresh(self, user: int) -> None:
        """Count a refresh of the user's tokens. Raises RateLimited."""
        self._check(self._refreshes, user)

    def login(self, username: str, address: str, device: str | None = None) -> None:
        """Count an attempt to log in, before the password is checked. Raises RateLimited.

        Guesses of others do not lock a user out: a device that has logged in to the account before
        (`device` is its id) counts alone. The address is checked first, so that an attempt it
        refuses does not use up the account's attempts.
        """
        account, place = account_key(username), network(address)
        if device is not None:
            self._check(self._accounts, f"{account}\n{device}", TOO_MANY_LOGINS)
            return
        self._check(self._addresses, place, TOO_MANY_LOGINS)
        self._check(self._accounts, f"{account}\n{place}", TOO_MANY_LOGINS)
        if (account, place) not in self._known:
            self._check(self._accounts_in_all, account, TOO_MANY_LOGINS)

    def logged_in(self, username: str, address: str) -> None:
        """Note that the user has logged in from this address: the network is not new to the account."""
        known = (account_key(username), network(address))
        self._known[known] = None
        self._known.move_to_end(known)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def confirm(self, session: str) -> None:
        """Count an attempt of a logged-in user to confirm their password. Raises RateLimited.

        It counts for the session, so that the attempts of other users do not matter.
        """
        self._check(self._confirmations, session, TOO_MANY_LOGINS)

    def attempt(self, address: str) -> None:
        """Count an attempt to use an invite or a one-time token. Raises RateLimited."""
        self._check(self._addresses, network(address))

    def signup(self, address: str) -> None:
        """Count a sign-up. Raises RateLimited."""
        self._check(self._signups, network(address), "Too many new accounts from your network. Try again later.")

    def _check(self, table: BucketTable, key: Hashable, sentence: str | None = None) -> None:
        if not self.enabled:
            return
        if self._shared is not None and isinstance(key, str):
            key = digest(key)
        wait = table.take(key, self._clock.monotonic())
        if wait > 0:
            raise RateLimited(sentence, retry_after=wait)


def _tell(shared: SharedLimits, name: str, limit: Limit | None) -> Callable[[Hashable, float], None]:
    """Return a function that reports a token: each one, or with a `limit` those of keys near it."""
    if limit is None:
        return lambda key, _now: shared.taken(name, key)
    allowance = BucketTable(Limit(limit.rate * QUIET_RATE, round(limit.burst * QUIET_BURST)))

    def tell(key: Hashable, now: float) -> None:
        if allowance.take(key, now) > 0:
            shared.taken(name, key)

    return tell
