"""Sessions and invites."""

from typing import Literal

from hubbub.domain.model.base import Absent, Timestamp, Wire


class Session(Wire):
    """One place where somebody is logged in."""

    id: str
    kind: Literal["browser", "token"]
    """`browser` is known by a cookie, `token` by bearer tokens."""
    client: str
    """What the client called itself, such as "Firefox on Linux"; empty if that said nothing."""
    created_at: Timestamp
    last_seen_at: Timestamp
    expires_at: Timestamp
    """When it ends if it is not seen again."""
    current: bool
    """Whether it is the one that asks."""


class Invite(Wire):
    """A way in for others."""

    id: str
    uses: int
    """How often it was used."""
    max_uses: int | None
    """How often it can be used; null for any number."""
    created_by: int
    created_at: Timestamp
    expires_at: Timestamp | None
    """Null for never."""
    room: int | Absent = None
    """The id of the room it leads into, if it is for one."""
    signup: bool = True
    """Whether it opens an account; else it is for those who have one."""
    token: str | Absent = None
    """In the answer that makes the invite and nowhere else: the store keeps a hash."""
    link: str | Absent = None
    """The address to give away; where `token` is."""
