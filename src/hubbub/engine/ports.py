"""What the engine asks of its surroundings: connections to write to, a bus to other nodes, answers of the store."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from hubbub.domain.events import Entry

T = TypeVar("T")
Blob = Sequence[Any]
"""Encoded messages in a connection's own format, shared by all who have it: whole frames, never parts."""


class Message:
    """One outgoing message: its text, and its place in the order of the calls. Encoded once per format."""

    __slots__ = ("_encoded", "order", "text")

    def __init__(self, text: bytes, order: int = 0) -> None:
        self.text = text
        self.order = order
        self._encoded: dict[object, Any] = {}

    def encoded(self, encode: Callable[["Message"], Any]) -> Any:
        """The message in one format; `encode` is the format's identity as well as its function."""
        try:
            return self._encoded[encode]
        except KeyError:
            done = self._encoded[encode] = encode(self)
            return done


class Connection(ABC):
    """Somebody who listens. Every method is synchronous, returns at once and never raises.

    The registry keeps its own bookkeeping in the slots here, so that an idle connection costs nothing but itself.
    """

    __slots__ = ("__weakref__", "authenticated", "personal", "seen", "topics")

    @staticmethod
    @abstractmethod
    def pack(messages: Sequence[Message]) -> Blob:
        """Encodes messages, in order, as the shared blob of this format; the function is the name of the format."""

    def __init__(self) -> None:
        self.authenticated = False
        self.topics: set[Any] = set()
        self.personal: list[Message] = []
        self.seen = 0

    @abstractmethod
    def write(self, blob: Blob) -> None:
        """Hands over whole frames. What the peer cannot take waits in a bounded outbox; over the bound it is closed."""

    @abstractmethod
    def buffered(self) -> int:
        """Bytes that wait in the outbox and in the transport."""

    @abstractmethod
    def cork(self) -> None:
        """From now on what is written waits, within the outbox's bound, until `uncork`."""

    @abstractmethod
    def uncork(self, first: Blob) -> None:
        """Writes `first`, then what was written since `cork`. `first` does not count against the bound."""

    @abstractmethod
    def close(self, code: int, reason: str = "") -> None:
        """Lets what waits go out first, then closes."""

    @abstractmethod
    def abort(self, code: int, reason: str = "") -> None:
        """Drops what waits and ends at once; the code is sent only if it can be the very next thing."""


class Bus(Protocol):
    """Carries published entries to the other nodes. A hint: it may lose, delay or repeat; the log is the truth."""

    def publish(self, entries: Sequence[Entry]) -> None:
        """Takes the entries of one commit, in log order; never waits."""

    def subscribe(self, receive: Callable[[Sequence[Entry]], None]) -> None:
        """Calls `receive` on the event loop with what other nodes published."""

    async def close(self) -> None:
        """Stops; nothing is delivered after it."""


class Read(Protocol):
    """Runs a query on a reader's thread."""

    def __call__(self, query: Callable[..., T], *args: Any, **kwargs: Any) -> Awaitable[T]: ...
