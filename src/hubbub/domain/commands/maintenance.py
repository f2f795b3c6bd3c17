"""What the server asks of itself."""

from hubbub.domain.commands.base import Command
from hubbub.domain.model import SITE, Actor


class TrimTopic(Command):
    """Forgets a prefix of a topic's log: at most `limit` entries older than `before` (milliseconds)."""

    topic: str
    before: int
    limit: int = 2_000

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (self.topic,)


class ForgetInvites(Command):
    """Forgets at most `limit` invites that were used up or expired before then (milliseconds)."""

    before: int
    limit: int = 1_000

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE,)
