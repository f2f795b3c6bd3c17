"""Followers: durable consumers of topics."""

from typing import Literal, NamedTuple

from typing_extensions import TypedDict

FollowerState = Literal["starting", "running", "paused"]


class Lease(NamedTuple):
    """A follower as its process needs it. `fence` is 0 if another process owns it."""

    state: str
    fence: int
    attempts: int
    failing_since: int | None
    next_attempt_at: int | None
    retries: bool
    """Whether dead letters are to be handled again."""


class Leases(TypedDict):
    """The followers of a process by name. A follower that was removed is absent."""

    leases: dict[str, Lease]


class Progress(TypedDict):
    """How far a command that works in steps has come; None when it is done."""

    after: str | None


class Advanced(TypedDict):
    """The outcome of each move, in their order."""

    outcomes: list[Literal["moved", "moved_before", "moved_elsewhere", "fenced"]]
