"""Interfaces that the engine uses: connections, the bus, queries to the store."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from hubbub.domain.events import Entry

T = TypeVar("T")
Blob = Sequence[Any]
"""Encoded messages in a connection's format, shared by all connections of that format: whole
frames, never parts."""


class Message:
    """An outgoing message: its text, and its position in the order of the calls.

    Encoded once per format.
    """

    __slots__ = ("_encoded", "order", "text")

    def __init__(self, text: bytes, order: int = 0) -> None:
        self.text = text
        self.order = order
        self._encoded: dict[object, Any] = {}

    def encoded(self, encode: Callable[["Message"], Any]) -> Any:
        """Return the message in one format. `encode` identifies the format and encodes it."""
        try:
            return self._encoded[encode]
        except KeyError:
            done = self._encoded[encode] = encode(self)
            return done


class Connection(ABC):
    """A client's connection.

    Every method is synchronous, returns at once and never raises. The fan-out keeps its bookkeeping
    in the slots of this class, so that an idle connection needs no other object.
    """

    __slots__ = ("__weakref__", "authenticated", "personal", "seen", "topics")

    @staticmethod
    @abstractmethod
    def pack(messages: Sequence[Message]) -> Blob:
        """Encode messages, in order, as the shared blob of this format.

        The function identifies the format.
        """

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
    def close(self, code: int, reason: str = "") -> None:
        """Close after the outbox has been sent."""

    @abstractmethod
    def abort(self, code: int, reason: str = "") -> None:
        """Drop the outbox and end at once.

        The code is sent only if it can be the very next frame.
        """


class Bus(Protocol):
    """Carries published entries to the other nodes.

    It may lose, delay or repeat them; the log is authoritative.
    """

    def publish(self, entries: Sequence[Entry]) -> None:
        """Send the entries of one commit, in log order. Never waits."""

    def subscribe(self, receive: Callable[[Sequence[Entry]], None]) -> None:
        """Call `receive` on the event loop with the entries that other nodes publish."""

    async def close(self) -> None:
        """Stop. Nothing is delivered afterwards."""


class Read(Protocol):
    """Runs a query on a reader thread and returns its result."""

    def __call__(self, query: Callable[..., T], *args: Any, **kwargs: Any) -> Awaitable[T]: ...
