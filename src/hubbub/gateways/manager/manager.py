"""The public ConnectionManager: fan-out behind the FastAPI tutorial's interface."""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import overload

from starlette.types import Message as Event
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from hubbub.delivery.connections import Blob
from hubbub.delivery.fanout import Fanout
from hubbub.gateways.manager.bus import BusOptions, Others
from hubbub.gateways.manager.owner_tasks import Owner, Owners
from hubbub.gateways.manager.read_ahead import WatchedWebSocket
from hubbub.gateways.websocket.outbox import Outbox
from hubbub.gateways.websocket.starlette_sockets import EXTENSION, FramedWebSocket

OUTBOX_BYTES = 2**20
YIELD_AFTER = 10_000
"""Queued messages after which `broadcast` yields to the event loop.

This matters for callers that never wait for anything.
"""
WRONG_LOOP = (
    "A ConnectionManager must be used on the event loop that accepted its WebSockets. From another thread, call "
    "asyncio.run_coroutine_threadsafe(manager.broadcast(message), loop); for methods that are not coroutines, call "
    "loop.call_soon_threadsafe(manager.join, websocket, topic)."
)

_inherited: list[object] = []
"""What a forked process has of its parent's connections to a bus. Closing them here would tell the
parent's event loop to stop reading, since both share its selector."""


class Framed(FramedWebSocket):
    __slots__ = ("owner",)
    owner: Owner | None

    def _begin_outbox(self, first: Blob) -> Outbox:
        return _outbox(self._limit, first)


class Queued(WatchedWebSocket):
    __slots__ = ("owner",)
    owner: Owner | None

    def _begin_outbox(self, first: Blob) -> Outbox:
        return _outbox(self._limit, first)


Socket = Framed | Queued


def _outbox(limit: int, first: Blob) -> Outbox:
    """Return an outbox whose limit does not count `first`.

    An application may send any amount at once without making a client slow that had read everything
    before: these bytes are shared by all clients. Only what is added while they wait counts towards
    the limit.
    """
    return Outbox(limit + sum(map(len, first)))


class ConnectionManager:
    """Keeps WebSockets and sends to one, to all, or to all in a topic.

    A slow client does not delay the others.

    `broadcast` and `send_personal_message` are coroutine functions that take effect at their first
    step and do not wait for clients: each connection gets its messages in the order of the calls,
    each as one text message. A client that does not keep up is closed with code 4008 once more than
    `outbox_bytes` were added while it had older messages to read; the others are not affected.

    A client that has left is dropped. Its endpoint gets WebSocketDisconnect: from `receive`, or, if
    it only sends, from `send_personal_message` to it and from `broadcast` in the task that
    connected it.

    Works on any ASGI server. Under ``uvicorn --ws
    hubbub:WebSocketProtocol`` it writes to the transports directly, which
    is several times as fast, and bypasses middleware that rewrites outgoing messages.

    With a `bus`, `broadcast` reaches the WebSockets of all processes that have a manager with the
    same bus: an address of NATS or PostgreSQL, or BusOptions. Raises ValueError for a wrong
    address, and ImportError if its client library is not installed.
    """

    def __init__(self, *, outbox_bytes: int = OUTBOX_BYTES, bus: str | BusOptions | None = None) -> None:
        self._outbox_bytes = outbox_bytes
        self._bus = BusOptions(bus) if isinstance(bus, str) else bus
        self._others: Others | None = None
        self._process = 0
        self._fanout = Fanout()
        self._owners = Owners()
        self._sockets: dict[WebSocket, Socket] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def active_connections(self) -> Sequence[WebSocket]:
        """The connected WebSockets in the order they connected; a live, read-only view.

        Each iteration covers the WebSockets that were connected when it began. It raises
        WebSocketDisconnect in the cases in which `broadcast` does.
        """
        return _View(self._sockets, self._owners, self._connected)

    async def connect(
        self,
        websocket: WebSocket,
        subprotocol: str | None = None,
        headers: Iterable[tuple[bytes, bytes]] | None = None,
    ) -> None:
        """Accept the WebSocket. From then on it gets what is broadcast to all.

        The first call with a bus waits up to a second for its connection.
        """
        if self._bus is not None:
            self._current()
            if self._others is not None:
                await self._others.ready()
        await websocket.accept(subprotocol, headers)
        if websocket in self._sockets or websocket.application_state is not WebSocketState.CONNECTED:
            return
        fanout = self._current()
        lost = partial(self._lost, websocket)
        offer = (websocket.scope.get("extensions") or {}).get(EXTENSION)
        socket: Socket
        if offer is not None and offer.open:
            socket = Framed(offer, self._outbox_bytes, lost)
        else:
            socket = Queued(websocket, self._outbox_bytes, lost)
        websocket.send = _Ordered(websocket, socket, fanout, self._owners)  # type: ignore[method-assign]
        self._sockets[websocket] = socket
        self._owners.opened(socket)
        fanout.add(socket)

    def disconnect(self, websocket: WebSocket) -> None:
        """Remove the WebSocket after sending what was queued for it.

        Does not close it. Idempotent.
        """
        socket = self._connected(websocket)
        if socket is None:
            return
        fanout = self._current()
        self._owners.released(socket)
        if self._sockets.get(websocket) is socket:
            del self._sockets[websocket]
            fanout.flush_now(socket)
            fanout.remove(socket)

    def _lost(self, websocket: WebSocket) -> None:
        """Remove a WebSocket whose connection has ended."""
        socket = self._sockets.pop(websocket, None)
        if socket is not None:
            self._owners.ended(socket)
            self._fanout.remove(socket)

    def join(self, websocket: WebSocket, topic: str) -> None:
        """Subscribe the WebSocket to `topic`."""
        fanout = self._current()
        socket = self._sockets.get(websocket)
        if socket is not None:
            fanout.join(socket, topic)

    def leave(self, websocket: WebSocket, topic: str) -> None:
        """Unsubscribe the WebSocket from `topic`. It still gets what was broadcast before."""
        fanout = self._current()
        socket = self._sockets.get(websocket)
        if socket is not None:
            fanout.leave(socket, topic)

    async def send_personal_message(self, message: str, websocket: WebSocket) -> None:
        """Send to one WebSocket. Raises WebSocketDisconnect if its client has left.

        For a WebSocket that is not connected to the manager, this calls `websocket.send_text`.
        """
        fanout = self._current()
        socket = self._sockets.get(websocket)
        if socket is None:
            socket = self._connected(websocket)
            if socket is None or socket.ended is None:
                await websocket.send_text(message)
                return
        else:
            fanout.send(socket, message.encode())
        self._owners.raise_end(socket)
        if fanout.unflushed > YIELD_AFTER:
            await asyncio.sleep(0)

    async def broadcast(self, message: str, topic: str | None = None) -> None:
        """Send to all WebSockets in a topic; without a topic, to all.

        Afterwards raises WebSocketDisconnect if the current task called `connect` and its client
        has left. With a bus, raises ValueError for a message of more than 1 MiB.
        """
        fanout = self._current()
        text = message.encode()
        if self._others is not None:
            self._others.send(text, topic)
        fanout.broadcast(text, topic)
        self._owners.check()
        if fanout.unflushed > YIELD_AFTER or (self._others is not None and self._others.waiting > YIELD_AFTER):
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Send to the bus what waits for it, for a few seconds at most, and disconnect from it.

        The WebSockets stay. The next `connect` or `broadcast` connects to the bus again.
        """
        if self._others is not None:
            self._current()
            await self._others.close()

    def _connected(self, websocket: object) -> Socket | None:
        """Return what `connect` made of the WebSocket, also after its end."""
        send = getattr(websocket, "send", None)
        return send.socket if isinstance(send, _Ordered) and send.fanout is self._fanout else None

    def _current(self) -> Fanout:
        """Return the fanout.

        Replaces one that belongs to a closed event loop (tests cause that).
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(WRONG_LOOP) from None
        if loop is not self._loop:
            if self._loop is not None:
                if self._process != os.getpid():
                    _inherited.append((self._loop, self._others))
                elif not self._loop.is_closed():
                    raise RuntimeError(WRONG_LOOP)
                self._fanout = Fanout()
                self._owners.clear()
                self._sockets.clear()
            self._loop = loop
            self._process = os.getpid()
            if self._bus is not None:
                self._others = Others(self._bus, self._fanout)
        return self._fanout


class _View(Sequence[WebSocket]):
    """A read-only sequence of a dict's keys."""

    __slots__ = ("_find", "_owners", "_sockets")

    def __init__(
        self, sockets: dict[WebSocket, Socket], owners: Owners, find: Callable[[object], Socket | None]
    ) -> None:
        self._sockets = sockets
        self._owners = owners
        self._find = find

    def __len__(self) -> int:
        return len(self._sockets)

    def __iter__(self) -> Iterator[WebSocket]:
        self._owners.check()
        return iter(list(self._sockets))

    def __contains__(self, websocket: object) -> bool:
        if websocket in self._sockets:
            return True
        socket = self._find(websocket)
        if socket is not None:
            self._owners.acknowledge(socket)
        return False

    @overload
    def __getitem__(self, index: int) -> WebSocket: ...
    @overload
    def __getitem__(self, index: slice) -> list[WebSocket]: ...
    def __getitem__(self, index: int | slice) -> WebSocket | list[WebSocket]:
        return list(self._sockets)[index]

    def __repr__(self) -> str:
        return f"<{len(self)} active connections>"


class _Ordered:
    """A WebSocket's `send` that first sends what the manager has queued."""

    __slots__ = ("_original", "_owners", "_websocket", "fanout", "socket")

    def __init__(self, websocket: WebSocket, socket: Socket, fanout: Fanout, owners: Owners) -> None:
        self._original = websocket.send
        self._owners = owners
        self.fanout = fanout
        self._websocket = websocket
        self.socket = socket

    async def __call__(self, message: Event) -> None:
        self.fanout.flush_now(self.socket)
        await self.socket.settled()
        end = self.socket.ended
        closes = message["type"] == "websocket.close"
        if end is None or self._websocket.application_state is not WebSocketState.CONNECTED:
            await self._original(message)
            self.socket.sent()
            if closes:
                self.socket.closed(WebSocketDisconnect(message.get("code", 1000), message.get("reason")))
        elif closes:
            self._websocket.application_state = WebSocketState.DISCONNECTED
        else:
            self._owners.acknowledge(self.socket)
            raise WebSocketDisconnect(end.code, end.reason)
