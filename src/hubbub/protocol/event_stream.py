"""Server-sent events: the events of a topic as `text/event-stream`, sans-I/O.

The format is that of the HTML Standard, section 9.2. The id of each event is its position,
`EPOCH:SEQ`: a browser sends the last one with `Last-Event-ID` when it reconnects.
"""

import re
from collections.abc import Sequence

import orjson

from hubbub.domain.errors import BadRequest
from hubbub.domain.text import MAX_ID

MEDIA_TYPE = "text/event-stream"
HEARTBEAT = b":\n\n"
"""A comment. It keeps proxies from closing a quiet connection."""
POSITION = re.compile(r"(?:([!-9;-~]{1,200}):)?([0-9]{1,16})", re.ASCII)


def parse_position(last_event_id: str) -> tuple[str | None, int]:
    """Return (epoch, seq) of a `Last-Event-ID`, with None for the current epoch.

    Raises BadRequest.
    """
    found = POSITION.fullmatch(last_event_id)
    if found is None or int(found[2]) > MAX_ID:
        raise BadRequest("Last-Event-ID must be the id of an event of this stream, EPOCH:SEQ, or a seq.")
    return found[1], int(found[2])


def opening(epoch: str, seq: int, retry: float) -> bytes:
    """Return the first block: the position where the stream begins, and the pace of reconnecting.

    Without data it is no event, but the client remembers the id.
    """
    return b"retry: %d\nid: %b:%d\n\n" % (round(retry * 1000), epoch.encode(), seq)


def closing(retry: float) -> bytes:
    """Return the last block of a stream that the server ends: when to reconnect, in seconds."""
    return b"retry: %d\n\n" % round(retry * 1000)


def reset(topic: str, epoch: str, head: int, floor: int) -> bytes:
    """Return the event that says: load the state again, the stream continues after `head`."""
    data = orjson.dumps({"type": "reset", "topic": topic, "epoch": epoch, "head": head, "floor": floor})
    return b"id: %b:%d\nevent: reset\ndata: %b\n\n" % (epoch.encode(), head, data)


def tail(text: bytes) -> bytes | None:
    """Return the block of an entry without the epoch, which begins it; None if it is no entry.

    JSON has no line breaks, so the data is one line.
    """
    entry = orjson.loads(text)
    if "seq" not in entry or "topic" not in entry:
        return None
    return b"%d\nevent: %b\ndata: %b\n\n" % (entry["seq"], entry["type"].encode(), text)


def begin(epoch: str) -> bytes:
    """Return what precedes the tail of each entry."""
    return b"id: %b:" % epoch.encode()


def blocks(epoch: str, texts: Sequence[bytes]) -> bytes:
    """Return stored entries as events."""
    first = begin(epoch)
    return b"".join(first + found for text in texts if (found := tail(text)) is not None)
