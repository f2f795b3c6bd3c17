"""Examples of requests: one valid request of each kind, as data.

A request that clients may send declares its example. Tests execute it, and the contract and its
pages show it. An example names what the request needs by placeholders: its reader fills in the
values of its own rooms and users.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from string import Formatter
from typing import Any

from pydantic import BaseModel

Fields = dict[str, Any]


class Given(StrEnum):
    """Placeholders for values. A text may contain them in braces, as in `room:{room}`."""

    ROOM = "room"
    MESSAGE = "message"
    """The seq of a message of the room's first member."""
    SEQ = "seq"
    """The seq of a later message, of the other member."""
    MEMBER = "member"
    """The id of another member of the room."""
    OUTSIDER = "outsider"
    """The id of a user outside the room."""
    NAME = "name"
    """The name of the other member."""
    NEW = "new"
    """A suffix that makes a text differ from all others."""


class Scene(Enum):
    """The room that a request is about, seen by the actor, who sends the request."""

    OWN = "a private room of the actor, with another member"
    JOINED = "a private room of another user, with the actor as a member"
    OPEN = "a public room of another user, which the actor may join"


@dataclass(frozen=True)
class Example:
    """A valid request.

    Required fields that are left out get their usual values: see `USUAL`.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    scene: Scene = Scene.OWN
    after: type[BaseModel] | None = None
    """The command whose example the actor executes before, with the same values."""
    again: str | None = None
    """The error code of the same request sent again. None if it succeeds and changes nothing."""


USUAL: Mapping[str, Any] = {
    "room": Given.ROOM,
    "message": Given.MESSAGE,
    "seq": Given.SEQ,
    "user": Given.MEMBER,
    "key": "01KAN3M6R4T2{new}",
}
SHOWN: Mapping[str, Any] = {
    Given.ROOM: 7,
    Given.MESSAGE: 2,
    Given.SEQ: 3,
    Given.MEMBER: 2,
    Given.OUTSIDER: 3,
    Given.NAME: "bob",
    Given.NEW: "",
}
"""The values that documentation shows."""


def template(model: type[BaseModel], example: Example) -> Fields:
    """Return all fields of the example with placeholders, in the order of the model.

    Raises ValueError for a field that the model does not have.
    """
    own = {info.alias or name: info for name, info in model.model_fields.items()}
    if unknown := example.fields.keys() - own.keys():
        raise ValueError(f"{model.__name__} has no {', '.join(sorted(unknown))}.")
    usual = {name: USUAL[name] for name, info in own.items() if info.is_required() and name in USUAL}
    found = {**usual, **example.fields}
    return {name: found[name] for name in own if name in found}


def fill(value: Any, given: Mapping[str, Any]) -> Any:
    """Return the value with its placeholders replaced. Raises KeyError if one is not given."""
    if isinstance(value, Given):
        return given[value]
    if isinstance(value, str):
        return value.format_map(given)
    if isinstance(value, Mapping):
        return {name: fill(inner, given) for name, inner in value.items()}
    return [fill(inner, given) for inner in value] if isinstance(value, list | tuple) else value


def placeholders(value: Any) -> Iterator[str]:
    """Yield the names of all placeholders in the value."""
    if isinstance(value, Given):
        yield value.value
    elif isinstance(value, str):
        yield from (name for _, name, _, _ in Formatter().parse(value) if name)
    elif isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from placeholders(inner)


def shown(model: type[BaseModel], example: Example) -> Fields:
    """Return the fields of the example as documentation shows them."""
    found: Fields = fill(template(model, example), SHOWN)
    return found
