"""A queued WebSocket that detects the client's end without `receive`.

Some ASGI servers (hypercorn, granian) silently drop what is sent after the end, so an endpoint that
only sends never learns of it. Calling `receive` still returns the disconnect event.
"""

import asyncio
import math
from collections import deque

from starlette.types import Message as Event
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from hubbub.delivery.connections import Blob
from hubbub.gateways.websocket.starlette_sockets import ABNORMAL, Lost, QueuedWebSocket

READ_AHEAD_AFTER = 3
"""Writes without a `receive` by the endpoint.

An endpoint that reads in a loop nearly always has one pending.
"""
OVERHEAD = 256
"""Bytes that an event counts in addition to its text."""


class WatchedWebSocket(QueuedWebSocket):
    """Receives ahead of an endpoint that only sends.

    The endpoint's next `receive` returns these events in order.

    At most `limit` bytes are received ahead. A pending receive is never cancelled, so no message is
    lost with it. It ends with the connection, which every server closes when the endpoint returns.
    """

    __slots__ = ("_ahead", "_ahead_size", "_ahead_task", "_unread", "_wanted", "closed_with")

    def __init__(self, socket: WebSocket, limit: int, lost: Lost) -> None:
        super().__init__(socket, limit, lost)
        self._ahead: deque[Event] = deque()
        self._ahead_size = 0
        self._ahead_task: asyncio.Task[None] | None = None
        self._unread: float = 0
        """Writes since the endpoint's last `receive`."""
        self.closed_with: WebSocketDisconnect | None = None
        """The code and the reason with which the manager has closed."""
        self._wanted = False
        """Whether the endpoint waits for a message, and receives by itself after it."""

    def write(self, blob: Blob) -> None:
        super().write(blob)
        self.sent()

    def let_receive_first(self) -> None:
        """Do not receive ahead before the endpoint's next `receive`: it may be in one already."""
        self._unread = -math.inf

    def sent(self) -> None:
        """Count something sent, by the manager or by the application itself."""
        if self._reading is None and self._ahead_task is None:
            self._unread += 1
            if self._unread >= READ_AHEAD_AFTER and self.ended is None and self._ahead_size < self._limit:
                self._wanted = False
                self._ahead_task = asyncio.get_running_loop().create_task(self._read_ahead())

    async def _read_ahead(self) -> None:
        try:
            while not self._wanted and self._ahead_size < self._limit:
                event = await self._receive()
                self._ahead.append(event)
                self._ahead_size += _size(event)
                if event["type"] == "websocket.disconnect":
                    self._socket.client_state = WebSocketState.CONNECTED  # until the endpoint has received it
                    self.closed(WebSocketDisconnect(int(event.get("code") or ABNORMAL), event.get("reason")))
                    return
        except Exception:
            self.closed(WebSocketDisconnect(ABNORMAL))  # the endpoint's own `receive` raises the cause
        finally:
            self._ahead_task = None

    async def _next(self) -> Event:
        self._unread = 0
        if not self._ahead and self._ahead_task is not None:
            self._wanted = True
            await asyncio.wait({self._ahead_task})
        if not self._ahead:
            event = await super()._next()
        else:
            event = self._ahead.popleft()
            self._ahead_size -= _size(event)
        if event["type"] == "websocket.disconnect":
            # Servers differ in the code that follows an own Close.
            return self._disconnect(self.closed_with) if self.closed_with is not None else self._left(event)
        return event

    def _left(self, event: Event) -> Event:
        self._socket.client_state = WebSocketState.DISCONNECTED
        return event


def _size(event: Event) -> int:
    return OVERHEAD + len(event.get("text") or event.get("bytes") or "")
