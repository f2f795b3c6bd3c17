"""Texts crafted to cost processor time, and the fields that accept a text."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

Schema = dict[str, Any]
Texts = tuple[tuple[str, str], ...]
"""(kind, text) pairs."""

UNITS = {
    "marks in turns": "\u0300\u0316",
    "letters with many marks": "a" + "\u0300\u0316\u05b0\u0345" * 8,
    "a ligature of 18": "\ufdfa",
    "words of ligatures": "@" + "\ufdfa" * 126 + " ",
    "emoji in sequence": "\U0001f469\u200d",
    "mentions": "@a\u0301 ",
    "signs": "@",
    "brackets": "[",
    "backslashes": "\\",
    "digits": "9",
    "hyphens": "a-",
    "quotes": "> `a` ",
}
FRAME = 64 * 1024
ROOM = 512
"""Bytes for the JSON around a value."""


def cut(text: str, size: int) -> str:
    """Cut the text to `size` bytes in JSON."""
    whole = text
    while (over := len(json.dumps(whole, ensure_ascii=False).encode()) - size) > 0:
        whole = whole[: len(whole) - max(1, over // 4)]
    return whole


@cache
def longest(size: int = FRAME - ROOM) -> Texts:
    """Return values that fill a frame or a body, by kind."""
    half = size // 4
    marks = {"all marks of one class first": "\u0300" * half + "\u0316" * half}
    whole = {kind: cut(unit * (size // len(unit.encode())), size) for kind, unit in UNITS.items()}
    return tuple({**marks, **whole}.items())


def few() -> Texts:
    """Return the values that cost most where a number or a list is expected."""
    return tuple((kind, text) for kind, text in longest() if kind in ("marks in turns", "brackets", "digits"))


@cache
def shorter() -> Texts:
    """Return values within the limits of bodies, names and lines.

    They pass all processing.
    """
    found = []
    for kind, unit in UNITS.items():
        for characters in (8_000, 128):
            text = (unit * characters)[:characters]
            found.append((f"{kind}, {characters}", cut(text, 16 * 1024) if characters == 8_000 else text))
    return tuple(found)


def resolve(document: Schema, schema: Schema) -> Schema:
    """Resolve a reference or a nullable schema."""
    while True:
        if "$ref" in schema:
            found: Any = document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        elif "anyOf" in schema:
            schema = next(one for one in schema["anyOf"] if one.get("type") != "null")
        else:
            return schema


def sample(document: Schema, schema: Schema) -> Any:
    """Return a value that roughly fits the schema."""
    examples = schema.get("examples")
    schema = resolve(document, schema)
    examples = examples or schema.get("examples")
    if examples:
        return examples[0]
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    match schema.get("type"):
        case "integer":
            return 1
        case "boolean":
            return True
        case "array":
            return [sample(document, schema["items"])]
        case "object":
            needed, fields = schema.get("required", ()), schema.get("properties", {})
            return {name: sample(document, inner) for name, inner in fields.items() if name in needed}
        case _:
            return "site" if "room:" in schema.get("pattern", "") else "lounge-1"


def places(document: Schema, schema: Schema, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every field of any type.

    A client may send a text, or too much of something, in each.
    """
    schema = resolve(document, schema)
    for name, inner in schema.get("properties", {}).items():
        yield (*path, name)
        inner = resolve(document, inner)
        if inner.get("type") == "object":
            yield from places(document, inner, (*path, name))


def is_text(document: Schema, schema: Schema, path: tuple[str, ...]) -> bool:
    """Return whether the contract expects a text there."""
    for name in path:
        schema = resolve(document, resolve(document, schema).get("properties", {}).get(name, {}))
    return schema.get("type") == "string"


def wrong(document: Schema, schema: Schema, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield values to try in one field, worse than any honest client's."""
    if is_text(document, schema, path):
        yield from longest()
        yield from shorter()
    else:
        yield from few()
        yield from floods()


def floods() -> Iterator[tuple[str, Any]]:
    """Yield too much of something other than text: entries, keys, levels."""
    most = FRAME - ROOM
    yield "many wrong entries", [{}] * (most // 4)
    yield "many empty texts", [""] * (most // 4)
    yield "many numbers", [1] * (most // 3)
    yield "many wrong keys", {f"{number:x}": "" for number in range(most // 12)}
    yield "as many wrong keys as are allowed", {f"{number:x}": "" for number in range(2_000)}
    deep: Any = ""
    for _ in range(31):
        deep = [deep]
    yield "levels", deep


def put(value: Any, path: tuple[str, ...], crafted: Any) -> Any:
    """Return the value with `crafted` at the path."""
    if not path:
        return crafted
    return {**value, path[0]: put(value.get(path[0], {}), path[1:], crafted)}
