"""Sessions and passwords. Secrets never travel in commands, only their hashes."""

from hubbub.domain.commands.base import Command, Id
from hubbub.domain.model import SECURITY, Actor, user_topic
from hubbub.domain.text import ShortText


class OpenSession(Command):
    """A log-in. `token_hash` is the SHA-256 of a browser's cookie; a token session has none.

    A session ends `idle` milliseconds after it was last seen, and `longest` milliseconds after it was opened.
    """

    user: Id
    session: str
    browser: bool
    token_hash: str | None
    client: ShortText
    idle: int
    longest: int
    password_hash: str | None = None
    """A fresh hash of the same password, where the stored one was made with weaker parameters."""
    seen_hash: str | None = None
    """The stored hash the password was checked against; if it changed meanwhile, the log-in fails."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(self.user),)


class RotateSession(Command):
    """A refresh: `generation` is the one that was presented. A stale one revokes the session (reuse).

    The one before the present is answered with the same successor for `grace` milliseconds: its answer may be lost.
    """

    session: str
    user: Id
    generation: int
    grace: int
    idle: int
    longest: int

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(self.user), SECURITY)


class TouchSession(Command):
    """The session was seen just now: sent at most hourly, so that an idle one can be told from a busy one."""

    session: str
    user: Id
    idle: int
    longest: int

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(self.user),)


class RevokeSessions(Command):
    """Ends one session of the actor, or all of them but one."""

    session: str | None = None
    keep: str | None = None

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(actor.id), SECURITY)


class ChangePassword(Command):
    """A new password ends every session but `keep`; `seen_hash` is the stored hash the old one was checked against.

    With `reset_hash` the right comes from a reset link instead. `token_hash` renews the kept browser session's cookie.
    """

    user: Id
    password_hash: str
    seen_hash: str | None = None
    reset_hash: str | None = None
    keep: str | None = None
    token_hash: str | None = None

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(self.user), SECURITY)
