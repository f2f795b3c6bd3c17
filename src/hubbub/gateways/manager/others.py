"""The other processes of a manager: what is sent here goes there, and the reverse.

The bus and its client library are imported when the first manager with a bus is created.
"""

import json
from collections.abc import Callable

from hubbub.delivery.connections import BinaryMessage
from hubbub.delivery.connections import Message as Text
from hubbub.gateways.manager.bus import BusOptions, text_bus
from hubbub.gateways.manager.names import Name, User, encode_name
from hubbub.gateways.manager.payloads import Payload

Key = Name | User | None
"""A topic, a user, or all."""
Deliver = Callable[[Payload, Key, tuple[Name, ...]], None]
"""Called with a message, with where it goes, and with the users that do not get it."""
Close = Callable[[Key, int, str], None]
"""Called with what is closed, a code and a reason."""
Prepared = tuple[bytes, int]
"""A text for the bus, and its kind."""


class Others:
    """The other processes of a manager. Belongs to one event loop."""

    def __init__(self, options: BusOptions, deliver: Deliver, close: Close) -> None:
        from hubbub.bus import texts
        from hubbub.gateways.manager import envelopes

        self._texts = texts
        self._envelopes = envelopes
        self._deliver_here = deliver
        self._close_here = close
        self._keys: dict[str, Name | User] = {}
        self._bus = text_bus(options)
        self._bus.open(self._deliver)

    async def ready(self) -> None:
        """Connect; wait a moment for the first attempt to end."""
        self._bus.open(self._deliver)
        await self._bus.ready()

    @property
    def waiting(self) -> int:
        """How many texts wait to be sent."""
        return self._bus.waiting

    def send(self, key: Key, data: bytes, kind: int = 0) -> None:
        """Send to the other processes. Does not wait. Raises ValueError if the message is too long."""
        if not kind:
            self._check(data)
        self._bus.open(self._deliver)
        self._bus.send(self._name(key), data, kind)

    def prepare(self, payload: Payload, excluded: tuple[Name, ...] = (), *, may_get_id: bool = False) -> Prepared:
        """Return what `send` takes.

        Raises ValueError if the message is too long, or if the names of the excluded users are.
        """
        data, kind, value = payload
        self._check(data)
        binary = kind is BinaryMessage
        is_object = may_get_id and value is not None and data.startswith(b"{")
        if binary or is_object or excluded:
            sent = self._envelopes.Sent(data, binary, is_object, excluded)
            return self._envelopes.write(sent), self._texts.ENVELOPE
        return data, self._texts.TEXT

    def close_connections(self, key: Key, code: int, reason: str) -> None:
        """Close the connections of a topic, of a user, or all, in the other processes."""
        self.send(key, self._envelopes.write(self._envelopes.Closed(code, reason)), self._texts.ENVELOPE)

    async def close(self) -> None:
        await self._bus.close()

    def begin(self, key: Name | User) -> None:
        """Hear a topic or a user from now on."""
        name = self._name(key)
        self._keys[name] = key
        self._bus.join(name)

    def end(self, key: Name | User) -> None:
        """No longer hear a topic or a user."""
        name = self._name(key)
        self._keys.pop(name, None)
        self._bus.leave(name)

    def _check(self, data: bytes) -> None:
        if len(data) > self._texts.MAX_TEXT:
            raise ValueError(f"With a bus, a message has at most {self._texts.MAX_TEXT:,} bytes.")

    def _name(self, key: Key) -> str:
        if key is None:
            return self._texts.ALL
        if isinstance(key, str):
            return self._texts.topic_id(key)
        kind, text = encode_name(key.name if isinstance(key, User) else key)
        return self._texts.topic_id(text, f"user {kind}" if isinstance(key, User) else kind)

    def _deliver(self, name: str, text: bytes, kind: int) -> None:
        """Do what another process has sent. Raises Unreadable."""
        key = None if name == self._texts.ALL else self._keys.get(name)
        if key is None and name != self._texts.ALL:
            return
        if kind == self._texts.TEXT:
            self._deliver_here(Payload(text), key, ())
            return
        envelope = self._envelopes.read(text)
        if isinstance(envelope, self._envelopes.Closed):
            self._close_here(key, envelope.code, envelope.reason)
        elif envelope is not None:
            value = json.loads(envelope.data) if envelope.is_object else None
            payload = Payload(envelope.data, BinaryMessage if envelope.binary else Text, value)
            self._deliver_here(payload, key, envelope.excluded)
