"""Commands the server issues itself for housekeeping."""

from typing import Literal

from hubbub.domain.commands.base import Command, Requires
from hubbub.domain.model import SITE, Actor, Gone


class TrimTopic(Command[Gone]):
    """Delete at most `limit` entries of a log older than `before` (milliseconds)."""

    requires = (Requires.SYSTEM,)
    topic: str
    before: int
    limit: int = 2_000
    fence: int | None = None
    """The fencing number of the lease of housekeeping; None on a site of one process."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (self.topic,)


Prunable = Literal["answers", "invites", "tokens"]
"""Answers that are kept for retries, invites, and one-time tokens."""


class Prune(Command[Gone]):
    """Delete at most `limit` rows that ended before `before` (milliseconds)."""

    requires = (Requires.SYSTEM,)
    what: Prunable
    before: int
    limit: int = 1_000
    fence: int | None = None

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE,)
