"""The JSON codec: a strict parser and one encoder.

The parser is stricter than RFC 8259: UTF-8, one object, no NaN or Infinity, no duplicate keys, no
lone surrogates, no U+0000, at most 32 levels. Input that one parser accepts and another rejects
would break other clients later.
"""

import json
from typing import Any, NoReturn

import orjson

from hubbub.domain.errors import BadRequest, HubbubError
from hubbub.domain.model import as_json
from hubbub.domain.text import MAX_DEPTH


def parse(text: str | bytes) -> dict[str, Any]:
    """Parse a JSON object.

    Raises BadRequest with a message that does not quote the input.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode()
        flat = _parse_flat(text)
        return flat if flat is not None else _parse(text)
    except BadRequest:
        raise
    except (ValueError, RecursionError):
        raise BadRequest("This is not valid JSON.") from None


def _parse_flat(text: str) -> dict[str, Any] | None:
    """Parse a flat object, the most common case, five times as fast; else None.

    Every key has a colon: if there are as many colons as keys, no key occurs twice.
    """
    if text.count("{") != 1 or "[" in text or "\\u" in text:
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if type(value) is dict and len(value) == text.count(":") else None


def _parse(text: str) -> dict[str, Any]:
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _check_depth(text)
    value = _DECODER.decode(text)
    if not isinstance(value, dict):
        raise BadRequest("A JSON object is expected.")
    # The decoder rejects forbidden characters as they are; only escapes can hide them.
    if "\\u" in text:
        _check_strings(value)
    return value


def spot_id(text: str | bytes) -> int | None:
    """Return the `id` of a command whose JSON is rejected, to name it in the error.

    Returns None if there is no single valid `id`.
    """
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    ids = [value for key, value in pairs if key == "id"] if _is_object(pairs) else []
    id_ = ids[0] if len(ids) == 1 else None
    return id_ if type(id_) is int and abs(id_) < 2**63 else None


def _is_object(pairs: object) -> bool:
    return isinstance(pairs, list) and all(isinstance(pair, tuple) for pair in pairs)


def dumps(value: object) -> bytes:
    return orjson.dumps(value, default=as_json)


def ok(id_: int, answer: object) -> bytes:
    """Encode the answer to the command with this id."""
    return b'{"re":%d,"ok":%b}' % (id_, orjson.dumps(answer, default=as_json))


def error(id_: int | None, refusal: HubbubError) -> bytes:
    """Encode the rejection of a command, or of a frame without an id."""
    return orjson.dumps({"re": id_, "error": refusal.body()})


def events(texts: list[str]) -> list[bytes]:
    """Return stored events as WebSocket messages, one event each."""
    return [text.encode() for text in texts]


def _check_depth(text: str) -> None:
    depth = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "{[":
            depth += 1
            if depth > MAX_DEPTH:
                raise BadRequest(f"JSON can be nested at most {MAX_DEPTH} levels deep.")
        elif character in "}]":
            depth -= 1


def _check_strings(value: object) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise BadRequest("U+0000 is not allowed.")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise BadRequest("Lone surrogates are not allowed.") from None
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_strings(key)
            _check_strings(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_strings(inner)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise BadRequest("Duplicate keys in an object are not allowed.")
    return value


def _no_constant(_name: str) -> NoReturn:
    raise BadRequest("NaN and Infinity are not allowed.")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise BadRequest("This number is too large.")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite)
