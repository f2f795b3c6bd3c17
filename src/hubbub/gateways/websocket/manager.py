"""The public ConnectionManager: the registry behind the interface that every FastAPI developer knows."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import overload

from starlette.types import Message as Event
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from hubbub.engine.fanout import Fanout
from hubbub.engine.ports import Blob
from hubbub.gateways.websocket.outbox import Outbox
from hubbub.gateways.websocket.owner_tasks import Owner, Owners
from hubbub.gateways.websocket.read_ahead import WatchedWebSocket
from hubbub.gateways.websocket.starlette_sockets import EXTENSION, FramedWebSocket

OUTBOX_BYTES = 2**20
IN_ONE_GO = 10_000
"""Messages after which a caller that never waits for anything lets the event loop run."""
ELSEWHERE = (
    "A ConnectionManager belongs to the event loop its WebSockets came in on. From a thread, use "
    "asyncio.run_coroutine_threadsafe(manager.broadcast(message), loop), and loop.call_soon_threadsafe(manager.join, "
    "websocket, topic) for the methods that are no coroutines."
)


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
    """What an application says in one go, however much, makes nobody slow who had taken all before it: it is there
    once for everybody, and only what comes while it waits counts against the bound.
    """
    return Outbox(limit + sum(map(len, first)))


class ConnectionManager:
    """Keeps WebSockets and sends to one, to all, or to all in a topic; a slow one among them hurts nobody.

    `broadcast` and `send_personal_message` are coroutine functions that take effect at their first step and do not wait
    for clients: each connection gets its messages in the order of the calls, each as one text message. A client that
    does not keep up is closed with code 4008 once `outbox_bytes` have come for it while it had more to read; the others
    do not notice.

    A client that has left is dropped. Its endpoint gets WebSocketDisconnect: from `receive`, or, if it only sends, from
    `send_personal_message` to it and from `broadcast` in the task that connected it.

    Works on any ASGI server. Under ``uvicorn --ws hubbub.gateways.websocket.native:WebSocketProtocol`` it writes
    to the transports directly, which is several times as fast; middleware that rewrites outgoing messages is
    then passed by.
    """

    def __init__(self, *, outbox_bytes: int = OUTBOX_BYTES) -> None:
        self._outbox_bytes = outbox_bytes
        self._registry = Fanout()
        self._owners = Owners()
        self._sockets: dict[WebSocket, Socket] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def active_connections(self) -> Sequence[WebSocket]:
        """The WebSockets that are connected, in the order they came; a live view that cannot be changed.

        Each iteration goes over those that were connected when it began, and raises WebSocketDisconnect where
        `broadcast` would.
        """
        return _View(self._sockets, self._owners, self._connected)

    async def connect(
        self,
        websocket: WebSocket,
        subprotocol: str | None = None,
        headers: Iterable[tuple[bytes, bytes]] | None = None,
    ) -> None:
        """Accepts the WebSocket; from then on it gets what is broadcast to everybody."""
        await websocket.accept(subprotocol, headers)
        if websocket in self._sockets or websocket.application_state is not WebSocketState.CONNECTED:
            return
        registry = self._current()
        lost = partial(self._lost, websocket)
        offer = (websocket.scope.get("extensions") or {}).get(EXTENSION)
        socket: Socket
        if offer is not None and offer.open:
            socket = Framed(offer, self._outbox_bytes, lost)
        else:
            socket = Queued(websocket, self._outbox_bytes, lost)
        websocket.send = _Ordered(websocket, socket, registry, self._owners)  # type: ignore[method-assign]
        self._sockets[websocket] = socket
        self._owners.opened(socket)
        registry.add(socket)

    def disconnect(self, websocket: WebSocket) -> None:
        """Forgets the WebSocket, after what was sent to it before; harmless when repeated. Does not close it."""
        socket = self._connected(websocket)
        if socket is None:
            return
        registry = self._current()
        self._owners.released(socket)
        if self._sockets.get(websocket) is socket:
            del self._sockets[websocket]
            registry.flush_now(socket)
            registry.remove(socket)

    def _lost(self, websocket: WebSocket) -> None:
        """The connection has ended."""
        socket = self._sockets.pop(websocket, None)
        if socket is not None:
            self._owners.ended(socket)
            self._registry.remove(socket)

    def join(self, websocket: WebSocket, topic: str) -> None:
        """The WebSocket gets what is broadcast to `topic` from now on."""
        registry = self._current()
        socket = self._sockets.get(websocket)
        if socket is not None:
            registry.join(socket, topic)

    def leave(self, websocket: WebSocket, topic: str) -> None:
        """The WebSocket gets what was broadcast to `topic` until now, and nothing after."""
        registry = self._current()
        socket = self._sockets.get(websocket)
        if socket is not None:
            registry.leave(socket, topic)

    async def send_personal_message(self, message: str, websocket: WebSocket) -> None:
        """Sends to one WebSocket. Raises WebSocketDisconnect if its client has left.

        To a WebSocket that is not connected to the manager, this is `websocket.send_text`.
        """
        registry = self._current()
        socket = self._sockets.get(websocket)
        if socket is None:
            socket = self._connected(websocket)
            if socket is None or socket.ended is None:
                await websocket.send_text(message)
                return
        else:
            registry.send(socket, message.encode())
        self._owners.raise_end(socket)
        if registry.unflushed > IN_ONE_GO:
            await asyncio.sleep(0)

    async def broadcast(self, message: str, topic: str | None = None) -> None:
        """Sends to all WebSockets in a topic; without a topic, to all.

        Raises WebSocketDisconnect, after that, in a task whose own client has left: the one that awaited `connect`.
        """
        registry = self._current()
        registry.broadcast(message.encode(), topic)
        self._owners.check()
        if registry.unflushed > IN_ONE_GO:
            await asyncio.sleep(0)

    def _connected(self, websocket: object) -> Socket | None:
        """What `connect` has made of the WebSocket, also after its end."""
        send = getattr(websocket, "send", None)
        return send.socket if isinstance(send, _Ordered) and send.registry is self._registry else None

    def _current(self) -> Fanout:
        """The registry. One that was left behind by an event loop that is closed (tests do that) is given up."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(ELSEWHERE) from None
        if loop is not self._loop:
            if self._loop is not None:
                if not self._loop.is_closed():
                    raise RuntimeError(ELSEWHERE)
                self._registry = Fanout()
                self._owners.clear()
                self._sockets.clear()
            self._loop = loop
        return self._registry


class _View(Sequence[WebSocket]):
    """Reads a dict's keys as a sequence."""

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
            self._owners.told(socket)
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
    """A WebSocket's `send`: what the application sends itself goes after what it sent through the manager before."""

    __slots__ = ("_original", "_owners", "_websocket", "registry", "socket")

    def __init__(self, websocket: WebSocket, socket: Socket, registry: Fanout, owners: Owners) -> None:
        self._original = websocket.send
        self._owners = owners
        self.registry = registry
        self._websocket = websocket
        self.socket = socket

    async def __call__(self, message: Event) -> None:
        self.registry.flush_now(self.socket)
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
            self._owners.told(self.socket)
            raise WebSocketDisconnect(end.code, end.reason)
