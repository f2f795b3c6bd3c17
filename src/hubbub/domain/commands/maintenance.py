"""Commands the server issues itself for housekeeping."""

from hubbub.domain.commands.base import Command
from hubbub.domain.model import SITE, Actor


class TrimTopic(Command):
    """Delete the oldest entries of a log: at most `limit`, older than `before` (milliseconds)."""

    topic: str
    before: int
    limit: int = 2_000

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (self.topic,)


class ForgetInvites(Command):
    """Delete invites that were used up or expired before `before` (milliseconds), at most `limit`."""

    before: int
    limit: int = 1_000

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE,)
