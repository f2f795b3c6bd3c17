"""A WebSocket as an ASGI server passes it to an application, without a server.

The test decides what the peer does.
"""

import asyncio
import json
from typing import Any

from starlette.types import ASGIApp, Message

HOST = "127.0.0.1:8000"
WITHIN = 20.0


class Socket:
    def __init__(
        self,
        app: ASGIApp,
        path: str = "/ws",
        headers: dict[str, str] | None = None,
        *,
        client: str | None = "127.0.0.1",
        query: bytes = b"",
        **scope: Any,
    ) -> None:
        """Connect; `scope` replaces values of the ASGI scope, and None removes them."""
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.headers: dict[str, str] = {}
        """Headers of a rejected handshake."""
        self._outgoing: asyncio.Queue[Message] = asyncio.Queue()
        given = {"Host": HOST, **(headers or {})}
        full_scope = {
            "type": "websocket", "path": path, "root_path": "", "scheme": "ws", "query_string": query,
            "headers": [(name.lower().encode(), value.encode()) for name, value in given.items()],
            "client": (client, 40_000) if client is not None else None, "subprotocols": ["hubbub.v1"],
            "extensions": {"websocket.http.response": {}}, **scope,
        }  # fmt: skip
        self.gone = False
        """If true, the peer has disconnected: sending to it raises, as ASGI specifies."""
        self.reading = asyncio.Event()
        """If cleared, the peer does not read, and sending to it waits."""
        self.reading.set()
        self._incoming.put_nowait({"type": "websocket.connect"})
        self._serving = asyncio.ensure_future(
            app(
                {name: value for name, value in full_scope.items() if value is not None}, self._incoming.get, self._send
            )
        )

    async def _send(self, message: Message) -> None:
        await self.reading.wait()
        if self.gone:
            raise OSError
        self._outgoing.put_nowait(message)

    async def event(self) -> Message:
        """Return the next message from the application."""
        async with asyncio.timeout(WITHIN):
            return await self._outgoing.get()

    @property
    def has_heard_nothing(self) -> bool:
        """True if no message from the application is unread."""
        return self._outgoing.empty()

    def say(self, frame: dict[str, Any]) -> None:
        self.say_text(json.dumps(frame))

    def say_text(self, text: str) -> None:
        self._incoming.put_nowait({"type": "websocket.receive", "text": text})

    def say_bytes(self, data: bytes) -> None:
        self._incoming.put_nowait({"type": "websocket.receive", "bytes": data})

    async def hear(self) -> dict[str, Any]:
        """Return the next frame; a close is returned as `{"closed": CODE}`."""
        event = await self.event()
        if event["type"] == "websocket.close":
            return {"closed": event["code"]}
        assert event["type"] == "websocket.send", event
        frame: dict[str, Any] = json.loads(event["text"])
        return frame

    async def greet(self, token: str | None = None) -> dict[str, Any]:
        """Wait for the accept and send `hello`; return the first frame."""
        assert (await self.event())["type"] == "websocket.accept"
        self.say({"type": "hello", **({"token": token} if token else {})})
        return await self.hear()

    async def status(self) -> int:
        """Return the status of the rejected handshake."""
        event = await self.event()
        assert event["type"] == "websocket.http.response.start", event
        self.headers = {name.decode(): value.decode() for name, value in event["headers"]}
        return int(event["status"])

    async def ended(self) -> None:
        """Wait until the application has ended."""
        async with asyncio.timeout(WITHIN):
            await asyncio.wait({self._serving})

    async def leave(self) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        self.reading.set()
        async with asyncio.timeout(WITHIN):
            await self._serving
