"""A receiver of requests: a TCP server that does what a test tells it to."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.support.waiting import eventually

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LIMIT = 60.0


class Receiver:
    """What reached one address and port."""

    def __init__(self, host: str, behave: Behaviour, *, reads: bool) -> None:
        self.host = host
        self.port = 0
        self.requests: list[bytes] = []
        """What each connection has sent so far."""
        self.open = 0
        """Connections that the client has not closed."""
        self._behave = behave
        self._reads = reads

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        place = len(self.requests)
        self.requests.append(b"")
        try:
            if self._reads:
                await self._read(reader, place)
            await self._behave(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            return
        finally:
            self.open -= 1
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader, place: int) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests[place] = head
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                self.requests[place] = head + await reader.readexactly(int(line.partition(b":")[2]))

    async def until_closed(self) -> None:
        """Wait until the client has closed every connection."""
        await eventually(lambda: self.open == 0, LIMIT, "the client closes its connections")


@asynccontextmanager
async def receiving(
    behave: Behaviour,
    host: str = "127.0.0.1",
    port: int = 0,
    context: ssl.SSLContext | None = None,
    *,
    reads: bool = True,
) -> AsyncIterator[Receiver]:
    """Run a receiver; connections that are still open at the end are cut.

    With `reads=False` it behaves at once instead of reading the request first.
    """
    receiver = Receiver(host, behave, reads=reads)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(receiver.handle(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, host, port, ssl=context)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answering(raw: bytes) -> Behaviour:
    """Answer each request with these bytes, then close."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return behave


def streaming(head: bytes, part: bytes, pause: float | None = None) -> Behaviour:
    """Send the head, then the part again and again until the client closes the connection."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        closed = asyncio.ensure_future(reader.read(1))
        try:
            while not closed.done():
                writer.write(part)
                await writer.drain()
                if pause is None:
                    await asyncio.sleep(0)
                else:
                    await asyncio.wait({closed}, timeout=pause)
        finally:
            closed.cancel()

    return behave


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never answer; wait until the client closes the connection."""
    await reader.read(1)


OK = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
