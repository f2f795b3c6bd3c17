"""The JSON codec: a strict parser and one encoder.

The parser is stricter than RFC 8259: UTF-8, one object, no NaN or Infinity, no duplicate keys, no
lone surrogates, no U+0000, at most 32 levels. Input that one parser accepts and another rejects
would break other clients later. jiter refuses most of this; `_check` refuses the rest.
"""

import json
from math import isinf
from typing import Any

import jiter
import orjson

from hubbub.domain.errors import BadRequest, HubbubError
from hubbub.domain.model import as_json
from hubbub.domain.text import MAX_DEPTH

INVALID = "This is not valid JSON."
TOO_DEEP = f"JSON can be nested at most {MAX_DEPTH} levels deep."
PROBLEMS = {
    "Detected duplicate key": "Duplicate keys in an object are not allowed.",  # first, since jiter quotes the key
    "recursion limit": TOO_DEEP,
    "surrogate": "Lone surrogates are not allowed.",
    "unexpected end of hex escape": "Lone surrogates are not allowed.",
}
"""Words of jiter's errors, and the sentence for each."""


def parse(text: str | bytes) -> dict[str, Any]:
    """Parse a JSON object.

    Raises BadRequest with a message that does not quote the input.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode()
        flat = _parse_flat(text)
        return flat if flat is not None else _parse(text)
    except UnicodeError:
        raise BadRequest(INVALID) from None


def _parse_flat(text: str) -> dict[str, Any] | None:
    """Parse a flat object, the most common case, with two thirds of jiter's instructions; else None.

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
    data = text.encode()
    try:
        value = jiter.from_json(data, allow_inf_nan=False, catch_duplicate_keys=True)
    except ValueError as error:
        raise BadRequest(_explain(data, str(error))) from None
    if not isinstance(value, dict):
        raise BadRequest("A JSON object is expected.")
    _check(value, MAX_DEPTH)
    return value


def _check(value: object, levels: int) -> None:
    """Raise BadRequest for what jiter accepts: deep nesting, infinite numbers and U+0000."""
    if isinstance(value, str):
        if "\x00" in value:
            raise BadRequest("U+0000 is not allowed.")
    elif isinstance(value, float):
        if isinf(value):
            raise BadRequest("This number is too large.")
    elif isinstance(value, (dict, list)):
        if levels == 0:
            raise BadRequest(TOO_DEEP)
        for inner in value:
            _check(inner, levels - 1)
        if isinstance(value, dict):
            for inner in value.values():
                _check(inner, levels - 1)


def _explain(data: bytes, problem: str) -> str:
    """Return the sentence for text that jiter refuses, without a quotation of the text."""
    for words, sentence in PROBLEMS.items():
        if words in problem:
            return sentence
    try:
        jiter.from_json(data, allow_inf_nan=True)
    except ValueError:
        return INVALID
    return "NaN and Infinity are not allowed."


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
