"""The client's results: entries, resets, and positions to resume from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import ValidationError

from hubbub.domain.events import BY_TYPE, Event
from hubbub.domain.model import SITE

Frame = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """An event of a topic's log, at its position.

    `event` is None if this version does not know the type or this shape; `fields` always contains
    the whole event. `at` is the server's time (RFC 3339). Do not order by it.
    """

    topic: str
    seq: int
    type: str
    at: str
    event: Event | None
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reset:
    """The server cannot continue from the client's position.

    Load the state of `topic` anew.

    Its events continue after `head`. The part of the log that still exists begins after `floor`.
    """

    topic: str
    head: int
    floor: int


class Sent(NamedTuple):
    """The permanent position of a message."""

    topic: str
    seq: int


@dataclass(frozen=True, slots=True)
class Positions:
    """The last seq consumed of each topic, in the history named `epoch`."""

    epoch: str
    have: Mapping[str, int]


def entry(frame: Frame) -> Entry:
    """Return the entry for an event frame."""
    return Entry(frame["topic"], frame["seq"], frame["type"], frame.get("at", ""), _event(frame), frame)


def _event(frame: Frame) -> Event | None:
    kind = BY_TYPE.get(frame["type"])
    if kind is None:
        return None
    topic: str = frame["topic"]
    # The models have fields for what the wire expresses by the topic.
    implied = {"person": int(topic[5:])} if topic.startswith("user:") else {"in_site": topic == SITE}
    try:
        return kind.model_validate({**frame, **implied})
    except ValidationError:
        return None
