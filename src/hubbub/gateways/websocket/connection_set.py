"""State shared by all connections of one gateway.

It consists of the open connections, admission control and the timer wheel.
"""

import asyncio
from typing import Generic, TypeVar

from hubbub.engine.services import Services
from hubbub.gateways.websocket.admission import AdmissionControl
from hubbub.gateways.websocket.timer_wheel import TimerWheel

C = TypeVar("C")
HURRIED_HELLO = 2.0
"""Seconds to send `hello` while 3/4 of the unauthenticated slots are taken."""


class ConnectionSet(Generic[C]):
    """The open connections of a gateway. Use it in the event loop's thread only."""

    def __init__(self, services: Services, *, state: str) -> None:
        """Create an empty set. `state` is the metrics label of authenticated connections."""
        settings = services.settings
        self.services = services
        self.wheel = TimerWheel(services.clock.monotonic)
        self.admission = AdmissionControl(
            idle_max=settings.unauthenticated_max if settings.rate_limits else None,
            per_network=settings.unauthenticated_per_address if settings.rate_limits else None,
        )
        """Slots of unauthenticated connections.

        The idle ones have not sent `hello` or were rejected.
        """
        self.open: set[C] = set()
        self.empty = asyncio.Event()
        """Set while no connection is open."""
        gauge = services.metrics.connections
        gauge.labels(state="unauthenticated").set_function(lambda: self.admission.count)
        gauge.labels(state=state).set_function(lambda: len(self.open) - self.admission.count)

    def add(self, connection: C) -> None:
        self.open.add(connection)
        self.empty.clear()

    def discard(self, connection: C) -> None:
        self.open.discard(connection)
        if not self.open:
            self.empty.set()

    @property
    def hello_timeout(self) -> float:
        """Seconds a new connection has to send `hello`.

        They are fewer when most slots are taken by others that wait.
        """
        seconds = self.services.settings.hello_timeout
        return min(seconds, HURRIED_HELLO) if self.admission.is_nearly_full else seconds
