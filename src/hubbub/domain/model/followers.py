"""Followers: durable consumers of topics."""

from typing import Literal, NamedTuple

from typing_extensions import TypedDict

from hubbub.domain.model.base import Timestamp, Wire

FollowerState = Literal["starting", "running", "paused"]


class Lease(NamedTuple):
    """A follower as its process needs it. `fence` is 0 if another process owns it."""

    state: str
    fence: int
    attempts: int
    failing_since: int | None
    next_attempt_at: int | None
    replaying: bool
    """Whether positions in all topics are to be set back."""
    retries: bool
    """Whether dead letters are to be handled again."""
    until: int
    """The stored end of the lease, in milliseconds by the clock of its owner."""


class Leases(TypedDict):
    """The followers of a process by name. A follower that was removed is absent."""

    leases: dict[str, Lease]


class Progress(TypedDict):
    """How far a command that works in steps has come; None when it is done."""

    after: str | None


class Advanced(TypedDict):
    """The outcome of each move, in their order."""

    outcomes: list[Literal["moved", "moved_before", "moved_elsewhere", "fenced"]]


class Follower(Wire):
    """A durable consumer of topics, such as the search index, as staff sees it."""

    name: str
    scope: str
    """The topic that it follows, or the beginning of its topics, such as `room:`."""
    state: FollowerState
    created_at: Timestamp
    topic_count: int
    """The number of topics with entries that it has not handled yet."""
    entry_count: int
    """The number of these entries."""
    oldest_at: Timestamp | None
    """The time of the oldest of these entries."""
    dead_letter_count: int
    failing_since: Timestamp | None
    next_attempt_at: Timestamp | None
    last_error: str | None
    last_error_at: Timestamp | None


class DeadLetter(Wire):
    """An entry of the log that a follower could not handle."""

    topic: str
    seq: int
    at: Timestamp
    """When the follower gave up."""
    attempts: int
    reason: str
    retry: bool
    """Whether the follower will handle the entry again."""
