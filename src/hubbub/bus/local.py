"""The bus of a server that is alone: there is nobody else to tell."""

from collections.abc import Callable, Sequence

from hubbub.domain.events import Entry


class LocalBus:
    """One process: whatever it publishes it has delivered itself."""

    def publish(self, entries: Sequence[Entry]) -> None:
        """Nobody else listens."""

    def subscribe(self, receive: Callable[[Sequence[Entry]], None]) -> None:
        """Nothing ever comes from elsewhere."""

    async def close(self) -> None:
        """Nothing is open."""
