"""All events, and the answers to `events.since`."""

from typing import Annotated, Literal, get_args

from pydantic import GetJsonSchemaHandler, SkipValidation
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from typing_extensions import TypeAliasType

from hubbub.domain.events.base import Event
from hubbub.domain.events.unions import ClientEvent, InternalEvent
from hubbub.domain.model import Wire


class _ByType:
    """Adds to the schema which field tells the kinds of events apart."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        refs = handler(schema)["anyOf"]
        mapping = {handler.resolve_ref_schema(ref)["properties"]["type"]["const"]: ref["$ref"] for ref in refs}
        return {"oneOf": refs, "discriminator": {"propertyName": "type", "mapping": mapping}}


CLIENT_EVENTS: tuple[type[Event], ...] = get_args(ClientEvent)
EVENTS: tuple[type[Event], ...] = CLIENT_EVENTS + get_args(InternalEvent)
BY_TYPE: dict[str, type[Event]] = {event.type: event for event in EVENTS}
ChatEvent = TypeAliasType("ChatEvent", Annotated[ClientEvent, SkipValidation, _ByType()])
"""An event from the log. It is already encoded for the wire, so pydantic does not validate it."""


class EventPage(Wire):
    """The events after the given position, in order and without gaps."""

    epoch: str
    events: list[ChatEvent]
    head: int
    """The topic's newest seq."""
    more: bool
    """Whether there are further events, up to `head`."""


class NoWay(Wire):
    """The requested events are not available: load the state, continue at its heads."""

    epoch: str
    reset: Literal[True]
    head: int
    """The topic's newest seq."""
    floor: int
    """The last seq that is no longer available; 0 if there is none."""
