"""Commands for sessions and passwords. They carry only the hashes of secrets."""

from hubbub.domain.commands.base import Command, Id
from hubbub.domain.model import SECURITY, Actor, Generation, Nothing, SessionAnswer, user_topic
from hubbub.domain.text import ShortText


class OpenSession(Command[SessionAnswer]):
    """Log in.

    `token_hash` is the SHA-256 of a browser's cookie; a token session has none. A session ends
    `idle` milliseconds after the server last saw it, and `longest` milliseconds after it was
    opened.
    """

    requires = ()
    user: Id
    session: str
    browser: bool
    token_hash: str | None
    client: ShortText
    idle: int
    longest: int
    password_hash: str | None = None
    """A new hash of the same password, if the stored hash used weaker parameters."""
    seen_hash: str | None = None
    """The stored hash the password was checked against. If it has changed since, the log-in fails."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(self.user),)


class RotateSession(Command[Generation]):
    """Refresh a session. `generation` is that of the presented refresh token.

    A stale generation means that the token was reused and revokes the session. For `grace`
    milliseconds the previous generation gets the current one again, because the answer to the
    first refresh may have been lost.
    """

    requires = ()
    session: str
    user: Id
    generation: int
    grace: int
    idle: int
    longest: int

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(self.user), SECURITY)


class TouchSession(Command[Nothing]):
    """Note that a session is in use.

    Sent once a minute at most; idle sessions expire earlier. `issued_at` is when the access token
    was issued with which it is used, in seconds since 1970: a token from after the last refresh
    confirms that the client has got the new pair.
    """

    requires = ()
    session: str
    user: Id
    idle: int
    longest: int
    issued_at: int | None = None

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(self.user),)


class RevokeSessions(Command[Nothing]):
    """Log out: end one session of the actor, or all of them except `keep`."""

    session: str | None = None
    keep: str | None = None

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(actor.id), SECURITY)


class ChangePassword(Command[Nothing]):
    """Set a new password and end all of the user's sessions except `keep`.

    `seen_hash` is the stored hash the old password was checked against. `reset_hash` is the hash of
    a reset token, which replaces the old password. `token_hash` renews the cookie of the kept
    browser session.
    """

    user: Id
    password_hash: str
    seen_hash: str | None = None
    reset_hash: str | None = None
    keep: str | None = None
    token_hash: str | None = None

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(self.user), SECURITY)
