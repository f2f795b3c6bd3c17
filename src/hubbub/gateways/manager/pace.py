"""Back-pressure: a loop of broadcasts waits for the clients now and then.

A call takes effect at once, and normally does not wait. After BURST bytes within PATIENCE seconds
it waits until the clients have what was sent, for as long at most. So memory is bounded, and a
client that does not read delays no other for long: its outbox fills, and it is closed.
"""

import asyncio
from collections.abc import Collection

from hubbub.delivery.connections import Connection
from hubbub.delivery.fanout import Fanout
from hubbub.gateways.manager.sockets import Called, Socket

BURST = 4 * 2**20
"""Bytes, with OVERHEAD for each message."""
OVERHEAD = 96
PATIENCE = 2.0
"""Seconds."""


class Pace:
    """When the bytes of a burst are used up."""

    def __init__(self) -> None:
        self._began = float("-inf")
        self._pause: asyncio.Event | None = None

    async def wait(self, fanout: Fanout) -> None:
        """Yield to the event loop. In a burst, wait for the clients. Several callers wait together."""
        loop = asyncio.get_running_loop()
        if self._pause is not None:
            await self._pause.wait()
            return
        now = loop.time()
        if now - self._began >= PATIENCE:
            self._began = now
            await asyncio.sleep(0)
            return
        pause = self._pause = asyncio.Event()
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.sleep(0)
                await drained(fanout, list(fanout.connections))
        except TimeoutError:
            pass
        finally:
            self._began = loop.time()
            self._pause = None
            pause.set()


async def drained(fanout: Fanout, connections: Collection[Connection]) -> None:
    """Wait until what was sent before this call is handed to the transports of the connections."""
    await fanout.flushed()
    for connection in connections:
        assert isinstance(connection, Socket)
        if connection.is_behind:
            await connection.drained()


async def called(fanout: Fanout, sockets: Collection[Called]) -> None:
    """Wait until objects that are used by their methods have what was sent before this call.

    One that takes longer than PATIENCE is not waited for again.
    """
    await fanout.flushed()
    for socket in sockets:
        if not socket.is_waited_for:
            continue
        try:
            async with asyncio.timeout(PATIENCE):
                await socket.drained()
        except TimeoutError:
            socket.is_waited_for = False
