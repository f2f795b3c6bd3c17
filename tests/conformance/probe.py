"""One client that does nothing wrong, and how long it waits for its answers while others do."""

import asyncio
import statistics
import time
from typing import Any

from tests.support.client import Connection
from tests.support.server import Account, Server

SAMPLES = 150
INTERVAL = 0.005
NOISE = 0.05
"""Seconds. Two cores are shared by the server, the probe, its disturbers and the rest of the machine."""


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

    async def p99(self, until: "asyncio.Future[Any] | None" = None) -> float:
        """The 99th percentile over SAMPLES messages, or until something else is done."""
        delays: list[float] = []
        while not (len(delays) >= SAMPLES if until is None else until.done() and len(delays) >= 2):
            delays.append(await self.once())
            await asyncio.sleep(INTERVAL)  # the pace of the measurement
        return statistics.quantiles(delays, n=100)[98]

    async def close(self) -> None:
        await self._connection.close()


def is_undisturbed(before: float, during: float) -> bool:
    """At most twice as slow, measurement noise aside."""
    return during <= 2 * before + NOISE
