"""What the fan-out knows of connections: messages, formats, and how to write and to end."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Protocol

from hubbub.domain.disconnects import Disconnect

Blob = Sequence[Any]
"""Encoded messages in a connection's format, shared by all connections of that format: whole
frames, never parts."""


class Message:
    """An outgoing message: its JSON text, and its position in the order of the calls.

    `event` is what it says, for formats that do not send the text; None for signals. Encoded once
    per format.
    """

    __slots__ = ("_encoded", "event", "order", "text")

    binary: ClassVar[bool] = False
    """Whether `text` is bytes of any kind, and no UTF-8."""

    def __init__(self, text: bytes, order: int = 0, event: object = None) -> None:
        self.text = text
        self.order = order
        self.event = event
        self._encoded: dict[object, Any] = {}

    def encoded(self, encode: Callable[["Message"], Any]) -> Any:
        """Return the message in one format. `encode` identifies the format and encodes it."""
        try:
            return self._encoded[encode]
        except KeyError:
            done = self._encoded[encode] = encode(self)
            return done


class BinaryMessage(Message):
    """A message of bytes."""

    __slots__ = ()

    binary = True


class Format(Protocol):
    """How messages become what a connection writes.

    Connections with the same format share the same object, and the messages encoded by it.
    """

    def pack(self, messages: Sequence[Message]) -> Blob:
        """Encode messages, in order, as one shared blob."""


class Connection(ABC):
    """A client's connection.

    Every method is synchronous, returns at once and never raises. The fan-out keeps its bookkeeping
    in the slots of this class, so that an idle connection needs no other object.
    """

    __slots__ = ("__weakref__", "authenticated", "personal", "seen", "topics")

    format: ClassVar[Format]

    def __init__(self) -> None:
        self.authenticated = False
        self.topics: set[Any] = set()
        self.personal: list[Message] = []
        self.seen = 0

    @abstractmethod
    def write(self, blob: Blob) -> None:
        """Write whole frames.

        What the peer cannot take waits in a bounded outbox; if that overflows, it is closed.
        """

    @abstractmethod
    def buffered(self) -> int:
        """Return the bytes that wait in the outbox and in the transport."""

    @abstractmethod
    def cork(self) -> None:
        """Hold back what is written from now on, within the outbox's bound.

        `uncork` releases it.
        """

    @abstractmethod
    def uncork(self, first: Blob) -> None:
        """Write `first`, then what was held back since `cork`.

        `first` does not count against the bound.
        """

    @abstractmethod
    def end(self, why: Disconnect, retry_after: float | None = None) -> None:
        """Drop the outbox and end at once. `retry_after` asks the client to wait, in seconds.

        The client learns the reason only if it can be the very next thing it reads.
        """
