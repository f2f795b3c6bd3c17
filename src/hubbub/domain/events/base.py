"""What every event is, and whose log it belongs to."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from hubbub.domain.model import SECURITY, SITE, TIMESTAMP, Wire, room_topic, user_topic

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


class SiteRoomEvent(RoomEvent):
    """The same also stands in the site's log where the room is public, so that everybody's directory is right."""

    by: int
    """Who did it."""
    name: str
    """That person's name."""
    in_site: bool = Field(False, exclude=True)

    @property
    def topic(self) -> str:
        return SITE if self.in_site else room_topic(self.room)


class PersonalEvent(Event):
    """Goes to one person's own topic, which all devices of that person share."""

    person: int = Field(exclude=True)

    @property
    def topic(self) -> str:
        return user_topic(self.person)


class SecurityEvent(Event):
    """Internal: every node follows this topic; no client ever sees it."""

    @property
    def topic(self) -> str:
        return SECURITY


@dataclass(frozen=True, slots=True)
class Entry:
    """One event at its position. `text` is the encoded wire object; it is stored, sent and replayed as it is."""

    topic: str
    seq: int
    event: Event
    text: bytes
