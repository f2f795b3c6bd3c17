"""A TCP client that sends arbitrary bytes, unlike a proper WebSocket client."""

import asyncio
import socket
import struct
from types import TracebackType

PATIENCE = 20.0
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
TEXT, BINARY, CLOSE, PING, PONG, CONT = 1, 2, 8, 9, 10, 0


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True) -> bytes:
    """Return a client's frame (RFC 6455, section 5.2), masked with zeros."""
    head = bytes([(0x80 if fin else 0) | opcode])
    mask = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([mask | len(payload)])
    elif len(payload) < 65_536:
        head += bytes([mask | 126]) + struct.pack("!H", len(payload))
    else:
        head += bytes([mask | 127]) + struct.pack("!Q", len(payload))
    return head + (b"\0\0\0\0" if masked else b"") + payload


def upgrade(path: str = "/ws", headers: dict[str, str] | None = None) -> bytes:
    """Return the head of a request to open a WebSocket."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
             "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {KEY}"]  # fmt: skip
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode()


class Raw:
    """One TCP connection to the server under test."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self._port = port
        self._buffer = receive_buffer

    async def __aenter__(self) -> "Raw":
        tcp = socket.socket()
        if self._buffer is not None:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
        tcp.setblocking(False)
        await asyncio.get_running_loop().sock_connect(tcp, ("127.0.0.1", self._port))
        self.reader, self.writer = await asyncio.open_connection(sock=tcp, limit=2**16)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.transport.abort()

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> str:
        """Return the head of the answer, up to its empty line."""
        return (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)).decode()

    async def open(self, path: str = "/ws", headers: dict[str, str] | None = None) -> "Raw":
        self.send(upgrade(path, headers))
        head = await self.head()
        assert head.startswith("HTTP/1.1 101"), head
        return self

    async def frame(self) -> tuple[int, bytes]:
        """Return opcode and payload of the server's next frame."""
        first, length = await asyncio.wait_for(self.reader.readexactly(2), PATIENCE)
        if length == 126:
            (length,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
        assert first & 0x80
        return first & 0x0F, await asyncio.wait_for(self.reader.readexactly(length), PATIENCE)

    async def closed(self) -> tuple[int, str]:
        """Return code and reason of the Close frame, skipping everything before it."""
        while True:
            opcode, payload = await self.frame()
            if opcode == CLOSE:
                return struct.unpack("!H", payload[:2])[0], payload[2:].decode()

    async def rest(self, within: float = PATIENCE) -> bytes:
        """Return all bytes until the server ends the connection, in whatever way."""
        parts = []
        try:
            async with asyncio.timeout(within):
                while part := await self.reader.read(65_536):
                    parts.append(part)
        except ConnectionError:
            pass
        return b"".join(parts)
