"""A plain-text client for tests: opens `/ws/{name}`, writes lines, reads lines."""

import asyncio
import itertools
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.support.server import Server

DEADLINE = 30.0
_numbers = itertools.count(1)


def fresh(prefix: str = "guest") -> str:
    """Return a name that is unused in this run."""
    return f"{prefix}{next(_numbers)}"


async def enter(
    server: Server,
    name: str,
    *,
    room: int | None = None,
    headers: dict[str, str] | None = None,
    origin: str | None = None,
) -> ClientConnection:
    """Open a plain-text connection.

    Raises what `websockets` raises for a rejected handshake.
    """
    address = f"{server.websocket_url}/{quote(name, safe='')}"
    given = {**(headers or {}), **({"Origin": origin} if origin is not None else {})}
    return await connect(address + (f"?room={room}" if room is not None else ""), additional_headers=given, proxy=None)


async def line(socket: ClientConnection, within: float = DEADLINE) -> str:
    """Return the next line."""
    text = await asyncio.wait_for(socket.recv(), within)
    assert isinstance(text, str)
    return text


async def until(
    socket: ClientConnection, wanted: str, within: float = DEADLINE, silence: float = DEADLINE
) -> list[str]:
    """Read until a line equals `wanted`; return all lines, this one last.

    `silence` is how long the next line may take, in seconds.
    """
    seen: list[str] = []
    async with asyncio.timeout(within):
        while not seen or seen[-1] != wanted:
            seen.append(await line(socket, silence))
    return seen


async def end(socket: ClientConnection, within: float = DEADLINE) -> tuple[list[str], int | None]:
    """Read until the close; return the remaining lines and the close code."""
    seen: list[str] = []
    try:
        async with asyncio.timeout(within):
            while True:
                seen.append(await line(socket))
    except ConnectionClosed:
        return seen, socket.close_code
