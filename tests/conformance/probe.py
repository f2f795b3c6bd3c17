"""A well-behaved client that measures its delays while others misbehave."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.conformance.reference import Reference
from tests.support.client import Connection
from tests.support.server import Account, Server

WINDOW = 100
"""Samples, about a second of them.

The 99th percentile of so few is nearly their maximum.
"""
WINDOWS = 2
INTERVAL = 0.005
NOISE = 0.05
"""Seconds.

Two cores are shared by the server, the probe, its disturbers and the rest of the machine.
"""
THREADS = 3
"""How many thread switches a message needs (loop, writer, loop).

The reference's echo needs one.
"""
ATTEMPTS = 3
"""One good measurement proves the server good.

Load from elsewhere only makes answers slower.
"""


@dataclass
class Windows:
    """The 99th percentile of each window in seconds, of the server and an echo server."""

    server: list[float] = field(default_factory=list)
    reference: list[float] = field(default_factory=list)

    @property
    def typical(self) -> float:
        """The median: every window has what happens once a second.

        Few windows have a hiccup of the machine.
        """
        return statistics.median(self.server)

    @property
    def machine(self) -> float:
        """The median for the reference."""
        return statistics.median(self.reference)

    def __str__(self) -> str:
        return f"{self.typical:.4f} s (of {len(self.server)} at most {max(self.server):.4f}, echo {self.machine:.4f})"


@dataclass(frozen=True)
class Delays:
    """The delays before, during and after a disturbance."""

    before: Windows
    during: Windows
    after: Windows

    @property
    def are_undisturbed(self) -> bool:
        """True if answers are at most twice as slow as without the disturbance.

        The machine's own delays are subtracted.
        """
        calm = max(self.before.typical, self.after.typical)
        return self.during.typical <= 2 * calm + NOISE + THREADS * self.during.machine

    def __str__(self) -> str:
        return f"p99 {self.before} before, {self.during} during, {self.after} after"


class Probe:
    """Send messages one after the other and record how long each acknowledgement took."""

    def __init__(self, connection: Connection, room: int, reference: Reference) -> None:
        self._connection = connection
        self._room = room
        self._reference = reference
        self._count = 0

    @classmethod
    async def open(cls, server: Server) -> "Probe":
        def prepare() -> tuple[Account, int]:
            account = server.sign_up("probe")
            return account, account.create_room(f"room of {account.name}")

        account, room = await asyncio.to_thread(prepare)
        connection = await Connection.open(server.websocket_url, account.token, on_event=lambda _: None)
        return cls(connection, room, await Reference.start())

    async def once(self) -> float:
        begin = time.monotonic()
        self._count += 1
        await self._connection.command("message.send", room=self._room, key=f"p{self._count}", body="still there?")
        return time.monotonic() - begin

    async def windows(self, until: "asyncio.Future[Any] | None" = None) -> Windows:
        """Measure WINDOWS windows, or as many as fit until `until` is done.

        Measure at least one whole window.
        """
        found = Windows()
        while len(found.server) < WINDOWS if until is None else not (found.server and until.done()):
            delays: list[tuple[float, float]] = []
            while len(delays) < WINDOW and not (found.server and until is not None and until.done()):
                delays.append(await asyncio.gather(self.once(), self._reference.once()))
                await asyncio.sleep(INTERVAL)  # This is the pace of the measurement.
            if len(delays) == WINDOW:
                server, reference = zip(*delays, strict=True)
                found.server.append(statistics.quantiles(server, n=100)[98])
                found.reference.append(statistics.quantiles(reference, n=100)[98])
        return found

    async def measure(self, disturb: Callable[[], Awaitable[object]]) -> Delays:
        """Return the delays around and during a disturbance.

        Raises what the disturbance raises.
        """
        before = await self.windows()
        disturbing = asyncio.ensure_future(disturb())
        try:
            during = await self.windows(disturbing)
            await disturbing
        finally:
            disturbing.cancel()
            await asyncio.gather(disturbing, return_exceptions=True)
        return Delays(before, during, await self.windows())

    async def close(self) -> None:
        await self._reference.stop()
        await self._connection.close()


async def is_left_alone(probe: Probe, disturb: Callable[[], Awaitable[object]]) -> tuple[bool, str]:
    """Return whether one of ATTEMPTS disturbances leaves the probe fast, and figures."""
    seen: list[str] = []
    for _ in range(ATTEMPTS):
        delays = await probe.measure(disturb)
        seen.append(str(delays))
        if delays.are_undisturbed:
            return True, seen[-1]
    return False, "; ".join(seen)
