"""What users chose as their status, and what other users see of it."""

from typing import Literal

from hubbub.domain.model.base import Absent, Timestamp, Wire

Chosen = Literal["online", "away", "dnd", "invisible"]
"""`dnd` is "do not disturb"; other users see `invisible` as `offline`."""


class Status(Wire):
    """The status a user has set."""

    status: Chosen
    """Other users see `invisible` as `offline`."""
    text: str | Absent = None
    """The status text."""
    emoji: str | Absent = None
    """The status emoji."""
    until: Timestamp | Absent = None
    """When the status returns to plain `online`."""


class Presence(Wire):
    """A user's presence, as other users see it."""

    user: int
    """The user's id."""
    status: Literal["online", "away", "dnd", "offline"]
    """`away` includes users who are idle on every device, `offline` includes invisible users."""
    text: str | Absent = None
    """The status text."""
    emoji: str | Absent = None
    """The status emoji."""
    until: Timestamp | Absent = None
    """When `text` and `emoji` expire."""


class Presences(Wire):
    """The presence of several users."""

    presences: list[Presence]
    """In the order of the request."""
