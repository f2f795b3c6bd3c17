"""Everything that can happen. Durable events are entries of a topic's log; the journal gives each its position.

On the wire an event is one flat object: ``{"topic", "seq", "type", "at", …its own fields}``.
"""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from hubbub.domain.model import SECURITY, SITE, Room, Session, Wire, room_topic, user_topic


class Event(Wire):
    """Something that happened. `type` is its wire name; `topic` says whose log it belongs to."""

    type: ClassVar[str]

    @property
    def topic(self) -> str:
        raise NotImplementedError


class RoomEvent(Event):
    room: int

    @property
    def topic(self) -> str:
        return room_topic(self.room)


class MessageSent(RoomEvent):
    type = "message.sent"
    by: int
    name: str
    n: int
    key: str
    body: str | None


class MemberJoined(RoomEvent):
    type = "member.joined"
    user: int
    name: str
    by: int


class MemberLeft(RoomEvent):
    type = "member.left"
    user: int
    name: str
    by: int


class MemberRemoved(RoomEvent):
    type = "member.removed"
    user: int
    name: str
    by: int


class RoomCreated(Event):
    """Stands first in the room's own log and, for a public room, in the site's."""

    type = "room.created"
    room: Room
    by: int
    name: str
    in_site: bool = Field(False, exclude=True)

    @property
    def topic(self) -> str:
        return SITE if self.in_site else room_topic(self.room.id)


class PersonalEvent(Event):
    """Goes to one person's own topic, which all devices of that person share."""

    person: int = Field(exclude=True)

    @property
    def topic(self) -> str:
        return user_topic(self.person)


class RoomAdded(PersonalEvent):
    """The person is in the room from here on: whoever follows the person's topic subscribes."""

    type = "room.added"
    room: Room


class RoomGone(PersonalEvent):
    """The person is out of the room from here on: whoever follows the person's topic unsubscribes."""

    type = "room.gone"
    room: int


class ReadMoved(PersonalEvent):
    """`read` is the position in the room up to which the person has read."""

    type = "read.moved"
    room: int
    read: int
    unread: int


class SessionOpened(PersonalEvent):
    type = "session.opened"
    session: Session


class SessionClosed(PersonalEvent):
    type = "session.closed"
    session: str


class SecurityEvent(Event):
    """Internal: every node follows this topic; no client ever sees it."""

    @property
    def topic(self) -> str:
        return SECURITY


class SessionRevoked(SecurityEvent):
    type = "session.revoked"
    session: str
    user: int


class UserLockedOut(SecurityEvent):
    """All of the person's connections end. `banned` tells the client to stay away."""

    type = "user.locked_out"
    user: int
    banned: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One event at its position. `text` is the encoded wire object; it is stored, sent and replayed as it is."""

    topic: str
    seq: int
    event: Event
    text: bytes


EVENTS: tuple[type[Event], ...] = (
    MessageSent, MemberJoined, MemberLeft, MemberRemoved, RoomCreated, RoomAdded, RoomGone, ReadMoved,
    SessionOpened, SessionClosed, SessionRevoked, UserLockedOut,
)  # fmt: skip
BY_TYPE: dict[str, type[Event]] = {event.type: event for event in EVENTS}
