"""The JSON codec: strict on the way in, one encoding on the way out.

In (RFC 8259, and stricter): UTF-8, one object, no NaN or Infinity, no duplicate keys, no lone surrogates, no U+0000,
at most 32 levels. A parser that lets any of these through breaks somebody else's later.
"""

import json
from typing import Any, NoReturn

import orjson

from hubbub.domain.errors import BadRequest, HubbubError
from hubbub.domain.text import MAX_DEPTH


def parse(text: str | bytes) -> dict[str, Any]:
    """One JSON object. Raises BadRequest with a sentence that says what is wrong and echoes nothing."""
    try:
        if isinstance(text, bytes):
            text = text.decode()
        found = _plain(text)
        return found if found is not None else _parse(text)
    except BadRequest:
        raise
    except (ValueError, RecursionError):
        raise BadRequest("That is not valid JSON.") from None


def _plain(text: str) -> dict[str, Any] | None:
    """The commonest case, five times as fast: one flat object in which nothing can hide; None for all others.

    Every key has a colon of its own: as many colons as keys means that no key stands there twice.
    """
    if text.count("{") != 1 or "[" in text or "\\u" in text:
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if type(found) is dict and len(found) == text.count(":") else None


def _parse(text: str) -> dict[str, Any]:
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _check_depth(text)
    found = _DECODER.decode(text)
    if not isinstance(found, dict):
        raise BadRequest("A JSON object is expected.")
    # Only an escape can smuggle in what the decoder would refuse as it stands.
    if "\\u" in text:
        _check_strings(found)
    return found


def spot_id(text: str | bytes) -> int | None:
    """The `id` of a command that is refused for its JSON, so that its sender knows which one; None if there is none."""
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None
    found = [value for key, value in pairs if key == "id"] if _is_object(pairs) else []
    id_ = found[0] if len(found) == 1 else None
    return id_ if type(id_) is int and abs(id_) < 2**63 else None


def _is_object(pairs: object) -> bool:
    return isinstance(pairs, list) and all(isinstance(pair, tuple) for pair in pairs)


def dumps(value: object) -> bytes:
    return orjson.dumps(value)


def ok(id_: int, answer: object) -> bytes:
    """The answer to the command with this id."""
    return b'{"re":%d,"ok":%b}' % (id_, orjson.dumps(answer))


def error(id_: int | None, refusal: HubbubError) -> bytes:
    """The refusal of a command; without an id, of a frame that was none."""
    return orjson.dumps({"re": id_, "error": refusal.body()})


def events(texts: list[str]) -> list[bytes]:
    """Stored events as they go out: one event is one message."""
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
                raise BadRequest(f"More than {MAX_DEPTH} levels are not allowed.")
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
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadRequest("The same key twice in one object is not allowed.")
    return found


def _no_constant(_name: str) -> NoReturn:
    raise BadRequest("NaN and Infinity are not allowed.")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise BadRequest("That number is too large.")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite)
