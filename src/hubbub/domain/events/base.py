"""The base classes of events. They determine the topic an event belongs to."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from hubbub.domain.model import SECURITY, SITE, TIMESTAMP, MaybePosition, Position, Wire, room_topic, user_topic

ENVELOPE: dict[str, JsonSchemaValue] = {
    "topic": {"type": "string", "description": "The log of the event: `room:ID`, `user:ID` or `site`."},
    "seq": {"type": "integer", "description": "The position in the topic, counted from 1 without gaps."},
    "type": {"type": "string"},
    "at": {**TIMESTAMP, "description": "The time of the event. Only `seq` orders events."},
}


class Event(Wire):
    """An event. `type` is its name on the wire, `topic` the log it belongs to."""

    type: ClassVar[str]

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema of the wire object: the envelope, then the event's own fields."""
        reference = handler(schema)
        own = handler.resolve_ref_schema(reference)
        own["properties"] = {**ENVELOPE, "type": {"type": "string", "const": cls.type}, **own["properties"]}
        own["required"] = [*ENVELOPE, *own.get("required", ())]
        return reference

    @property
    def topic(self) -> str:
        raise NotImplementedError


class RoomEvent(Event):
    """An event in a room's log. All members of the room get it."""

    room: int
    """The room's id."""

    @property
    def topic(self) -> str:
        return room_topic(self.room)


class SiteRoomEvent(RoomEvent):
    """An event in a room's log and, for a public room, also in the site's log.

    The site's log keeps every user's list of public rooms up to date.
    """

    by: int
    """The actor's id."""
    name: str
    """The actor's name."""
    in_site: bool = Field(False, exclude=True)

    @property
    def topic(self) -> str:
        return SITE if self.in_site else room_topic(self.room)


class PersonalEvent(Event):
    """An event in a user's own log, which all of the user's devices follow."""

    person: int = Field(exclude=True)

    @property
    def topic(self) -> str:
        return user_topic(self.person)


class SecurityEvent(Event):
    """An internal event. Every node follows its topic; clients never see it."""

    @property
    def topic(self) -> str:
        return SECURITY


@dataclass(frozen=True, slots=True)
class Entry:
    """An event at its position.

    `text` is the encoded wire object.
    """

    topic: str
    seq: int
    event: Event
    text: bytes

    def position(self) -> Position:
        return {"topic": self.topic, "seq": self.seq}

    def maybe_position(self) -> MaybePosition:
        """Return the position, for a command that may also change nothing."""
        return {"topic": self.topic, "seq": self.seq}
