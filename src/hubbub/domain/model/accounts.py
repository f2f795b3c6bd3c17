"""Sessions, invites and one-time tokens."""

from typing import Literal

from hubbub.domain.model.base import Absent, Timestamp, Wire

TokenPurpose = Literal["setup", "reset"]
"""What a one-time token is for: to create the first owner, or to set a new password."""


class Session(Wire):
    """A log-in of a user on one device."""

    id: str
    kind: Literal["browser", "token"]
    """`browser` sessions use a cookie, `token` sessions use bearer tokens."""
    client: str
    """The name of the client, such as "Firefox on Linux"; empty if it is unknown."""
    created_at: Timestamp
    last_seen_at: Timestamp
    expires_at: Timestamp
    """When the session ends if it is not used again."""
    current: bool
    """Whether this is the session of the request."""


class Invite(Wire):
    """A permission to sign up or to join a room."""

    id: str
    uses: int
    """How often the invite was used."""
    max_uses: int | None
    """How often the invite can be used; null for any number."""
    created_by: int
    """The creator's id."""
    created_at: Timestamp
    expires_at: Timestamp | None
    """Null if the invite never expires."""
    room: int | Absent = None
    """The id of the room the invite leads into, if any."""
    signup: bool = True
    """Whether new users can sign up with it. Otherwise only users with an account can use it."""
    token: str | Absent = None
    """Only in the answer that creates the invite: the server stores a hash."""
    link: str | Absent = None
    """The URL to share; present together with `token`."""
