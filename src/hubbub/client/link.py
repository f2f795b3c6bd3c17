"""One connection: reads and writes side by side, and detects a dead peer.

Does not reconnect.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import orjson
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from hubbub.client.sync import Sync

SILENCE = 25.0
"""Seconds of silence after which the client pings."""
PATIENCE = 10.0
"""Seconds within which a live server responds to the ping."""
ANSWER_WITHIN = 30.0
"""Seconds after which a missing answer will not come."""


class Link:
    """Runs one WebSocket until it ends; `code` and `reason` then tell how."""

    def __init__(self, socket: ClientConnection, sync: Sync, received: Callable[[], None]) -> None:
        self.code: int | None = None
        self.reason = ""
        self._socket = socket
        self._sync = sync
        self._received = received
        self._wakeup = asyncio.Event()

    def wake(self) -> None:
        """Check for frames to send."""
        self._wakeup.set()

    async def run(self) -> None:
        """Return when either side has ended the connection.

        On cancellation, close it properly.
        """
        writing = asyncio.create_task(self._write())
        try:
            with suppress(ConnectionClosed):
                await self._read()
        except TimeoutError:
            self._socket.transport.abort()  # the peer would not read a Close frame
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await self._socket.close()
        self.code, self.reason = self._socket.close_code, self._socket.close_reason or ""

    async def _read(self) -> None:
        now = asyncio.get_running_loop().time
        while not self._sync.inbox.stale:
            try:
                async with asyncio.timeout(SILENCE):
                    text = await self._socket.recv(decode=False)
            except TimeoutError:
                await self._send(b'{"type":"ping"}')
                async with asyncio.timeout(PATIENCE):
                    text = await self._socket.recv(decode=False)
            self._sync.receive(orjson.loads(text), now())
            self._received()
            if self._sync.next_due() is not None:
                self._wakeup.set()

    async def _write(self) -> None:
        now = asyncio.get_running_loop().time
        try:
            await self._send(orjson.dumps(self._sync.hello()))
            while True:
                self._wakeup.clear()
                for frame in self._sync.outgoing(now()):
                    await self._send(orjson.dumps(frame))
                await self._wait(now)
        except (ConnectionClosed, TimeoutError):
            self._socket.transport.abort()

    async def _wait(self, now: Callable[[], float]) -> None:
        """Wait until there may be something to send.

        Raises TimeoutError if an answer is overdue.
        """
        due, sent = self._sync.next_due(), self._sync.waiting_since()
        overdue = None if sent is None else sent + ANSWER_WITHIN
        if overdue is not None and now() > overdue:
            raise TimeoutError
        soonest = min((time for time in (due, overdue) if time is not None), default=None)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(soonest):
                await self._wakeup.wait()

    async def _send(self, text: bytes) -> None:
        await self._socket.send(text, text=True)
