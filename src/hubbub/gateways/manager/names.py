"""The names of topics and of users."""

from typing import Any, NamedTuple
from uuid import UUID

Name = str | int | UUID
"""The name of a topic or of a user. Names of two types are never equal: `1` is not `"1"`."""


class User(NamedTuple):
    """A user as a topic of the fan-out: all devices of the user are in it."""

    name: Name


def is_name(value: object) -> bool:
    return isinstance(value, (str, int, UUID)) and not isinstance(value, bool)


def check_name(value: object, what: str) -> None:
    """Raise TypeError for a value that names no topic or user. `what` is which of them it is."""
    if not is_name(value):
        raise TypeError(f"A {what} is a str, an int or a UUID, not {_kind(value)}. Use str(…) for other types.")


def encode_name(name: Name) -> list[str]:
    """Return the type and the text of a name."""
    if isinstance(name, str):
        return ["str", name]
    return ["int", f"{name:x}"] if isinstance(name, int) else ["uuid", name.hex]


def decode_name(encoded: Any) -> Name:
    """Return the name. Raises ValueError for what `encode_name` does not return."""
    kind, text = encoded
    if not isinstance(text, str):
        raise ValueError("no name")
    if kind == "str":
        return text
    if kind == "int":
        return int(text, 16)
    if kind == "uuid":
        return UUID(text)
    raise ValueError("an unknown kind of name")


def _kind(value: object) -> str:
    return f"a {type(value).__name__}"
