"""Readers for the program that broadcasts more than memory should hold."""

import asyncio
from typing import Any

from bench.manager_instructions import Offer
from starlette.websockets import WebSocket

from hubbub import ConnectionManager
from hubbub.gateways.websocket.starlette_sockets import EXTENSION, FramedWebSocket


class Reader:
    """A client that reads one message in a turn of the loop."""

    def __init__(self, **scope: Any) -> None:
        self.count = 0
        self.in_order = True
        events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        events.put_nowait({"type": "websocket.connect"})
        self.socket = WebSocket({"type": "websocket", "headers": [], **scope}, events.get, self._send)

    async def _send(self, message: Any) -> None:
        if message["type"] == "websocket.send":
            await asyncio.sleep(0)
            self.read(message["text"][:6])

    def read(self, number: str) -> None:
        self.in_order = self.in_order and int(number) == self.count
        self.count += 1


class SlowOffer(Offer):
    """A transport that takes one chunk in a turn of the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.transport.write = self._write  # type: ignore[method-assign]
        self._writer: FramedWebSocket | None = None
        self.reader: Reader | None = None

    def attach(self, writer: object) -> None:
        assert isinstance(writer, FramedWebSocket)
        self._writer = writer

    def _write(self, data: bytes) -> None:
        assert self._writer is not None
        assert self.reader is not None
        for part in data.split(b" ")[:-1]:
            self.reader.read(part[-6:].decode())
        self._writer.pause_writing()
        asyncio.get_running_loop().call_soon(self._writer.resume_writing)


def framed_reader() -> Reader:
    offer = SlowOffer()
    offer.reader = Reader(extensions={EXTENSION: offer})
    return offer.reader


def unbounded(manager: ConnectionManager) -> None:
    """Break the manager: nothing waits for clients."""
    manager._left_to_burst = 10**12
