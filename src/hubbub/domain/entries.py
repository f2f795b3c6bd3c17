"""Entries from their wire objects, as the log and other nodes have them."""

from typing import ClassVar

import orjson

from hubbub.domain.events import BY_TYPE, Entry, Event, SiteRoomEvent
from hubbub.domain.model import SITE


class UnknownEvent(Event):
    """An event of a newer version, from its node or in the log. It is passed on as it is."""

    type: ClassVar[str] = "unknown"
    of: str
    """Its topic."""

    @property
    def topic(self) -> str:
        return self.of


def parse_event(topic: str, type_: str, text: str | bytes) -> Event:
    """Return the event of a wire object. Raises ValueError."""
    return _event(topic, type_, orjson.loads(text))


def parse_entry(text: bytes) -> Entry:
    """Return the entry of a wire object. Raises LookupError, TypeError, ValueError."""
    body = orjson.loads(text)
    topic, seq, type_ = body["topic"], body["seq"], body["type"]
    if type(topic) is not str or type(seq) is not int or seq < 1 or type(type_) is not str:
        raise ValueError("no position")
    event = _event(topic, type_, body)
    if event.topic != topic:
        raise ValueError("the event belongs to another topic")
    return Entry(topic, seq, event, text)


def _event(topic: str, type_: str, body: dict[str, object]) -> Event:
    event = BY_TYPE.get(type_)
    if event is None:
        return UnknownEvent(of=topic)
    if topic.startswith("user:"):
        body["person"] = int(topic.removeprefix("user:"))
    if issubclass(event, SiteRoomEvent):
        body["in_site"] = topic == SITE
    return event.model_validate(body)
