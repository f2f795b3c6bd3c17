"""Everything that can happen. Durable events are entries of a topic's log; the journal gives each its position.

On the wire an event is one flat object: ``{"topic", "seq", "type", "at", …its own fields}``.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, GetJsonSchemaHandler, SkipValidation
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from typing_extensions import TypeAliasType

from hubbub.domain.model import SECURITY, SITE, TIMESTAMP, Room, Session, Wire, room_topic, user_topic

ENVELOPE: dict[str, JsonSchemaValue] = {
    "topic": {"type": "string", "description": "Whose log: `room:ID`, `user:ID` or `site`."},
    "seq": {"type": "integer", "description": "The position in the topic, counted from 1 without a gap."},
    "type": {"type": "string"},
    "at": {**TIMESTAMP, "description": "When; it orders nothing."},
}


class Event(Wire):
    """Something that happened. `type` is its wire name; `topic` says whose log it belongs to."""

    type: ClassVar[str]

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """What goes over the wire: the event's own fields behind its position."""
        found = handler(schema)
        own = handler.resolve_ref_schema(found)
        own["properties"] = {**ENVELOPE, "type": {"type": "string", "const": cls.type}, **own["properties"]}
        own["required"] = [*ENVELOPE, *own["required"]]
        return found

    @property
    def topic(self) -> str:
        raise NotImplementedError


class RoomEvent(Event):
    """Goes to the members of one room."""

    room: int
    """The room's id."""

    @property
    def topic(self) -> str:
        return room_topic(self.room)


class MessageSent(RoomEvent):
    """Somebody said something."""

    type = "message.sent"
    by: int
    """The author's id."""
    name: str
    """The author's name at that time."""
    n: int
    """The number of the message in its room, counted from 1 without a gap."""
    key: str
    """What the author gave to make a retry harmless: whoever has it in his outbox knows his own message by it."""
    body: str | None
    """Null where a later event has taken the text away."""


class MembershipEvent(RoomEvent):
    """Something happened to a membership."""

    user: int
    """Whose membership."""
    name: str
    """That person's name at that time."""
    by: int
    """Who did it."""


class MemberJoined(MembershipEvent):
    """Somebody is a member from here on."""

    type = "member.joined"


class MemberLeft(MembershipEvent):
    """Somebody has left."""

    type = "member.left"


class MemberRemoved(MembershipEvent):
    """Somebody was removed by somebody else."""

    type = "member.removed"


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
    """As the person sees it, with all fields."""


class RoomGone(PersonalEvent):
    """The person is out of the room from here on: whoever follows the person's topic unsubscribes."""

    type = "room.gone"
    room: int
    """The room's id."""


class ReadMoved(PersonalEvent):
    """The person has read on, on whatever device."""

    type = "read.moved"
    room: int
    """The room's id."""
    read: int
    """The seq in the room's log up to which the person has read."""
    unread: int
    """How many messages came after it."""


class SessionOpened(PersonalEvent):
    """The person has logged in somewhere."""

    type = "session.opened"
    session: Session


class SessionClosed(PersonalEvent):
    """One of the person's sessions has ended; its connections close with 4503."""

    type = "session.closed"
    session: str
    """The session's id."""


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


class IdentityRevoked(SecurityEvent):
    """Whoever was recognised as this person before this position is not any more. No `user`: never seen here."""

    type = "identity.revoked"
    user: int | None


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
    IdentityRevoked,
)  # fmt: skip
BY_TYPE: dict[str, type[Event]] = {event.type: event for event in EVENTS}


class _ByType:
    """Tells the reader of a schema which field decides."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        refs = handler(schema)["anyOf"]
        mapping = {handler.resolve_ref_schema(ref)["properties"]["type"]["const"]: ref["$ref"] for ref in refs}
        return {"oneOf": refs, "discriminator": {"propertyName": "type", "mapping": mapping}}


ClientEvent = (
    MessageSent | MemberJoined | MemberLeft | MemberRemoved | RoomCreated | RoomAdded | RoomGone | ReadMoved
    | SessionOpened | SessionClosed
)  # fmt: skip
CLIENT_EVENTS: tuple[type[Event], ...] = get_args(ClientEvent)
ChatEvent = TypeAliasType("ChatEvent", Annotated[ClientEvent, SkipValidation, _ByType()])
"""An event as it stands in the log and goes over the wire: encoded already, so that no model looks at it again."""


class EventPage(Wire):
    """What happened after the asked position: in order, without a hole."""

    epoch: str
    events: list[ChatEvent]
    head: int
    """The topic's newest seq; if the last event is below it, there is more."""


class NoWay(Wire):
    """There is no way from that position to the present: load the state and go on from its heads."""

    epoch: str
    reset: Literal[True]
    head: int
    """The topic's newest seq."""
    floor: int
    """The last seq that cannot be had any more; 0 if there is none."""
