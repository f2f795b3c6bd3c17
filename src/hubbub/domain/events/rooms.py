"""Events of rooms, and of a user's own list of rooms."""

from typing import Literal

from hubbub.domain.events.base import PersonalEvent, SiteRoomEvent
from hubbub.domain.model import Absent, History, Room, Wire


class RoomCreated(SiteRoomEvent):
    """The room was created. This is the first event in its log.
    For a public room, it is in the site's log, too."""

    type = "room.created"
    details: Room
    """The room as a non-member sees it."""


class RoomChanges(Wire):
    """The changed fields of a room. Fields that are left out did not change."""

    name: str | Absent = None
    topic: str | Absent = None
    """Empty if it was removed."""
    description: str | Absent = None
    """Empty if it was removed."""
    history: History | Absent = None
    """What new members may read: `all` messages, or only those sent since they `joined`."""


class RoomUpdated(SiteRoomEvent):
    """The room changed. If `history` is among the changes, reload the room's messages."""

    type = "room.updated"
    changes: RoomChanges


class RoomArchived(SiteRoomEvent):
    """The room was archived and is read-only."""

    type = "room.archived"


class RoomRestored(SiteRoomEvent):
    """The archived room was restored."""

    type = "room.restored"


class RoomAdded(PersonalEvent):
    """The user became a member of the room.
    The user's connections follow the room from now on."""

    type = "room.added"
    room: int
    """The room's id."""
    details: Room
    """The room as the user sees it, with all fields."""


class RoomRemoved(PersonalEvent):
    """The user is no longer a member of the room.
    The user's connections no longer follow it."""

    type = "room.removed"
    room: int
    """The room's id."""
    why: Literal["left", "removed", "banned"] | Absent = None
    """Left out if the membership ended with the user's account."""
    reason: str | Absent = None
    """The reason of a ban, as the moderator gave it."""


class RoomPreferencesChanged(PersonalEvent):
    """The user's own preferences for a room changed."""

    type = "room.preferences_changed"
    room: int
    """The room's id."""
    favourite: bool
    """Whether the room is listed first in the user's list."""
    muted: bool
    """Whether only mentions in the room notify the user."""
