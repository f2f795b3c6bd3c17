"""Commands the server issues itself for housekeeping."""

from hubbub.domain.commands.base import Command, Requires
from hubbub.domain.model import SITE, Actor, Gone


class TrimTopic(Command[Gone]):
    """Delete at most `limit` entries of a log older than `before` (milliseconds)."""

    requires = (Requires.SYSTEM,)
    topic: str
    before: int
    limit: int = 2_000

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (self.topic,)


class ForgetInvites(Command[Gone]):
    """Delete at most `limit` invites that ended before `before` (milliseconds)."""

    requires = (Requires.SYSTEM,)
    before: int
    limit: int = 1_000

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE,)
