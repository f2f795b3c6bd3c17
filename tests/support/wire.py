"""A network between a server and its PostgreSQL, with faults.

The faults are silence, lost answers and delay.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

CHUNK = 65_536


class Wire:
    """Forward a port to PostgreSQL's socket.

    Faults affect existing connections; new ones work.
    """

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.delay = 0.0
        self.port = 0

    def url(self, address: str) -> str:
        """Return the address of the same database through this network."""
        url = make_url(address).set(host="127.0.0.1", port=self.port, query={})
        return url.render_as_string(hide_password=False)

    def turn_to(self, socket: Path) -> None:
        """Forward new connections to another PostgreSQL."""
        self._socket = socket

    def lose_answers(self) -> None:
        """Deliver requests and drop answers, without closing any connection."""
        for link in list(self._links):
            link.answers = False

    def fall_silent(self) -> None:
        """Deliver nothing in either direction, without closing any connection."""
        for link in list(self._links):
            link.questions = link.answers = False

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_unix_connection(str(self._socket))
        except OSError:
            writer.transport.abort()
            return
        link = Link(self)
        self._links.add(link)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)  # the loop drops a task that waits for a closed side
        try:
            await asyncio.gather(link.pump(reader, far_writer, "questions"), link.pump(far_reader, writer, "answers"))
        except asyncio.CancelledError:
            pass  # the wire ends, and the cancelling code waits for nothing else
        finally:
            self._tasks.discard(task)
            self._links.discard(link)
            far_writer.transport.abort()
            writer.transport.abort()


class Link:
    """A connection through the wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.questions = True
        self.answers = True

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                if self._wire.delay:
                    await asyncio.sleep(self._wire.delay)
                if getattr(self, direction):
                    writer.write(data)
                    await writer.drain()
        if getattr(self, direction):  # a silent network does not deliver the end of a connection either
            writer.close()


@contextmanager
def wire(socket: Path) -> Iterator[Wire]:
    """Run a wire on a thread of its own, since some callers block theirs."""
    made = Wire(socket)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="wire")
    thread.start()
    try:
        listener = asyncio.run_coroutine_threadsafe(asyncio.start_server(made.accept, "127.0.0.1", 0), loop).result()
        made.port = listener.sockets[0].getsockname()[1]
        yield made
        asyncio.run_coroutine_threadsafe(_end(listener), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(listener: asyncio.Server) -> None:
    listener.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0.01)  # callbacks of the loop close aborted transports
