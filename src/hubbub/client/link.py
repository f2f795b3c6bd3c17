"""One connection: reads and writes side by side, and notices when the other end is gone. Knows no reconnects."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import orjson
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from hubbub.client.sync import Sync

SILENCE = 25.0
"""Seconds after which we ask whether anybody is there."""
PATIENCE = 10.0
"""Seconds in which somebody who is there says something."""
ANSWER_WITHIN = 30.0
"""Seconds after which an answer that has not come does not come any more."""


class Link:
    """Runs one WebSocket until it ends; `code` and `reason` then say how."""

    def __init__(self, socket: ClientConnection, sync: Sync, heard: Callable[[], None]) -> None:
        self.code: int | None = None
        self.reason = ""
        self._socket = socket
        self._sync = sync
        self._heard = heard
        self._something = asyncio.Event()

    def wake(self) -> None:
        """There is something to say."""
        self._something.set()

    async def run(self) -> None:
        """Returns when the connection has ended, from whichever side. Cancelled, it says goodbye first."""
        writing = asyncio.create_task(self._write())
        try:
            with suppress(ConnectionClosed):
                await self._read()
        except TimeoutError:
            self._socket.transport.abort()  # a goodbye would not be heard
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
                await self._say(b'{"type":"ping"}')
                async with asyncio.timeout(PATIENCE):
                    text = await self._socket.recv(decode=False)
            self._sync.receive(orjson.loads(text), now())
            self._heard()
            if self._sync.next_due() is not None:
                self._something.set()

    async def _write(self) -> None:
        now = asyncio.get_running_loop().time
        try:
            await self._say(orjson.dumps(self._sync.hello()))
            while True:
                self._something.clear()
                for frame in self._sync.outgoing(now()):
                    await self._say(orjson.dumps(frame))
                await self._wait(now)
        except (ConnectionClosed, TimeoutError):
            self._socket.transport.abort()

    async def _wait(self, now: Callable[[], float]) -> None:
        """Until there may be something to say. Raises TimeoutError if an answer is overdue."""
        due, asked = self._sync.next_due(), self._sync.waiting_since()
        overdue = None if asked is None else asked + ANSWER_WITHIN
        if overdue is not None and now() > overdue:
            raise TimeoutError
        soonest = min((time for time in (due, overdue) if time is not None), default=None)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(soonest):
                await self._something.wait()

    async def _say(self, text: bytes) -> None:
        await self._socket.send(text, text=True)
