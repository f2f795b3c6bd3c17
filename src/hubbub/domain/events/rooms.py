"""What happens to rooms, and to one's own list of them."""

from typing import Literal

from pydantic import Field

from hubbub.domain.events.base import Event, PersonalEvent, SiteRoomEvent
from hubbub.domain.model import SITE, Absent, History, Room, Wire, room_topic


class RoomCreated(Event):
    """Stands first in the room's own log and, for a public room, in the site's."""

    type = "room.created"
    room: Room
    """As a stranger sees it."""
    by: int
    """The creator's id."""
    name: str
    """The creator's name."""
    in_site: bool = Field(False, exclude=True)

    @property
    def topic(self) -> str:
        return SITE if self.in_site else room_topic(self.room.id)


class RoomChanges(Wire):
    """What is different; what is left out is as it was."""

    name: str | Absent = None
    topic: str | Absent = None
    """Empty if there is none any more."""
    description: str | Absent = None
    """Empty if there is none any more."""
    history: History | Absent = None
    """What newcomers may read: `all`, or what was said since they `joined`."""


class RoomUpdated(SiteRoomEvent):
    """The room is called otherwise or works otherwise; where `history` is among it, load again what it shows."""

    type = "room.updated"
    changes: RoomChanges


class RoomArchived(SiteRoomEvent):
    """Nothing more is said in the room from here on."""

    type = "room.archived"


class RoomRestored(SiteRoomEvent):
    """The room is open again."""

    type = "room.restored"


class RoomAdded(PersonalEvent):
    """The person is in the room from here on: whoever follows the person's topic subscribes."""

    type = "room.added"
    room: Room
    """As the person sees it, with all fields."""


class RoomRemoved(PersonalEvent):
    """The person is out of the room from here on: whoever follows the person's topic unsubscribes."""

    type = "room.gone"
    room: int
    """The room's id."""
    why: Literal["left", "removed", "banned"] | Absent = None
    """Left out where it ended with the account, or with the visit of a guest."""
    reason: str | Absent = None
    """What was said to the person about it."""


class SettingsChanged(PersonalEvent):
    """What a room is to the person."""

    type = "settings.changed"
    room: int
    """The room's id."""
    favourite: bool
    """Whether it stands first in one's list."""
    muted: bool
    """Whether it calls for one's attention only where one is mentioned."""
