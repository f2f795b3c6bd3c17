"""A writer that retries under the same key over new connections until acknowledged."""

import asyncio
import itertools
from collections.abc import Callable

from tests.support.checker import History, Send
from tests.support.client import OPENING_ERRORS, ClosedError, Connection, RefusedError
from tests.support.server import Account

PAUSE = 0.02  # between attempts to connect, or when the server asks to retry later
NOT_NOW = frozenset({"busy", "unavailable", "rate_limited"})


class Writer:
    """Sends from one account over one connection at a time."""

    def __init__(self, account: Account, history: History, url: str | None = None, reply_within: float = 5.0) -> None:
        self.account = account
        self.history = history
        self.url = url or account.server.websocket_url
        self.reply_within = reply_within
        self.prefix = account.name
        self.retries = 0
        self.refusals: list[RefusedError] = []
        self.retry_key: Callable[[str], str] = lambda key: key
        self._connection: Connection | None = None
        self._opening = asyncio.Lock()
        self._numbers = itertools.count(1)

    async def connection(self) -> Connection:
        """Return the open connection; retry until there is one."""
        async with self._opening:
            while self._connection is None or not self._connection.is_open:
                try:
                    self._connection = await Connection.open(self.url, self.account.token, on_event=lambda _: None)
                except (*OPENING_ERRORS, ClosedError):
                    await asyncio.sleep(PAUSE)
            return self._connection

    def compose(self, room: int) -> Send:
        """Create a message with a key and a body that occur once."""
        number = next(self._numbers)
        key = f"{self.prefix}-{number}"
        return self.history.sending(room, self.account.id, key, f"message {number} of {self.account.name} {key}")

    async def attempt(self, send: Send, key: str) -> None:
        """Try once. Raises ClosedError, TimeoutError or RefusedError."""
        connection = await self.connection()
        ok = await connection.command("message.send", self.reply_within, room=send.room, key=key, body=send.body)
        send.acknowledge(ok["seq"])

    async def send(self, room: int, once: bool = False) -> Send:
        """Send a new message and retry until acknowledged.

        With `once`, a lost connection leaves the outcome unknown.
        """
        send = self.compose(room)
        key = send.key
        while True:
            try:
                await self.attempt(send, key)
                return send
            except RefusedError as refused:
                if refused.code not in NOT_NOW:
                    raise
                self.refusals.append(refused)
                await asyncio.sleep(min(refused.retry_after or PAUSE, 1.0))
            except (ClosedError, TimeoutError):
                if once:
                    return send
                await asyncio.sleep(0)  # a send to a closed socket fails at once, before its reader sees the end
            self.retries += 1
            key = self.retry_key(send.key)

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.abort()
