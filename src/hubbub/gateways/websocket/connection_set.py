"""What all connections of one gateway share: the open ones, those not authenticated yet, and the timer wheel."""

import asyncio
from typing import Generic, TypeVar

from hubbub.engine.services import Services
from hubbub.gateways.websocket.admission import AdmissionControl
from hubbub.gateways.websocket.timer_wheel import TimerWheel

C = TypeVar("C")
HURRIED_HELLO = 2.0
"""Seconds for `hello` while three quarters of the unauthenticated places are taken."""


class ConnectionSet(Generic[C]):
    """Belongs to the event loop's thread. Connections come and go by themselves."""

    def __init__(self, services: Services, *, state: str) -> None:
        """`state` is what the metrics call a connection that has logged in."""
        settings = services.settings
        self.services = services
        self.wheel = TimerWheel(services.clock.monotonic)
        self.admission = AdmissionControl(
            idle_max=settings.unauthenticated_max if settings.rate_limits else None,
            per_network=settings.unauthenticated_per_address if settings.rate_limits else None,
        )
        """Connections that are not authenticated; the idle ones have not sent `hello`, or have been refused."""
        self.open: set[C] = set()
        self.empty = asyncio.Event()
        """Set when the last connection has gone."""
        gauge = services.metrics.connections
        gauge.labels(state="unauthenticated").set_function(lambda: self.admission.count)
        gauge.labels(state=state).set_function(lambda: len(self.open) - self.admission.count)

    def came(self, connection: C) -> None:
        self.open.add(connection)
        self.empty.clear()

    def went(self, connection: C) -> None:
        self.open.discard(connection)
        if not self.open:
            self.empty.set()

    @property
    def hello_timeout(self) -> float:
        """Seconds a new connection has to send `hello`: fewer while most places are taken by others that do not."""
        seconds = self.services.settings.hello_timeout
        return min(seconds, HURRIED_HELLO) if self.admission.is_nearly_full else seconds
