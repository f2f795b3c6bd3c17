"""From a model's complaint to a sentence for a stranger: which field, what is expected, nothing of what was sent."""

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
    "literal_error": "has a value that is not known",
    "union_tag_invalid": "has a value that is not known",
    "union_tag_not_found": "is required",
    "string_pattern_mismatch": "is not well formed",
}


MAX_FIELD = 64
"""Characters: what is longer is no field of ours."""


def refuse(error: ValidationError) -> HubbubError:
    """The first complaint, as a TooLarge where it is one of size, else as a BadRequest."""
    first = error.errors(include_url=False, include_context=True, include_input=False)[0]
    return refusal(first["type"], tuple(first["loc"]), first["msg"])


def refusal(kind: str, location: tuple[int | str, ...], message: str) -> HubbubError:
    return (TooLarge if kind == TOO_LARGE else BadRequest)(sentence(kind, location, message))


def sentence(kind: str, location: tuple[int | str, ...], message: str) -> str:
    """`message` is used only where it is one of ours or speaks of limits: it never holds the input."""
    if location[-1:] == ("[key]",):
        location = location[:-2]  # a key of an object is input, too
    names = [part for part in location if isinstance(part, str) and len(part) <= MAX_FIELD and part.isidentifier()]
    field = names[-1] if names else ("type" if kind.startswith("union_tag") else "the request")
    if kind in _PLAIN:
        return f"{field}: {_PLAIN[kind]}."
    return f"{field}: {message.removeprefix('Value error, ').removeprefix('Input ')}."
