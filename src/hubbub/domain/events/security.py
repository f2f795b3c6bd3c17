"""What ends connections, on every node. No client ever sees these."""

from hubbub.domain.events.base import SecurityEvent


class SessionRevoked(SecurityEvent):
    type = "session.revoked"
    session: str
    user: int


class AccountDisabled(SecurityEvent):
    """All of the person's connections end. `banned` tells the client to stay away."""

    type = "user.locked_out"
    user: int
    banned: bool


class IdentityRevoked(SecurityEvent):
    """Whoever was recognised as this person before this position is not any more. No `user`: never seen here."""

    type = "identity.revoked"
    user: int | None
