"""What a manager sends: text, bytes, or JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from hubbub.delivery.connections import BinaryMessage
from hubbub.delivery.connections import Message as Text


class JsonModel(Protocol):
    """A model of pydantic 2, or any object that writes itself as JSON."""

    def model_dump_json(self) -> str: ...


Message = str | bytes | bytearray | memoryview | Mapping[str, Any] | Sequence[Any] | int | float | JsonModel
"""A message: text as it is, bytes as a binary frame, anything else as JSON in a text frame."""


class Payload(NamedTuple):
    """An encoded message."""

    data: bytes
    kind: type[Text] = Text
    value: Any = None
    """What was JSON, before it was encoded."""


def encode(message: Message) -> Payload:
    """Return the message in bytes.

    Raises TypeError for what is no message, and ValueError for numbers that JSON does not have.
    """
    if isinstance(message, str):
        return Payload(message.encode())
    if isinstance(message, (bytes, bytearray, memoryview)):
        return Payload(bytes(message), BinaryMessage)
    if message is None:
        raise TypeError('None is no message. Send "null" for the null of JSON.')
    write = getattr(message, "model_dump_json", None)
    if write is not None:
        return Payload(write().encode(), value=message)
    if isinstance(message, Mapping) and not isinstance(message, dict):
        message = dict(message)
    return Payload(_json(message), value=message)


def as_json(value: Any) -> Any:
    """Return the value of a payload as `json` has it: a model becomes a dict."""
    return json.loads(value.model_dump_json()) if hasattr(value, "model_dump_json") else value


def with_id(payload: Payload, identifier: str) -> Payload:
    """Return a JSON object with an `id`; any other payload as it is.

    Raises ValueError if the object has an `id` already.
    """
    data, kind, value = payload
    if value is None or not data.startswith(b"{"):
        return payload
    fields = as_json(value)
    if "id" in fields:
        raise ValueError(
            'With a history, the manager sets the "id" of each object that is broadcast to a topic, and this one has '
            'an "id" already. Put it into another object: {"message": …}.'
        )
    comma = b"," if len(data) > 2 else b""
    return Payload(b'{"id":"%b"%b%b' % (identifier.encode(), comma, data[1:]), kind, {"id": identifier, **fields})


def _json(value: object) -> bytes:
    """Return JSON as Starlette's `send_json` writes it, without the NaN that no browser can read."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_plain).encode()


def _plain(value: object) -> object:
    """Return an object inside of JSON in a form that `json` can write."""
    write = getattr(value, "model_dump_json", None)
    if write is not None:
        return json.loads(write())
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"A message is str, bytes or JSON, and JSON has no {type(value).__name__}.")
