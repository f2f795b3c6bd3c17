"""Starlette's WebSockets as connections.

They are framed if the server offers its transport, otherwise queued.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol

from starlette.types import Message as Event
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from hubbub.delivery.connections import Blob, Format, Message
from hubbub.domain.disconnects import Disconnect
from hubbub.gateways.websocket.connection import WebSocketConnection
from hubbub.gateways.websocket.outbox import FramedConnection, Outbox
from hubbub.protocol import close_codes

EXTENSION = "hubbub.transport"
logger = logging.getLogger("hubbub.websocket")
Lost = Callable[[], None]
ABNORMAL = 1006
RESTART = 1012
"""RFC 6455's codes for an end without a Close frame, and for a restart."""
NEVER = -math.inf
NOW = math.inf


class Offer(Protocol):
    """The transport that a server offers in the scope's extensions under EXTENSION."""

    transport: asyncio.Transport
    received_at: float
    """When the endpoint last received, a monotonic time.

    It is NOW while the endpoint waits for a message, and NEVER before the first.
    """

    @property
    def open(self) -> bool: ...
    def attach(self, writer: "FramedWebSocket", /) -> None: ...
    def close_frame(self, code: int, reason: str, /) -> bytes: ...
    def abort_in(self, seconds: float, /) -> None: ...


class FramedWebSocket(FramedConnection):
    """Writes prebuilt frames to the transport of WebSocketProtocol.

    The endpoint reads and sends as always.
    """

    __slots__ = ("_lost", "_offer", "ended")

    def __init__(self, offer: Offer, limit: int, lost: Lost) -> None:
        super().__init__(offer.transport, limit)
        self.ended: WebSocketDisconnect | None = None
        """The exception for the endpoint's sends; None while the connection is open."""
        self._offer = offer
        self._lost: Lost | None = lost
        offer.received_at = NEVER  # `accept` received the first event, not the endpoint
        offer.attach(self)

    @property
    def received_at(self) -> float:
        """When the endpoint last received; see Offer."""
        return self._offer.received_at

    def sent(self) -> None:
        """Do nothing: the transport reports the end of the connection."""

    async def settled(self) -> None:
        """Do nothing: uvicorn's own `send` waits until the transport is empty."""

    def lost(self, end: WebSocketDisconnect) -> None:
        """Stop writing and report the end."""
        self.forget()
        self.ended = self.ended or end
        _notify(self._lost)
        self._lost = None

    closed = lost

    def _close_frame(self, code: int, reason: str) -> bytes:
        return self._offer.close_frame(code, reason)

    def _end_within(self, seconds: float) -> None:
        self._offer.abort_in(seconds)

    def _slow(self) -> None:
        logger.warning("Closed a slow WebSocket: %d bytes were waiting for it.", self.buffered())
        self.ended = WebSocketDisconnect(*close_codes.OF[Disconnect.SLOW])
        _notify(self._lost)
        self._lost = None


class Text:
    """A message as an ASGI event. Its length counts in an outbox."""

    __slots__ = ("_size", "_text")

    def __init__(self, message: Message) -> None:
        self._text = message.text.decode()
        self._size = len(message.text)

    def __len__(self) -> int:
        return self._size

    def event(self) -> Event:
        return {"type": "websocket.send", "text": self._text}


class Binary:
    """A message of bytes as an ASGI event."""

    __slots__ = ("_data",)

    def __init__(self, message: Message) -> None:
        self._data = message.text

    def __len__(self) -> int:
        return len(self._data)

    def event(self) -> Event:
        return {"type": "websocket.send", "bytes": self._data}


def data_event(message: Message) -> Text | Binary:
    """Return the message as an event of text or of bytes."""
    return Binary(message) if message.binary else Text(message)


class Close:
    """The Close as an ASGI event, the last one sent."""

    __slots__ = ("_code", "_reason")

    def __init__(self, code: int, reason: str) -> None:
        self._code = code
        self._reason = reason

    def __len__(self) -> int:
        return 0

    def event(self) -> Event:
        return {"type": "websocket.close", "code": self._code, "reason": self._reason}


class EventFormat:
    """The messages as ASGI events."""

    def pack(self, messages: Sequence[Message]) -> Blob:
        """Return the events, decoded once for all recipients."""
        return [message.encoded(data_event) for message in messages]


EVENTS = EventFormat()


class QueuedWebSocket(WebSocketConnection):
    """Sends through ASGI, with a bounded outbox.

    The sending task exists only while the outbox is not empty.

    ASGI cannot abort a transport. Over the limit, nothing more is queued, and the endpoint is
    ended: its `receive`, which this class replaces, returns a disconnect with code 4008.
    """

    __slots__ = (
        "_closing", "_interrupted", "_limit", "_lost", "_outbox", "_reading", "_receive", "_send", "_socket", "_task",
        "ended", "received_at",
    )  # fmt: skip

    format: ClassVar[Format] = EVENTS

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
            self._outbox = Outbox(self._limit)  # drop what waited: `uncork` would have put its data before it
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
        """Return an outbox for a peer that was up to date."""
        return Outbox(self._limit)

    def _too_slow(self, outbox: Outbox) -> None:
        if outbox is self._outbox and not self._closing:
            self._give_up()

    def _give_up(self) -> None:
        logger.warning("Ended a slow WebSocket: %d bytes were waiting for it.", self.buffered())
        self.end(Disconnect.SLOW)

    # --- the writer ----------------------------------------------------------------------------------------------

    @property
    def writer(self) -> "asyncio.Task[None] | None":
        """The task that sends what is queued; None while nothing is."""
        return self._task

    async def settled(self) -> None:
        """Wait until everything queued is sent, or the connection has ended."""
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
                if isinstance(item, Close):
                    await self._send_close(item.event(), state)
                else:
                    await self._send(item.event())
                outbox.chunks.popleft()
                outbox.size -= len(item)
            if outbox is not None and not outbox.corked:
                self._outbox = None
        except Exception:
            # After any error this socket is dead, and the endpoint's own `receive` reports it.
            # Starlette has set the state so that `receive_text` would fail with another error.
            self._socket.application_state = state
            self.closed(WebSocketDisconnect(ABNORMAL))
        finally:
            self._task = None

    async def _send_close(self, event: Event, state: WebSocketState) -> None:
        """Send the Close; `state` is the one before it.

        Starlette changes the state at once, and then `receive_text` fails with another error. The
        send can take long, if the client does not read, and the endpoint may receive meanwhile.
        """
        sending = asyncio.get_running_loop().create_task(self._send(event))
        await asyncio.sleep(0)
        self._socket.application_state = state
        await sending
        self._socket.application_state = WebSocketState.DISCONNECTED

    def closed(self, end: WebSocketDisconnect) -> None:
        """Stop writing: the client has left, or the application has closed the connection."""
        self._closing = True
        self.ended = self.ended or end
        self._outbox = None
        _notify(self._lost)
        self._lost = None

    # --- the endpoint --------------------------------------------------------------------------------------------

    async def receive(self) -> Event:
        """Receive the next event. Replaces the socket's own `receive`."""
        if self._interrupted and self.ended is not None:
            return self._disconnect(self.ended)
        task = asyncio.current_task()
        self._reading = task
        self.received_at = NOW
        try:
            return await self._next()
        except asyncio.CancelledError:
            # Swallow only the cancellation that `abort` requested, if there is no other.
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


def _notify(lost: Lost | None) -> None:
    """Call `lost` in the next iteration: the fanout may be in an operation."""
    if lost is not None:
        asyncio.get_running_loop().call_soon(lost)
