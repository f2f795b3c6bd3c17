"""A proxy between a browser and its server, or several of them, that can be cut and restored."""

import asyncio
import contextlib

from tests.browser.beside import Beside
from tests.support.proxy import first_that_accepts
from tests.support.server import Server

CHUNK = 65_536


class CuttableProxy(Beside):
    """`url` reaches the server unless the proxy is cut.

    Of several servers, each new connection goes to the first that accepts it.
    """

    def __init__(self, *servers: Server) -> None:
        super().__init__()
        self._targets = [server.port for server in servers]
        self._whole = True
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()

    @property
    def url(self) -> str:
        assert self._listener is not None
        return f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Close every connection and accept no new one. Returns when they are closed."""
        self._whole = False
        self._run(self._abort())

    def freeze(self) -> None:
        """Pass nothing on, and close nothing, like a network that has gone away."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def mend(self) -> None:
        self._whole = True
        self._loop.call_soon_threadsafe(self._flowing.set)

    async def _abort(self) -> None:
        self._flowing.set()
        writers = tuple(self._writers)
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        both = [writer]
        if self._whole:
            far_reader, far_writer = await first_that_accepts(self._targets)
            self._writers.add(far_writer)
            both.append(far_writer)
            if self._whole:  # else cut meanwhile
                await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        for each in both:
            each.transport.abort()
            with contextlib.suppress(OSError):
                await each.wait_closed()
        self._writers.difference_update(both)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def _end(self) -> None:
        assert self._listener is not None
        self._whole = False
        self._listener.close()
        await self._abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)
