"""Turn validation errors into messages.

They name the field and what is expected, and never quote the input.
"""

from pydantic import ValidationError

from hubbub.domain.errors import BadRequest, HubbubError, TooLarge
from hubbub.domain.text import TOO_LARGE

_PLAIN = {
    "missing": "is required",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "literal_error": "has an unknown value",
    "union_tag_invalid": "has an unknown value",
    "union_tag_not_found": "is required",
    "string_pattern_mismatch": "has an invalid format",
}


MAX_FIELD = 64
"""In characters. No field of a model has a longer name."""


def refuse(error: ValidationError) -> HubbubError:
    """Return the first error, as a TooLarge if it is about size."""
    first = error.errors(include_url=False, include_context=True, include_input=False)[0]
    return refusal(first["type"], tuple(first["loc"]), first["msg"])


def refusal(kind: str, location: tuple[int | str, ...], message: str) -> HubbubError:
    return (TooLarge if kind == TOO_LARGE else BadRequest)(sentence(kind, location, message))


def sentence(kind: str, location: tuple[int | str, ...], message: str) -> str:
    """Return the message for a validation error.

    pydantic's `message` is used for our own validators and for limits, which never quote the input.
    """
    if location[-1:] == ("[key]",):
        location = location[:-2]  # the key of an object is input, too
    names = [part for part in location if isinstance(part, str) and len(part) <= MAX_FIELD and part.isidentifier()]
    field = names[-1] if names else ("type" if kind.startswith("union_tag") else "the request")
    if kind in _PLAIN:
        return f"{field}: {_PLAIN[kind]}."
    return f"{field}: {message.removeprefix('Value error, ').removeprefix('Input ')}."
