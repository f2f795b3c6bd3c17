"""TypeScript types from JSON Schema: an interface for each object, a type for everything else.

It supports the part of JSON Schema that our models use, and raises an error for the rest.
"""

import json
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
HEADER = "/** The types of the contract. Written by `make contract` from the server's models. Do not edit. */\n"
PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


class Unknown(Exception):
    """A schema that this module does not support."""


def module(definitions: Mapping[str, Schema]) -> str:
    """Return one exported declaration for each definition, sorted by name."""
    return HEADER + "".join(f"\n{_declaration(name, schema)}" for name, schema in sorted(definitions.items()))


def _declaration(name: str, schema: Schema) -> str:
    comment = _comment(schema, "")
    if schema.get("properties"):
        return f"{comment}export interface {name} {_members(schema, '')}\n"
    return f"{comment}export type {name} = {_type(schema, '')};\n"


def _members(schema: Schema, indent: str) -> str:
    required = set(schema.get("required", ()))
    deeper = indent + "  "
    lines = [
        f"{_comment(field, deeper)}{deeper}{_key(name)}{'' if name in required else '?'}: {_type(field, deeper)};\n"
        for name, field in schema["properties"].items()
    ]
    return "{\n" + "".join(lines) + indent + "}"


def _type(schema: Schema, indent: str) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return " | ".join(dict.fromkeys(_type(choice, indent) for choice in choices))
    kind = schema.get("type")
    if kind == "array":
        inner = _type(schema["items"], indent)
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    if kind == "object":
        return _object(schema, indent)
    if kind not in PLAIN:
        raise Unknown(json.dumps(schema))
    return PLAIN[kind]


def _object(schema: Schema, indent: str) -> str:
    if schema.get("properties"):
        return _members(schema, indent)
    values = list(schema.get("patternProperties", {}).values())
    extra = schema.get("additionalProperties")
    if isinstance(extra, Mapping):
        values.append(extra)
    if not values:
        return "Record<string, never>"
    return f"Record<string, {' | '.join(dict.fromkeys(_type(value, indent) for value in values))}>"


def _key(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)


def _comment(schema: Schema, indent: str) -> str:
    text = " ".join(str(schema.get("description", "")).split())
    return f"{indent}/** {text} */\n" if text else ""
