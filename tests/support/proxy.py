"""A TCP proxy with faults.

Latency, dropped server frames, resets, half-close, a side that stops reading. It understands just
enough WebSocket to cut the server's stream into frames (RFC 6455, section 5.2): server frames are
unmasked, and nothing here compresses.
"""

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType

CHUNK = 65_536
TEXT = 0x1


class Link:
    """A proxied connection: two pumps and its faults."""

    def __init__(self, proxy: "Proxy", client: "Side", server: "Side") -> None:
        self.proxy = proxy
        self.client = client
        self.server = server
        self._frames = ServerFrames()

    async def run(self) -> None:
        """Pump until one direction ends and the other follows."""
        upstream = asyncio.create_task(self._pump(self.client, self.server, None))
        downstream = asyncio.create_task(self._pump(self.server, self.client, self._filter))
        try:
            await asyncio.gather(upstream, downstream)
        finally:
            for task in (upstream, downstream):
                task.cancel()
            await asyncio.gather(upstream, downstream, return_exceptions=True)
            self.reset()

    async def _pump(self, source: "Side", sink: "Side", change: Callable[[bytes], bytes] | None) -> None:
        try:
            while True:
                await self.proxy.reading.wait()
                data = await source.reader.read(CHUNK)
                if not data:
                    sink.half_close()
                    return
                if self.proxy.latency:
                    await asyncio.sleep(self.proxy.latency)
                sink.writer.write(change(data) if change else data)
                await sink.writer.drain()
        except OSError:  # a reset, as by a server that is killed with unread input
            self.reset()

    def _filter(self, data: bytes) -> bytes:
        kept = []
        for frame, payload in self._frames.feed(data):
            if payload is not None and self.proxy.drop is not None and self.proxy.drop(payload):
                self.proxy.dropped += 1
            else:
                kept.append(frame)
        return b"".join(kept)

    def reset(self) -> None:
        """End both sides at once with a TCP reset."""
        self.client.reset()
        self.server.reset()


class Side:
    """One socket of a link."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @property
    def port(self) -> int:
        """The peer's port."""
        return int(self.writer.get_extra_info("peername")[1])

    def half_close(self) -> None:
        """Send the end of the stream, and keep reading."""
        with contextlib.suppress(OSError):
            self.writer.write_eof()

    def reset(self) -> None:
        """Close with a reset instead of a FIN."""
        raw: socket.socket | None = self.writer.get_extra_info("socket")
        if raw is not None and raw.fileno() != -1:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class ServerFrames:
    """Split a server's byte stream.

    The HTTP head first, then frames with the payload of text frames.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._upgraded: bool | None = None

    def feed(self, data: bytes) -> list[tuple[bytes, bytes | None]]:
        """Return complete pieces as (bytes, payload of a text frame or None)."""
        self._buffer += data
        if self._upgraded is False:
            return [(self._take(len(self._buffer)), None)]
        pieces: list[tuple[bytes, bytes | None]] = []
        if self._upgraded is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return []
            self._upgraded = self._buffer.startswith(b"HTTP/1.1 101")
            pieces.append((self._take(end + 4 if self._upgraded else len(self._buffer)), None))
        while (size := self._frame_size()) is not None:
            head, total = size
            text = self._buffer[0] & 0x0F == TEXT
            frame = self._take(total)
            pieces.append((frame, frame[head:] if text else None))
        return pieces

    def _frame_size(self) -> tuple[int, int] | None:
        """Return (bytes of the head, bytes in all) of the first frame if it is complete."""
        if len(self._buffer) < 2:
            return None
        length = self._buffer[1] & 0x7F
        head = 2 + {126: 2, 127: 8}.get(length, 0)
        if len(self._buffer) < head:
            return None
        if head > 2:
            length = int.from_bytes(self._buffer[2:head], "big")
        return (head, head + length) if len(self._buffer) >= head + length else None

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


async def first_that_accepts(ports: Sequence[int]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the first of these ports on the loopback that accepts; raise OSError if none does."""
    for port in ports[:-1]:
        with contextlib.suppress(OSError):
            return await asyncio.open_connection("127.0.0.1", port)
    return await asyncio.open_connection("127.0.0.1", ports[-1])


class Proxy:
    """Listen on a port of its own and forward to the first of `ports` on the loopback that accepts."""

    def __init__(self, *ports: int) -> None:
        self.ports = ports
        self.counts: Counter[int] = Counter()
        """Connections to each port."""
        self.latency = 0.0
        self.drop: Callable[[bytes], bool] | None = None
        self.dropped = 0
        self.reading = asyncio.Event()
        self.reading.set()
        self.links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None

    @property
    def websocket_url(self) -> str:
        assert self._listener is not None
        return f"ws://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}/ws"

    async def __aenter__(self) -> "Proxy":
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._listener is not None
        self._listener.close()
        for _ in range(3):  # connections accepted a moment ago get a task in one of the next turns of the loop
            await asyncio.sleep(0)
            for task in list(self._tasks):
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._listener.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            server = Side(*await first_that_accepts(self.ports))
            self.counts[server.port] += 1
        except (OSError, asyncio.CancelledError):
            Side(reader, writer).reset()
            return
        link = Link(self, Side(reader, writer), server)
        self.links.add(link)
        try:
            await link.run()
        except asyncio.CancelledError:
            link.reset()
        finally:
            self.links.discard(link)

    def stop_reading(self) -> None:
        """Stop reading from both sides: the peers' buffers fill up."""
        self.reading.clear()

    def resume_reading(self) -> None:
        self.reading.set()

    def reset_all(self) -> None:
        """Reset every connection now."""
        for link in list(self.links):
            link.reset()
