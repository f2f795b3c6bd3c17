"""The bus of a single server, which has no other nodes to send entries to."""

from collections.abc import Callable, Sequence

from hubbub.domain.events import Entry


class LocalBus:
    """A bus within one process.

    The server itself delivers what it publishes, so the bus does nothing.
    """

    def publish(self, entries: Sequence[Entry]) -> None:
        """Do nothing: there are no other nodes."""

    def subscribe(self, receive: Callable[[Sequence[Entry]], None]) -> None:
        """Do nothing: there are no other nodes."""

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""
