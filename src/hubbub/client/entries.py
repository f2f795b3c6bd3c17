"""What a client hands out: events at their positions, resets, and how far somebody has come."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import ValidationError

from hubbub.domain.events import BY_TYPE, Event
from hubbub.domain.model import SITE

Frame = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a topic's log, at its position.

    `event` is None where this version does not know the type, or not in this shape; `fields` always has all of it.
    `at` is the server's time (RFC 3339) and orders nothing.
    """

    topic: str
    seq: int
    type: str
    at: str
    event: Event | None
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reset:
    """There is no way from where we were to the present: load the state of `topic` anew.

    Its events go on after `head`; what the log still has of the time before begins after `floor`.
    """

    topic: str
    head: int
    floor: int


class Sent(NamedTuple):
    """Where a message stands, for ever."""

    topic: str
    seq: int


@dataclass(frozen=True, slots=True)
class Positions:
    """How far somebody has come: the last seq of each topic in the history called `epoch`."""

    epoch: str
    have: Mapping[str, int]


def entry(frame: Frame) -> Entry:
    """An event as it came over the wire."""
    return Entry(frame["topic"], frame["seq"], frame["type"], frame.get("at", ""), _event(frame), frame)


def _event(frame: Frame) -> Event | None:
    kind = BY_TYPE.get(frame["type"])
    if kind is None:
        return None
    topic: str = frame["topic"]
    # What the wire says by the topic, the models have as a field.
    implied = {"person": int(topic[5:])} if topic.startswith("user:") else {"in_site": topic == SITE}
    try:
        return kind.model_validate({**frame, **implied})
    except ValidationError:
        return None
