"""Servers that are told to end, and clients that do nothing to let them."""

import asyncio
import json
import signal
import socket
import subprocess
from contextlib import AsyncExitStack

from tests.support.client import Connection, raw_connect
from tests.support.forked import Process
from tests.support.server import Account, Server

IN_TIME = 10.0
"""Seconds within which a server ends."""
PATIENCE = 30.0


def tell(server: Server, number: signal.Signals = signal.SIGTERM) -> Process:
    """Send the signal. Return the process, which the caller waits for."""
    process, server.process = server.process, None
    assert process is not None
    process.send_signal(number)
    return process


async def ended(process: Process, within: float = IN_TIME) -> int:
    """Return the exit code; kill the process and fail if it does not end in time."""
    try:
        return await asyncio.to_thread(process.wait, within)
    except subprocess.TimeoutExpired:
        process.kill()
        await asyncio.to_thread(process.wait, PATIENCE)
        raise


class Stubborn:
    """Clients that do nothing to let a server end: each kind waits for something."""

    def __init__(self, server: Server, account: Account, room: int) -> None:
        self.server, self.account, self.room = server, account, room
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "Stubborn":
        await self._idle()
        await self._upload()
        await self._half_a_head()
        await self._deaf_download(f"/api/topics/room:{self.room}/events")
        await self._deaf_download(f"/api/rooms/{self.room}/messages?limit=200")
        await self._deaf_socket()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _connected(self, request: bytes = b"") -> socket.socket:
        """Return a connection with a tiny buffer from which nothing is read."""
        connection = self._stack.enter_context(socket.socket())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect(("127.0.0.1", self.server.port))
        connection.sendall(request)
        return connection

    def _head(self, line: str) -> bytes:
        return f"{line} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.account.token}\r\n".encode()

    async def _idle(self) -> None:
        await self._connected()

    async def _half_a_head(self) -> None:
        await self._connected(self._head("GET /users/me"))

    async def _upload(self) -> None:
        """Send a body without its end."""
        length = b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
        await self._connected(self._head(f"POST /api/rooms/{self.room}/messages") + length)

    async def _deaf_download(self, path: str) -> None:
        """Ask for more than the buffers hold, many times on one connection, and read nothing."""
        await self._connected(self._head(f"GET {path}") + b"Accept: */*\r\n\r\n")

    async def _deaf_socket(self) -> None:
        """Ask for much on a WebSocket, and read nothing, not even the Close."""
        ws = await raw_connect(self.server.websocket_url)
        self._stack.callback(ws.transport.abort)
        await ws.send(json.dumps({"type": "hello", "token": self.account.token}))
        assert json.loads(await ws.recv())["type"] == "welcome"
        ws.transport.pause_reading()
        asked = {"type": "events.since", "topic": f"room:{self.room}", "after": 0, "limit": 200}
        for number in range(20):
            await ws.send(json.dumps({"id": number, **asked}))


async def loud_room(server: Server) -> tuple[Account, int]:
    """Return an account and a room with more messages than a connection's buffers hold."""
    account = await asyncio.to_thread(server.sign_up, "stubborn")
    room = await asyncio.to_thread(account.create_room, "Loud")
    async with await Connection.open(server.websocket_url, account.token) as connection:
        for number in range(200):
            await connection.command("message.send", room=room, key=f"loud {number}", body="x" * 7_000)
    return account, room
