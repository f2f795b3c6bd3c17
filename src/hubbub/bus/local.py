"""The bus of a single server, which has no other nodes to send entries to."""

from collections.abc import Mapping, Sequence
from typing import Any

from hubbub.domain.events import Entry


class LocalBus:
    """A bus within one process.

    The server itself delivers what it publishes, so the bus does nothing.
    """

    connects = False
    connected = True
    epoch = ""
    node = ""

    def start(self, listener: object) -> None:
        """Do nothing: there are no other nodes."""

    def publish(self, entries: Sequence[Entry]) -> None:
        """Do nothing: there are no other nodes."""

    def join(self, topic: str) -> None:
        """Do nothing: there are no other nodes."""

    def leave(self, topic: str) -> None:
        """Do nothing: there are no other nodes."""

    def alert(self) -> None:
        """Do nothing: there are no other nodes."""

    def signal(self, kind: str, content: Mapping[str, Any], topic: str | None = None) -> None:
        """Do nothing: there are no other nodes."""

    def on_signal(self, kind: str, receiver: object, *, any_epoch: bool = False) -> None:
        """Do nothing: there are no other nodes."""

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""
