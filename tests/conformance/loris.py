"""Slow clients (slow loris) that send or read byte by byte."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from tests.gateways.raw import CLOSE, TEXT, Raw, frame, upgrade

PAUSE = 0.1
"""Seconds between two bytes: the attack itself."""
HALF = b"GET / HTTP/1.1\r\nHost: x\r\n"
LARGE = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"

Loris = Callable[[int], Coroutine[Any, Any, bytes]]
"""Takes the server's port and returns the server's last bytes after the end."""


async def _drip(raw: Raw, drop: bytes) -> bytes:
    """Send `drop` repeatedly until the server ends the connection; return all it sent."""
    reading = asyncio.create_task(raw.rest(60))
    while not reading.done():
        raw.send(drop)
        await asyncio.wait({reading}, timeout=PAUSE)
    return await reading


async def silence(port: int) -> bytes:
    async with Raw(port) as raw:
        return await raw.rest(60)


async def half_a_head(port: int) -> bytes:
    async with Raw(port) as raw:
        raw.send(HALF)
        return await raw.rest(60)


async def head(port: int) -> bytes:
    """Send one endless header, byte by byte."""
    async with Raw(port) as raw:
        raw.send(HALF + b"X-Long: ")
        return await _drip(raw, b"x")


async def body(port: int) -> bytes:
    """Send a log-in whose password never ends."""
    async with Raw(port) as raw:
        kind = b"Content-Type: application/x-www-form-urlencoded\r\n"
        raw.send(b"POST /token HTTP/1.1\r\nHost: x\r\n" + kind + b"Content-Length: 4000\r\n\r\nusername=x&password=")
        return await _drip(raw, b"x")


async def no_hello(port: int) -> bytes:
    async with Raw(port) as raw:
        await raw.open()
        return await _goodbye(raw)


async def hello(port: int) -> bytes:
    """Send a first frame of 60 KB, byte by byte."""
    async with Raw(port) as raw:
        await raw.open()
        raw.send(frame(TEXT, b" " * 60_000)[:20])
        closing = asyncio.create_task(_last_frame(raw))
        while not closing.done():
            raw.send(b" ")
            await asyncio.wait({closing}, timeout=PAUSE)
        return await closing


async def _goodbye(raw: Raw) -> bytes:
    payload = await _last_frame(raw)
    raw.send(frame(CLOSE, payload))
    assert await raw.rest(60) == b""
    return payload


async def _last_frame(raw: Raw) -> bytes:
    """Return the payload of the Close frame that the server sends by itself."""
    async with asyncio.timeout(60):
        first, length = await raw.reader.readexactly(2)
        payload = await raw.reader.readexactly(length)
    assert first & 0x0F == CLOSE
    return payload


class Sip:
    """A socket that reads one byte at a time and has a minimal kernel buffer."""

    def __init__(self) -> None:
        self._tcp = socket.socket()
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
        self._tcp.setblocking(False)

    async def __aenter__(self) -> "Sip":
        return self

    async def __aexit__(self, *_: object) -> None:
        self._tcp.close()

    async def open(self, port: int, first: bytes) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self._tcp, ("127.0.0.1", port))
        await loop.sock_sendall(self._tcp, first)

    async def say(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._tcp, data)

    async def take(self, size: int = 1) -> bytes:
        """Return the next bytes, or b"" when the connection has ended."""
        with contextlib.suppress(ConnectionError):
            return await asyncio.get_running_loop().sock_recv(self._tcp, size)
        return b""

    async def on_and_on(self) -> None:
        while await self.take():  # noqa: ASYNC110  the pause is the attack
            await asyncio.sleep(PAUSE)


async def answer(port: int) -> None:
    """Read an answer of more than 100 KB byte by byte.

    Bytes in its kernel outlive the connection.
    """
    async with Sip() as sip:
        await sip.open(port, LARGE)
        await sip.on_and_on()


async def events(port: int, token: str) -> None:
    """Read a room's events byte by byte."""
    async with Sip() as sip:
        await sip.open(port, upgrade())
        said = b""
        while b"\r\n\r\n" not in said:
            said += await sip.take()
        await sip.say(frame(TEXT, json.dumps({"type": "hello", "token": token}).encode()))
        await sip.on_and_on()


IMPATIENCE = {
    silence: b"",
    half_a_head: b"HTTP/1.1 408 ",
    head: b"HTTP/1.1 408 ",
    body: b"",
    no_hello: (4501).to_bytes(2, "big"),
    hello: (4501).to_bytes(2, "big"),
}
"""Each way to stop making progress, and the server's last bytes to that client."""
