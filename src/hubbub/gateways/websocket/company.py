"""What all connections of one gateway share: who is in, who waits at the door, and whose turn comes when."""

import asyncio
from typing import Generic, TypeVar

from hubbub.engine.services import Services
from hubbub.gateways.websocket.door import Door
from hubbub.gateways.websocket.wheel import Wheel

C = TypeVar("C")


class Company(Generic[C]):
    """Belongs to the event loop's thread. Connections come and go by themselves."""

    def __init__(self, services: Services, *, state: str) -> None:
        """`state` is what the metrics call a connection that has logged in."""
        settings = services.settings
        self.services = services
        self.wheel = Wheel(services.clock.monotonic)
        self.door = Door(
            settings.unauthenticated_per_address, settings.unauthenticated_max, unlimited=not settings.rate_limits
        )
        self.open: set[C] = set()
        self.empty = asyncio.Event()
        """Set when the last connection has gone."""
        gauge = services.metrics.connections
        gauge.labels(state="unauthenticated").set_function(lambda: self.door.waiting)
        gauge.labels(state=state).set_function(lambda: len(self.open) - self.door.waiting)

    def came(self, connection: C) -> None:
        self.open.add(connection)
        self.empty.clear()

    def went(self, connection: C) -> None:
        self.open.discard(connection)
        if not self.open:
            self.empty.set()
