"""Entries from their wire objects, as the log and other nodes have them."""

import orjson

from hubbub.domain.events import BY_TYPE, Entry, Event, SiteRoomEvent
from hubbub.domain.model import SITE


def parse_event(topic: str, type_: str, text: str | bytes) -> Event:
    """Return the event of a wire object. Raises LookupError, ValueError."""
    return _event(topic, type_, orjson.loads(text))


def parse_entry(text: bytes) -> Entry:
    """Return the entry of a wire object. Raises LookupError, TypeError, ValueError."""
    body = orjson.loads(text)
    topic, seq = body["topic"], body["seq"]
    if type(topic) is not str or type(seq) is not int or seq < 1:
        raise ValueError("no position")
    event = _event(topic, body["type"], body)
    if event.topic != topic:
        raise ValueError("the event belongs to another topic")
    return Entry(topic, seq, event, text)


def _event(topic: str, type_: str, body: dict[str, object]) -> Event:
    if topic.startswith("user:"):
        body["person"] = int(topic.removeprefix("user:"))
    event = BY_TYPE[type_]
    if issubclass(event, SiteRoomEvent):
        body["in_site"] = topic == SITE
    return event.model_validate(body)
