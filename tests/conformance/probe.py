"""One client that does nothing wrong, and how long it waits for its answers while others do."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.support.client import Connection
from tests.support.server import Account, Server

WINDOW = 100
"""Samples, about a second of them. The 99th percentile of so few is nearly their maximum."""
WINDOWS = 2
INTERVAL = 0.005
NOISE = 0.05
"""Seconds. Two cores are shared by the server, the probe, its disturbers and the rest of the machine."""
ATTEMPTS = 3
"""Load from elsewhere only ever makes answers slower: one good measurement proves the server good."""


@dataclass(frozen=True)
class Delays:
    """The 99th percentile of each window, in seconds, before, during and after a disturbance."""

    before: list[float]
    during: list[float]
    after: list[float]

    @property
    def are_undisturbed(self) -> bool:
        """Most windows are at most twice as slow as without the disturbance, measurement noise aside.

        The median, since what happens once a second is in every window, and what the machine does now and then is not.
        """
        calm = max(statistics.median(self.before), statistics.median(self.after))
        return statistics.median(self.during) <= 2 * calm + NOISE

    def __str__(self) -> str:
        return ", ".join(
            f"{statistics.median(windows):.4f} s {when} (at most {max(windows):.4f}, {len(windows)} windows)"
            for when, windows in (("before", self.before), ("during", self.during), ("after", self.after))
        )


class Probe:
    """Sends messages one after the other and notes how long each took to be acknowledged."""

    def __init__(self, connection: Connection, room: int) -> None:
        self._connection = connection
        self._room = room
        self._count = 0

    @classmethod
    async def open(cls, server: Server) -> "Probe":
        def prepare() -> tuple[Account, int]:
            account = server.sign_up("probe")
            return account, account.create_room(f"room of {account.name}")

        account, room = await asyncio.to_thread(prepare)
        return cls(await Connection.open(server.websocket_url, account.token, on_event=lambda _: None), room)

    async def once(self) -> float:
        begin = time.monotonic()
        self._count += 1
        await self._connection.command("message.send", room=self._room, key=f"p{self._count}", body="still there?")
        return time.monotonic() - begin

    async def windows(self, until: "asyncio.Future[Any] | None" = None) -> list[float]:
        """The p99 of each of WINDOWS windows, or of all until something else is done; at least one, and that whole."""
        found: list[float] = []
        while len(found) < WINDOWS if until is None else not (found and until.done()):
            delays: list[float] = []
            while len(delays) < WINDOW and not (found and until is not None and until.done()):
                delays.append(await self.once())
                await asyncio.sleep(INTERVAL)  # the pace of the measurement
            if len(delays) == WINDOW:
                found.append(statistics.quantiles(delays, n=100)[98])
        return found

    async def measure(self, disturb: Callable[[], Awaitable[object]]) -> Delays:
        """The delays around and during a disturbance; raises what that raises."""
        before = await self.windows()
        disturbing = asyncio.ensure_future(disturb())
        during = await self.windows(disturbing)
        await disturbing
        return Delays(before, during, await self.windows())

    async def close(self) -> None:
        await self._connection.close()


async def is_left_alone(probe: Probe, disturb: Callable[[], Awaitable[object]]) -> tuple[bool, str]:
    """Whether at least one of ATTEMPTS disturbances does not disturb the probe; and the figures of all."""
    seen: list[str] = []
    for _ in range(ATTEMPTS):
        delays = await probe.measure(disturb)
        seen.append(str(delays))
        if delays.are_undisturbed:
            return True, seen[-1]
    return False, "; ".join(seen)
