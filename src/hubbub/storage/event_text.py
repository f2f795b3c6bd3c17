"""An event as JSON: as clients get it, and as the log stores it.

The log leaves out what the columns of its row have (the envelope), and the text of a message, which
is in the row of the message alone. A stored event is read with the present text of its message.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson

from hubbub.domain.events import Event, MessageEdited, MessageSent
from hubbub.domain.text import timestamp

TEXT = {"body"}
"""The field of an event with the text of a message."""


def encode(event: Event, topic: str, seq: int, at: str) -> tuple[bytes, bytes]:
    """Return the wire object of an event at its position, and what the log stores of it.

    An event's own fields never have the names of the envelope's fields.
    """
    to_json = event.__pydantic_serializer__.to_json
    if type(event) is MessageEdited:
        own: bytes = to_json(event, exclude_none=True, exclude=TEXT)
        shown = own[1:-1] + b',"body":' + orjson.dumps(event.body) + b"}"
    else:
        own = to_json(event, exclude_none=True)
        shown = own[1:]
    envelope = f'{{"topic":"{topic}","seq":{seq},"type":"{event.type}","at":"{at}"'.encode()
    return (envelope + b"," + shown if len(shown) > 1 else envelope + b"}"), own


def message_of(event: Event) -> int | None:
    """Return the seq of the message whose text the event shows, besides its own."""
    return event.message if type(event) is MessageEdited else None


TYPE = 10
"""The index of the type in a row that `read` takes; null in the row of a message."""


def read(topic: str, room: int, row: Sequence[Any]) -> str:
    """Return the wire object of an entry: of a message, or of a row of the log with `text`.

    The first columns are those of a message, whose body is null if it is deleted, with the mentions
    of the message as it was sent. `edited` is the present text of the log's `message`.
    """
    seq, at, author, name, n, key, body, reply_to, forwarded, mentions, type_, message, text, edited = row
    if type_ is not None:
        own = text[1:] if message is None else f'"body":{orjson.dumps(edited).decode()},{text[1:]}'
        envelope = f'{{"topic":"{topic}","seq":{seq},"type":"{type_}","at":"{_timestamp(at)}"'
        return f"{envelope},{own}" if len(own) > 1 else envelope + "}"
    event: dict[str, object] = {
        "topic": topic, "seq": seq, "type": MessageSent.type, "at": _timestamp(at),
        "room": room, "by": author, "name": name, "n": n, "key": key, "body": body,
    }  # fmt: skip
    if reply_to is not None:
        event["reply_to"] = reply_to
    if forwarded is not None:
        event["forwarded"] = orjson.Fragment(forwarded)
    if mentions:
        event["mentions"] = orjson.Fragment(mentions)
    return orjson.dumps(event).decode()


_timestamp = lru_cache(maxsize=1_024)(timestamp)
"""The entries of a page have few different times: those of one commit have the same."""
