"""Starlette's WebSockets as connections: framed where the server offers its transport, queued everywhere else."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from starlette.types import Message as Event
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from hubbub.engine.ports import Blob, Connection, Message
from hubbub.gateways.websocket.outbox import FramedConnection, Outbox
from hubbub.protocol import close_codes

EXTENSION = "hubbub.transport"
logger = logging.getLogger("hubbub.websocket")
Lost = Callable[[], None]
ABNORMAL = 1006
RESTART = 1012
"""RFC 6455's codes for an end without a Close frame, and for a server that restarts."""
NEVER = -math.inf
NOW = math.inf


class Offer(Protocol):
    """What stands in the scope's extensions under EXTENSION."""

    transport: asyncio.Transport
    received_at: float
    """When the endpoint last received: a monotonic time, NOW while it waits for a message, NEVER before the first."""

    @property
    def open(self) -> bool: ...
    def attach(self, writer: "FramedWebSocket", /) -> None: ...
    def close_frame(self, code: int, reason: str, /) -> bytes: ...
    def abort_in(self, seconds: float, /) -> None: ...


class FramedWebSocket(FramedConnection):
    """Writes prebuilt frames to the transport of AsgiWebSocketProtocol; the endpoint reads and sends as always."""

    __slots__ = ("_lost", "_offer", "ended")

    def __init__(self, offer: Offer, limit: int, lost: Lost) -> None:
        super().__init__(offer.transport, limit)
        self.ended: WebSocketDisconnect | None = None
        """What the endpoint is told when it sends; None while the connection is open."""
        self._offer = offer
        self._lost: Lost | None = lost
        offer.received_at = NEVER  # what `accept` received is not the endpoint's
        offer.attach(self)

    @property
    def received_at(self) -> float:
        """When the endpoint last received; see Offer."""
        return self._offer.received_at

    def sent(self) -> None:
        """Nothing to look for: the transport tells when the connection ends."""

    async def settled(self) -> None:
        """Nothing to wait for: uvicorn's own `send` waits until the transport is empty."""

    def lost(self, end: WebSocketDisconnect) -> None:
        """Nothing can be written any more."""
        self.forget()
        self.ended = self.ended or end
        _tell(self._lost)
        self._lost = None

    closed = lost

    def _close_frame(self, code: int, reason: str) -> bytes:
        return self._offer.close_frame(code, reason)

    def _end_within(self, seconds: float) -> None:
        self._offer.abort_in(seconds)

    def _slow(self) -> None:
        logger.warning("A slow WebSocket was closed: %d bytes waited for it.", self.buffered())
        self.ended = WebSocketDisconnect(close_codes.SLOW, "too slow")
        _tell(self._lost)
        self._lost = None


class Text:
    """One message as ASGI sends it; its length is what it counts in an outbox."""

    __slots__ = ("_size", "_text")

    def __init__(self, message: Message) -> None:
        self._text = message.text.decode()
        self._size = len(message.text)

    def __len__(self) -> int:
        return self._size

    def event(self) -> Event:
        return {"type": "websocket.send", "text": self._text}


class Close:
    """The last thing that is sent."""

    __slots__ = ("_code", "_reason")

    def __init__(self, code: int, reason: str) -> None:
        self._code = code
        self._reason = reason

    def __len__(self) -> int:
        return 0

    def event(self) -> Event:
        return {"type": "websocket.close", "code": self._code, "reason": self._reason}


def pack(messages: Sequence[Message]) -> Blob:
    """The messages as ASGI events, decoded once for everybody."""
    return [message.encoded(Text) for message in messages]


class QueuedWebSocket(Connection):
    """Sends through ASGI: a bounded outbox, and one task that exists only while something is in it.

    Nothing can abort a transport from here. So over the bound nothing more is queued, and the endpoint is ended: its
    `receive`, which this class replaces, is a disconnect with code 4008.
    """

    __slots__ = (
        "_closing", "_interrupted", "_limit", "_lost", "_outbox", "_reading", "_receive", "_send", "_socket", "_task",
        "ended", "received_at",
    )  # fmt: skip

    pack = staticmethod(pack)

    def __init__(self, socket: WebSocket, limit: int, lost: Lost) -> None:
        super().__init__()
        self._limit = limit
        self._lost: Lost | None = lost
        self._outbox: Outbox | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._reading: asyncio.Task[object] | None = None
        self._interrupted = False
        self.ended: WebSocketDisconnect | None = None
        self.received_at = NEVER
        """When the endpoint last received; see Offer."""
        self._socket = socket
        self._receive = socket.receive
        self._send = socket.send
        socket.receive = self.receive  # type: ignore[method-assign]

    # --- the port ------------------------------------------------------------------------------------------------

    def write(self, blob: Blob) -> None:
        if self._closing:
            return
        if self._outbox is None:
            self._outbox = self._begin_outbox(blob)
        self._outbox.add(blob)
        if self._outbox.is_over(self._too_slow):
            self._give_up()
        else:
            self._start()

    def buffered(self) -> int:
        return self._outbox.size if self._outbox is not None else 0

    def cork(self) -> None:
        if not self._closing:
            if self._outbox is None:
                self._outbox = Outbox(self._limit)
            self._outbox.cork()

    def uncork(self, first: Blob) -> None:
        if self._outbox is None or not self._outbox.corked:
            self.write(first)
        else:
            self._outbox.uncork(first)
            self._start()

    def close(self, code: int, reason: str = "") -> None:
        if self._closing:
            return
        if self._outbox is None or self._outbox.corked:
            self._outbox = Outbox(self._limit)  # nothing goes out before what `uncork` would have put first
        self._outbox.add((Close(code, reason),))
        self._start()
        self._closing = True

    def abort(self, code: int, reason: str = "") -> None:
        self.closed(WebSocketDisconnect(code, reason))
        if self._task is not None:
            self._task.cancel()
        if self._reading is not None and not self._interrupted:
            self._reading.cancel()
        self._interrupted = True

    def _begin_outbox(self, _first: Blob) -> Outbox:
        """For a peer that was not behind until now."""
        return Outbox(self._limit)

    def _too_slow(self, outbox: Outbox) -> None:
        if outbox is self._outbox and not self._closing:
            self._give_up()

    def _give_up(self) -> None:
        logger.warning("A slow WebSocket was ended: %d bytes waited for it.", self.buffered())
        self.abort(close_codes.SLOW, "too slow")

    # --- the writer ----------------------------------------------------------------------------------------------

    @property
    def writer(self) -> "asyncio.Task[None] | None":
        """The task that sends what waits; None while nothing does."""
        return self._task

    async def settled(self) -> None:
        """Waits until all that was written is sent, or the connection has ended."""
        while self._task is not None:
            await asyncio.wait({self._task})

    def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        state = self._socket.application_state
        try:
            while (outbox := self._outbox) is not None and outbox.chunks and not outbox.corked:
                item = outbox.chunks[0]
                await self._send(item.event())
                outbox.chunks.popleft()
                outbox.size -= len(item)
            if outbox is not None and not outbox.corked:
                self._outbox = None
        except Exception:
            # Whatever it was, this socket is dead; its endpoint hears it from its own `receive`. Starlette has set the
            # state to what lets `receive_text` fail with another error.
            self._socket.application_state = state
            self.closed(WebSocketDisconnect(ABNORMAL))
        finally:
            self._task = None

    def closed(self, end: WebSocketDisconnect) -> None:
        """Nothing can be written any more: the client has left, or the application has closed the connection."""
        self._closing = True
        self.ended = self.ended or end
        self._outbox = None
        _tell(self._lost)
        self._lost = None

    # --- the endpoint --------------------------------------------------------------------------------------------

    async def receive(self) -> Event:
        """Takes the place of the socket's own `receive`."""
        if self._interrupted and self.ended is not None:
            return self._disconnect(self.ended)
        task = asyncio.current_task()
        self._reading = task
        self.received_at = NOW
        try:
            return await self._next()
        except asyncio.CancelledError:
            # Ours only if `abort` asked for it, and nobody else did, too.
            if not self._interrupted or task is None or task.uncancel() > 0:
                raise
        finally:
            self._reading = None
            self.received_at = time.monotonic()
        return self._disconnect(self.ended or WebSocketDisconnect(ABNORMAL))

    async def _next(self) -> Event:
        return await self._receive()

    def _disconnect(self, end: WebSocketDisconnect) -> Event:
        self._socket.client_state = WebSocketState.DISCONNECTED
        return {"type": "websocket.disconnect", "code": end.code, "reason": end.reason}


def _tell(lost: Lost | None) -> None:
    """Later, since the registry may be in the middle of something."""
    if lost is not None:
        asyncio.get_running_loop().call_soon(lost)
