"""The text fields of models, found in their JSON schemas."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from hubbub.domain.events import ENVELOPE
from hubbub.domain.events.base import Event
from hubbub.domain.model import TIMESTAMP

Path = tuple[str, ...]
"""The names of the fields on the way to a text. `[]` is any element of a list, `*` any key."""


def of_command(model: type[BaseModel]) -> dict[Path, dict[str, Any]]:
    """Return the schema of each field of a command that may hold any text."""
    schema = model.model_json_schema(by_alias=True)
    return dict(_texts(schema, schema.get("$defs", {})))


def of_event(event: type[Event]) -> set[Path]:
    """Return the fields of an event's wire object that may hold text, without the envelope."""
    schema = event.model_json_schema(mode="serialization")
    return {path for path, _ in _texts(schema, schema.get("$defs", {})) if path[0] not in ENVELOPE}


def _texts(schema: dict[str, Any], models: dict[str, Any], path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    if "$ref" in schema:
        yield from _texts(models[schema["$ref"].rsplit("/", 1)[-1]], models, path)
        return
    alternatives = [each for name in ("anyOf", "oneOf", "allOf") for each in schema.get(name, ())]
    for each in alternatives:
        yield from _texts(each, models, path)
    kind = schema.get("type")
    if kind == "object":
        for name, each in schema.get("properties", {}).items():
            yield from _texts(each, models, (*path, name))
        if isinstance(others := schema.get("additionalProperties"), dict):
            yield from _texts(others, models, (*path, "*"))
    elif kind == "array":
        yield from _texts(schema.get("items", {}), models, (*path, "[]"))
    elif kind == "string":
        if not {"enum", "const"} & schema.keys() and schema.get("pattern") != TIMESTAMP["pattern"]:
            yield path, schema
    elif kind is None and not alternatives and not {"enum", "const"} & schema.keys():
        yield path, schema  # any value
