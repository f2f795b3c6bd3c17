"""Internal events that close connections on every node. Clients never see them."""

from hubbub.domain.events.base import SecurityEvent
from hubbub.domain.site_settings import Value


class SessionRevoked(SecurityEvent):
    type = "session.revoked"
    session: str
    user: int


class AccountDisabled(SecurityEvent):
    """An account was disabled or deleted: all its connections close.

    `banned` tells the client not to reconnect.
    """

    type = "user.locked_out"
    user: int
    banned: bool


class IdentityRevoked(SecurityEvent):
    """Authentications of this identity before this position are void.

    `user` is None if the identity never had an account.
    """

    type = "identity.revoked"
    user: int | None = None


class FollowerChanged(SecurityEvent):
    """A follower was paused, resumed, replayed or removed, or a dead letter is to be handled again."""

    type = "follower.changed"
    follower: str


class SettingChanged(SecurityEvent):
    """A setting of the site got a value, or lost it: `value` is then None.

    Each node replaces its settings in effect.
    """

    type = "setting.changed"
    setting: str
    value: Value | None = None
    by: int
    """The actor's id, 0 for the command line."""
