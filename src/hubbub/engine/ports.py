"""Interfaces that the engine uses: the bus, queries to the store."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from hubbub.domain.events import Entry

T = TypeVar("T")


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
