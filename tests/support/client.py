"""A WebSocket client of hubbub.v1 for tests: hello, commands with replies, events.

It uses one connection and keeps no positions.
"""

import asyncio
import contextlib
import itertools
import json
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

Frame = dict[str, Any]
REPLY_DEADLINE = 30.0
# Raised by opening a connection while a server is down, starting or ending.
OPENING_ERRORS = (OSError, ConnectionClosed, InvalidHandshake, TimeoutError, EOFError)


class RefusedError(Exception):
    """The server answered a command with an error."""

    def __init__(self, error: Frame) -> None:
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.code: str = error["code"]
        self.retry_after: float | None = error.get("retry_after")


class ClosedError(Exception):
    """The connection ended before the reply: the outcome of the command is unknown."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(f"closed with {code} {reason}")
        self.code = code


class Connection:
    """A WebSocket after `hello`.

    Replies by command id, other frames in `frames` and to `on_event`.
    """

    def __init__(self, socket: ClientConnection, on_event: Callable[[Frame], None] | None = None) -> None:
        self.socket = socket
        self.frames: list[Frame] = []
        self.welcome: Frame = {}
        self.close_code: int | None = None
        self.close_reason = ""
        self._on_event = on_event or self.frames.append
        self._ids = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Frame]] = {}
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        url: str,
        token: str | None,
        have: Mapping[str, int] | None = None,
        epoch: str | None = None,
        on_event: Callable[[Frame], None] | None = None,
        **options: Any,
    ) -> "Connection":
        """Connect, send `hello` and read `welcome`.

        Raises one of `OPENING_ERRORS`, or `ClosedError` when rejected.
        """
        hello: Frame = {"type": "hello"}
        for name, value in (("token", token), ("have", have), ("epoch", epoch)):
            if value is not None:
                hello[name] = dict(value) if isinstance(value, Mapping) else value
        connection = cls(await raw_connect(url, **options), on_event)
        try:
            await connection.socket.send(json.dumps(hello))
            async with asyncio.timeout(REPLY_DEADLINE):
                first = json.loads(await connection.socket.recv())
            if first.get("type") == "welcome":
                connection.welcome = first
            else:
                await connection.socket.wait_closed()
                raise ClosedError(connection.socket.close_code, json.dumps(first))
        except ConnectionClosed as error:
            raise ClosedError(error.rcvd.code if error.rcvd else None, str(error)) from error
        except BaseException:
            connection.socket.transport.abort()
            raise
        connection._reader = asyncio.create_task(connection._read())
        return connection

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self.socket:
                frame: Frame = json.loads(message)
                waiting = self._replies.pop(frame["re"], None) if "re" in frame else None
                if waiting is None:
                    self._on_event(frame)
                elif not waiting.done():
                    waiting.set_result(frame)
        self.close_code, self.close_reason = self.socket.close_code, self.socket.close_reason or ""
        for future in self._replies.values():
            if not future.done():
                future.set_exception(ClosedError(self.close_code, self.close_reason))
                future.exception()  # marks it as retrieved: the caller may have stopped waiting
        self._replies.clear()

    @property
    def is_open(self) -> bool:
        return self._reader is not None and not self._reader.done()

    async def post(self, kind: str, /, **fields: Any) -> "asyncio.Future[Frame]":
        """Send a command; the future holds the whole reply frame or `ClosedError`."""
        number = next(self._ids)
        future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        if not self.is_open:
            raise ClosedError(self.close_code, self.close_reason)
        self._replies[number] = future
        try:
            await self.socket.send(json.dumps({"id": number, "type": kind, **fields}))
        except ConnectionClosed as error:
            self._replies.pop(number, None)
            raise ClosedError(error.rcvd.code if error.rcvd else None, "while sending") from error
        return future

    async def command(self, kind: str, /, within: float = REPLY_DEADLINE, **fields: Any) -> Frame:
        """Send a command and return its `ok`.

        Raises RefusedError, ClosedError or TimeoutError.
        """
        future = await self.post(kind, **fields)
        async with asyncio.timeout(within):  # not wait_for: until Python 3.12 it may swallow a cancellation
            return outcome(await future)

    async def ping(self) -> None:
        """Wait until everything the server wrote to this connection before has arrived."""
        await self.command("ping")

    async def finished(self) -> int | None:
        """Wait for the end of the connection; return the close code, 1006 for a reset."""
        assert self._reader is not None
        await asyncio.shield(self._reader)
        return self.close_code

    async def wait_closed(self, within: float) -> int | None:
        """Like `finished`, with a deadline."""
        async with asyncio.timeout(within):
            return await self.finished()

    def of_type(self, kind: str) -> list[Frame]:
        """Return the events of that type received so far."""
        return [frame for frame in self.frames if frame.get("type") == kind]

    async def close(self) -> None:
        await self.socket.close()
        if self._reader is not None:
            await self._reader

    async def abort(self) -> None:
        """Disconnect without a closing handshake."""
        self.socket.transport.abort()
        if self._reader is not None:
            await self._reader

    async def __aenter__(self) -> "Connection":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def outcome(reply: Frame) -> Frame:
    """Return the `ok` of a reply. Raises RefusedError."""
    if "error" in reply:
        raise RefusedError(reply["error"])
    ok: Frame = reply["ok"]
    return ok


async def raw_connect(url: str, **options: Any) -> ClientConnection:
    """Open a WebSocket of hubbub.v1 without `hello`, pings, compression or limits."""
    settings: dict[str, Any] = {
        "subprotocols": [Subprotocol("hubbub.v1")],
        "compression": None,
        "proxy": None,
        "ping_interval": None,
        "max_size": None,
        "max_queue": None,
        "open_timeout": 20,
        "close_timeout": 10,
    }
    return await connect(url, **{**settings, **options})
