"""What managers tell each other besides texts: a line of JSON, and the bytes of a message.

    {"do": "send", "binary": …, "object": …, "exclude": [NAME, …]}
    BYTES

    {"do": "close", "code": …, "reason": …}

What is false or empty is left out. Fields that are not known are ignored, and so are envelopes
with another `do`: newer processes may send both.
"""

from dataclasses import dataclass

import orjson

from hubbub.bus.messages import Unreadable
from hubbub.bus.texts import MAX_HEAD, MAX_TEXT
from hubbub.gateways.manager.closing import check_close
from hubbub.gateways.manager.names import Name, decode_name, encode_name


@dataclass(frozen=True, slots=True)
class Sent:
    """A message: its bytes, whether they are a JSON object that may get an id, and who does not get it."""

    data: bytes
    binary: bool = False
    is_object: bool = False
    excluded: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class Closed:
    """All connections of a topic, of a user, or of the manager are closed."""

    code: int
    reason: str


def write(envelope: Sent | Closed) -> bytes:
    """Return the bytes of an envelope. Raises ValueError if it excludes too many users."""
    if isinstance(envelope, Closed):
        return orjson.dumps({"do": "close", "code": envelope.code, "reason": envelope.reason}) + b"\n"
    fields: dict[str, object] = {"do": "send"}
    if envelope.binary:
        fields["binary"] = True
    if envelope.is_object:
        fields["object"] = True
    if envelope.excluded:
        fields["exclude"] = list(map(encode_name, envelope.excluded))
    head = orjson.dumps(fields)
    if len(head) > MAX_HEAD - 1:
        raise ValueError(f"With a bus, the names of the users to exclude have at most {MAX_HEAD:,} bytes.")
    return b"%b\n%b" % (head, envelope.data)


def read(data: bytes) -> Sent | Closed | None:
    """Return an envelope; None for one of a newer process. Raises Unreadable."""
    head, separator, body = data.partition(b"\n")
    if len(head) > MAX_HEAD or not separator or len(body) > MAX_TEXT:
        raise Unreadable("no envelope")
    try:
        fields = orjson.loads(head)
        if fields["do"] == "close":
            code, reason = fields["code"], fields["reason"]
            check_close(code, reason)
            return Closed(code, reason)
        if fields["do"] != "send":
            return None
        binary = fields.get("binary") is True
        if not binary:
            body.decode()
        is_object = fields.get("object") is True and not binary
        if is_object and not isinstance(orjson.loads(body), dict):
            raise ValueError("no object")
        return Sent(body, binary, is_object, tuple(map(decode_name, fields.get("exclude", ()))))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise Unreadable(repr(error)) from error
