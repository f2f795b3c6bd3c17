"""What a follower is: its scope, its types of events, and what it does with them."""

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence

from hubbub.domain.commands.followers import (
    FollowerCommand,
)
from hubbub.domain.events import Entry

MAX_CHARACTERS = 256 * 1024
"""Characters of entries that a follower has in memory, unless it wants fewer. At least one entry."""
FIRST_BACKOFF = 1.0
MAX_BACKOFF = 3_600.0


class Follower(ABC):
    """A durable consumer of topics. All methods are called on the event loop.

    `scope` is one topic, or the beginning of topics, which ends with a colon, such as `room:`.
    `types` are the types of events that `handle` gets; other entries only move the position.
    """

    name: str
    """Unique: its kind, and after a colon which one of its kind, as in `search` or `webhook:12`."""
    scope: str
    types: frozenset[str]
    parallel: int = 4
    """How many topics are handled at a time."""
    max_entries: int = 100
    """How many entries `handle` gets at a time, at most."""
    max_characters: int = MAX_CHARACTERS
    """Characters of the entries that are in memory at a time, but at least one entry."""
    slow: bool = False
    """Whether the follower takes long at present. It may change at any time."""
    pause: float = 0.0
    """Seconds for which the follower collects new entries after it has handled some."""

    @abstractmethod
    async def handle(self, topic: str, entries: Sequence[Entry]) -> FollowerCommand | None:
        """Handle entries of one topic, in order.

        Returns a command that stores the effect and the position in one transaction: its handler
        calls `features.shared.followers.advance` first. Or returns None after the effect; the
        engine then stores the position.

        The same entries may come again, also in other groups: (topic, seq) identifies an effect.

        Raises Poison, RetryLater. Any other exception is a failure of an entry, which is
        repeated later, and MAX_ATTEMPTS times in all.
        """

    @abstractmethod
    async def reset(self, topic: str, floor: int) -> FollowerCommand | None:
        """Note that what this topic had between the position and `floor` is gone.

        The log was trimmed, or a backup was restored. `floor` is the new position. Returns and
        raises the same as `handle`.
        """


class Poison(Exception):
    """The entry with this seq can never be handled: it becomes a dead letter.

    `reason` is shown to staff. It must not contain text of messages.
    """

    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(seq, reason)
        self.seq = seq
        self.reason = reason


class RetryLater(Exception):
    """The follower cannot work now, however good its entries are. Without `most`, no entry becomes a dead letter.

    The whole follower waits for `seconds`, or, with `only_topic`, this topic alone. Without
    `seconds` the engine waits longer after every failure, up to MAX_BACKOFF, and `at_least` as many
    seconds in any case. `done` is the seq up to which the entries were handled before the failure.
    `reason` is shown to staff.

    With `most`, the entry `failed` becomes a dead letter after so many attempts in a row, and the
    next one is tried as late as this one would have been. `refused` tells that the receiver works
    and did not take the entry: a dead letter that is handled again then stays one.
    """

    def __init__(
        self,
        seconds: float | None = None,
        reason: str = "",
        *,
        at_least: float | None = None,
        done: int | None = None,
        only_topic: bool = False,
        failed: int | None = None,
        most: int | None = None,
        refused: bool = False,
    ) -> None:
        super().__init__(seconds, reason)
        self.seconds = seconds
        self.reason = reason
        self.at_least = at_least
        self.done = done
        self.only_topic = only_topic
        self.failed = failed
        self.most = most
        self.refused = refused

    def wait(self, attempts: int) -> float:
        """Return the seconds to wait after so many failures in a row."""
        seconds = backoff(attempts) if self.seconds is None else self.seconds
        return seconds if self.at_least is None else max(seconds, self.at_least)

    def gives_up(self, attempts: int) -> bool:
        return self.failed is not None and self.most is not None and attempts >= self.most


def backoff(attempts: int) -> float:
    """Return the seconds to wait after so many failures: twice as long each time, up to an hour."""
    longest: float = min(MAX_BACKOFF, FIRST_BACKOFF * 2 ** min(attempts - 1, 30))
    return longest * random.uniform(0.8, 1.0)  # noqa: S311  not a secret
