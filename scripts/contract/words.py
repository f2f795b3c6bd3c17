"""JSON Schema 2020-12 of the WebSocket protocol: models, events, commands, frames, errors."""

from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from hubbub.domain.commands import AnySignal, Command, EventsSince, Signal, WireCommand
from hubbub.domain.errors import Refusal
from hubbub.domain.events import ChatEvent, EventPage, NoWay
from hubbub.domain.model import Member, Message
from hubbub.protocol import schemas

Schema = dict[str, Any]
TITLE = "hubbub.v1"
COMMANDS: tuple[type[Command], ...] = get_args(get_args(WireCommand)[0])
SIGNALS: tuple[type[Signal], ...] = get_args(AnySignal)
Request = Command | Signal | EventsSince
ASKED: tuple[type[Request], ...] = (*COMMANDS, EventsSince, *SIGNALS)
"""Frames of the client that need an `id` and get an answer."""
NUMBERED: tuple[type[BaseModel], ...] = (*ASKED, schemas.Ping)
"""The same and `ping`, whose `id` is optional."""
FROM_SERVER: tuple[type[BaseModel], ...] = (
    schemas.Welcome, schemas.More, schemas.Reset, schemas.Pong, schemas.UserTyping, schemas.PresenceChanged, schemas.Ok,
    schemas.CommandRefused,
)  # fmt: skip
ID = {
    "type": "integer",
    "minimum": -(2**63) + 1,
    "maximum": 2**63 - 1,
    "description": "A number that the client chooses. The answer repeats it as `re`.",
}


class Plain(GenerateJsonSchema):
    """A schema without titles that repeat the names of fields, and without defaults of null for optional fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        return {key: value for key, value in found.items() if key != "default" or value is not None}


def document() -> Schema:
    """Return all definitions under `$defs`. The document itself describes a frame in either direction."""
    defs = _generate()
    for model in ASKED:
        _add_id(defs[model.__name__], required=True)
    _add_id(defs[schemas.Ping.__name__], required=False)
    defs["Answers"] = {
        "description": "What `ok` contains, by the type of the request.",
        **_object({name: _any_of(models) for name, models in answers().items()}),
    }
    defs["ClientFrame"] = {
        "description": "A frame from the client: `hello` first, then commands, queries and pings.",
        **_any_of((schemas.Hello, *ASKED, schemas.Ping)),
    }
    server = _any_of(FROM_SERVER)["anyOf"]
    defs["ServerFrame"] = {
        "description": "A frame from the server: `welcome` first, then events and answers.",
        "anyOf": [*server[:3], ref("ChatEvent"), *server[3:]],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": TITLE,
        "description": "A frame of the WebSocket protocol hubbub.v1. Readers ignore fields they do not know.",
        "anyOf": [ref("ClientFrame"), ref("ServerFrame")],
        "$defs": dict(sorted(without_discriminators(defs).items())),
    }


def answers() -> dict[str, tuple[type[BaseModel], ...]]:
    """Return the models of `ok` by the wire name of the request."""
    found: dict[str, tuple[type[BaseModel], ...]] = {}
    for command in COMMANDS:
        assert command.answer is not None, f"{command.__name__} has no answer"
        found[command.kind] = (command.answer,)
    for signal in SIGNALS:
        found[str(signal.model_fields["type"].default)] = (signal.answer or schemas.EmptyAnswer,)
    return {**found, "events.since": (EventPage, NoWay), "ping": (schemas.EmptyAnswer,)}


def ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def without_discriminators(value: Any) -> Any:
    """Remove OpenAPI's `discriminator`: JSON Schema ignores it, and AsyncAPI gives it another meaning."""
    if isinstance(value, dict):
        return {key: without_discriminators(inner) for key, inner in value.items() if key != "discriminator"}
    return [without_discriminators(inner) for inner in value] if isinstance(value, list) else value


def _generate() -> dict[str, Schema]:
    incoming: list[Any] = [schemas.Hello, schemas.Ping, *ASKED]
    outgoing: list[Any] = [ChatEvent, *FROM_SERVER, Refusal, Member, Message, EventPage, NoWay]
    inputs: list[tuple[str, JsonSchemaMode, CoreSchema]] = [
        *((str(number), "validation", TypeAdapter(found).core_schema) for number, found in enumerate(incoming)),
        *((str(number), "serialization", TypeAdapter(found).core_schema) for number, found in enumerate(outgoing)),
    ]
    _, defs = Plain(ref_template="#/$defs/{model}").generate_definitions(inputs)
    return {name: dict(schema) for name, schema in defs.items()}


def _add_id(schema: Schema, *, required: bool) -> None:
    """Add what the envelope adds to a command's model: the field `id`, and that `type` is required."""
    schema["properties"] = {"id": ID, **schema["properties"]}
    schema["properties"]["type"].pop("default", None)
    wanted = {"id", "type", *schema.get("required", ())} if required else {"type"}
    schema["required"] = [name for name in schema["properties"] if name in wanted]


def _any_of(models: tuple[type[BaseModel], ...]) -> Schema:
    refs = [ref(model.__name__) for model in models]
    return refs[0] if len(refs) == 1 else {"anyOf": refs}


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}
