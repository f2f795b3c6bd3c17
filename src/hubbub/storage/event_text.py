"""An event as JSON: as clients get it, and as the log stores it.

The log leaves out what the columns of its row have (the envelope), and the text of a message, which
is in the row of the message alone. A stored event is read with the present text of its message.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

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


class Row(NamedTuple):
    """The columns of an entry: of a message, or of a row of the log, which has no `n`.

    The columns of both share places, since each one costs time for each row. `body` is the present
    text of the message that the entry shows, null if it is deleted; `mentions` are those of the
    message as it was sent.
    """

    seq: int
    at: int
    n: int | None
    number: int | None
    """The author; the message of a row of the log."""
    word: str
    """The key; the type of a row of the log."""
    text: str
    """The author's name; the text of a row of the log."""
    body: str | None
    reply_to: int | None
    forwarded: str | None
    mentions: str | None
    bot: bool | None
    """Whether the author is a bot."""


def type_of(row: Sequence[Any]) -> str:
    """Return the type of the event of a `Row`."""
    return str(row[4]) if row[2] is None else MessageSent.type


def reader(topic: str, room: int) -> Callable[[Sequence[Any]], bytes]:
    """Return a function that returns the wire object of each `Row` of a topic.

    It keeps the parts that entries of a page have in common.
    """
    begin = f'{{"topic":"{topic}","seq":'.encode()
    middle = f',"room":{room},"by":'.encode()
    times: dict[int, bytes] = {}
    authors: dict[int, bytes] = {}
    dumps = orjson.dumps

    def read(row: Sequence[Any]) -> bytes:
        seq, at, n, number, word, text, body, reply_to, forwarded, mentions, bot = row
        time = times.get(at)
        if time is None:
            time = times[at] = f'","at":"{timestamp(at)}"'.encode()
        if n is None:
            own = text.encode()[1:]
            if number is not None:
                own = b'"body":%b,%b' % (dumps(body), own)
            return b'%b%d,"type":"%b%b%b%b' % (begin, seq, word.encode(), time, b"," if len(own) > 1 else b"", own)
        author = authors.get(number)
        if author is None:
            sign = b',"bot":true' if bot else b""
            author = authors[number] = b'%b%d,"name":%b%b,"n":' % (middle, number, dumps(text), sign)
        more = b"}"
        if mentions:
            more = b',"mentions":%b}' % mentions.encode()
        if forwarded is not None:
            more = b',"forwarded":%b%b' % (forwarded.encode(), more)
        if reply_to is not None:
            more = b',"reply_to":%d%b' % (reply_to, more)
        return b'%b%d,"type":"message.sent%b%b%d,"key":%b,"body":%b%b' % (
            begin, seq, time, author, n, dumps(word), dumps(body), more,
        )  # fmt: skip

    return read
