"""The generated files as strict validators, which reject undocumented fields."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs

ROOT = Path(__file__).resolve().parents[2]
Schema = dict[str, Any]


@cache
def read(name: str) -> Schema:
    """Return one of the files in `contract/`."""
    found: Schema = json.loads((ROOT / "contract" / name).read_text(encoding="utf-8"))
    return found


def closed(schema: Any) -> Any:
    """Return the schema without additional properties.

    Clients ignore unknown fields, tests must see them.
    """
    if isinstance(schema, dict):
        inner = {key: closed(value) for key, value in schema.items()}
        return {**inner, "additionalProperties": False} if isinstance(schema.get("properties"), dict) else inner
    return [closed(value) for value in schema] if isinstance(schema, list) else schema


@cache
def _socket() -> Schema:
    found: Schema = closed(read("schema.json"))
    return found


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({"$defs": _socket()["$defs"], "$ref": f"#/$defs/{name}"})


def fits(name: str, value: object) -> bool:
    return _validator(name).is_valid(value)


def check(name: str, value: object) -> None:
    """Fail unless `value` is exactly what contract/schema.json calls `name`."""
    if not fits(name, value):
        wrong = [f"{error.instance_path}: {error.message[:300]}" for error in _validator(name).iter_errors(value)]
        raise AssertionError(f"not a {name}: {json.dumps(value)[:600]}\n" + "\n".join(wrong))


@cache
def _answer(kind: str) -> jsonschema_rs.Draft202012Validator:
    schema = _socket()["$defs"]["Answers"]["properties"][kind]
    return jsonschema_rs.Draft202012Validator({"$defs": _socket()["$defs"], **schema})


def check_answer(kind: str, value: object) -> None:
    """Fail unless `value` is a documented answer to a command of that kind."""
    assert _answer(kind).is_valid(value), f"not an answer to {kind}: {json.dumps(value)[:600]}"


@cache
def body_of(operation: str, status: int) -> jsonschema_rs.Draft202012Validator | None:
    """Return the validator of that answer's JSON; None if no JSON is documented."""
    content = responses()[operation][str(status)].get("content", {}).get("application/json")
    if content is None:
        return None
    components = closed(read("openapi.json")["components"])
    return jsonschema_rs.Draft202012Validator({"components": components, **content["schema"]})


@cache
def operations() -> dict[str, tuple[str, str]]:
    """Return method and path by operation."""
    return {
        operation["operationId"]: (method.upper(), path)
        for path, methods in read("openapi.json")["paths"].items()
        for method, operation in methods.items()
    }


@cache
def responses() -> dict[str, dict[str, Any]]:
    """Return the documented answers by operation and status."""
    return {
        operation["operationId"]: operation["responses"]
        for methods in read("openapi.json")["paths"].values()
        for operation in methods.values()
    }
