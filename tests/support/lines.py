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
    """A name nobody has yet in this run."""
    return f"{prefix}{next(_numbers)}"


async def enter(
    server: Server,
    name: str,
    *,
    room: int | None = None,
    headers: dict[str, str] | None = None,
    origin: str | None = None,
) -> ClientConnection:
    """Opens a plain-text connection; raises what `websockets` raises when it is refused."""
    address = f"{server.websocket_url}/{quote(name, safe='')}"
    given = {**(headers or {}), **({"Origin": origin} if origin is not None else {})}
    return await connect(address + (f"?room={room}" if room is not None else ""), additional_headers=given, proxy=None)


async def line(socket: ClientConnection, within: float = DEADLINE) -> str:
    """The next line."""
    text = await asyncio.wait_for(socket.recv(), within)
    assert isinstance(text, str)
    return text


async def until(socket: ClientConnection, wanted: str, within: float = DEADLINE) -> list[str]:
    """Reads until a line is `wanted`; all lines that came, this one last."""
    seen: list[str] = []
    async with asyncio.timeout(within):
        while not seen or seen[-1] != wanted:
            seen.append(await line(socket))
    return seen


async def end(socket: ClientConnection, within: float = DEADLINE) -> tuple[list[str], int | None]:
    """What was said last, and the code of the close."""
    seen: list[str] = []
    try:
        async with asyncio.timeout(within):
            while True:
                seen.append(await line(socket))
    except ConnectionClosed:
        return seen, socket.close_code
