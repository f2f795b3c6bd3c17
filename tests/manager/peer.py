"""The client's side of an ASGI WebSocket, slow, dead or gone as the test decides."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.websockets import WebSocket


class Peer:
    """The client's side of an ASGI WebSocket: what it received, and how it behaves."""

    def __init__(self) -> None:
        self.got: list[str] = []
        """Texts, bytes as `<hex>`, and the close as `close CODE`."""
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.events.put_nowait({"type": "websocket.connect"})
        self.reads = asyncio.Event()
        self.reads.set()
        self.dead = False
        self.socket = WebSocket({"type": "websocket", "headers": []}, self.events.get, self._send)

    def says(self, text: str) -> None:
        self.events.put_nowait({"type": "websocket.receive", "text": text})

    def leaves(self, code: int) -> None:
        """Leave on a server that goes on accepting what is sent, without an error."""
        self.events.put_nowait({"type": "websocket.disconnect", "code": code})

    async def _send(self, message: Any) -> None:
        await self.reads.wait()
        if self.dead:
            raise OSError("the peer is gone")
        if message["type"] == "websocket.send":
            self.got.append(message["text"] if "text" in message else f"<{message['bytes'].hex()}>")
        elif message["type"] == "websocket.close":
            self.got.append(f"close {message['code']}")


Connect = Callable[..., Awaitable[Peer]]
