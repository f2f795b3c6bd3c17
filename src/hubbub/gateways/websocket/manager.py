"""The public ConnectionManager: the registry behind the interface that every FastAPI developer knows."""

import asyncio
from collections.abc import Awaitable, Generator, Iterable, Iterator, Sequence
from functools import partial
from typing import overload

from starlette.types import Message as Event
from starlette.websockets import WebSocket, WebSocketState

from hubbub.engine.connections import Registry
from hubbub.engine.ports import Blob
from hubbub.gateways.websocket.outbox import Outbox
from hubbub.gateways.websocket.sockets import EXTENSION, FramedWebSocket, QueuedWebSocket

OUTBOX_BYTES = 2**20
ELSEWHERE = (
    "A ConnectionManager belongs to the event loop its WebSockets came in on. From a thread, a plain `def` endpoint "
    "for instance, call it with loop.call_soon_threadsafe(manager.broadcast, message)."
)


class Framed(FramedWebSocket):
    __slots__ = ()

    def _begin_outbox(self, first: Blob) -> Outbox:
        return _outbox(self._limit, first)


class Queued(QueuedWebSocket):
    __slots__ = ()

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

    What is sent takes effect when the call is made, whether or not its result is awaited: each connection gets its
    messages in the order of the calls, each as one text message. Nothing waits for a client. One that does not keep
    up is closed with code 4008 once `outbox_bytes` have come for it while it had more to read: its endpoint's `receive`
    raises WebSocketDisconnect, the others do not notice. A dead socket is dropped, never raised.

    Works on any ASGI server. Under ``uvicorn --ws hubbub.gateways.websocket.native:WebSocketProtocol`` it writes
    to the transports directly, which is several times as fast; middleware that rewrites outgoing messages is
    then passed by.
    """

    def __init__(self, *, outbox_bytes: int = OUTBOX_BYTES) -> None:
        self._outbox_bytes = outbox_bytes
        self._registry = Registry()
        self._sockets: dict[WebSocket, Socket] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def active_connections(self) -> Sequence[WebSocket]:
        """The WebSockets that are connected, in the order they came; a live view that cannot be changed."""
        return _View(self._sockets)

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
        lost = partial(self.disconnect, websocket)
        offer = (websocket.scope.get("extensions") or {}).get(EXTENSION)
        socket: Socket
        if offer is None:
            socket = Queued(websocket, self._outbox_bytes, lost)
        elif offer.open:
            socket = Framed(offer, self._outbox_bytes, lost)
        else:
            return
        _keep_order(websocket, socket, registry)
        self._sockets[websocket] = socket
        registry.add(socket)

    def disconnect(self, websocket: WebSocket) -> None:
        """Forgets the WebSocket, after what was sent to it before; harmless when repeated. Does not close it."""
        if websocket not in self._sockets:
            return
        registry = self._current()
        socket = self._sockets.pop(websocket, None)
        if socket is not None:
            registry.settle(socket)
            registry.remove(socket)

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

    def send_personal_message(self, message: str, websocket: WebSocket) -> Awaitable[None]:
        """Sends to one WebSocket; nowhere if it is not connected."""
        registry = self._current()
        socket = self._sockets.get(websocket)
        if socket is not None:
            registry.send(socket, message.encode())
        return DONE

    def broadcast(self, message: str, topic: str | None = None) -> Awaitable[None]:
        """Sends to all WebSockets in a topic; without a topic, to all."""
        self._current().broadcast(message.encode(), topic)
        return DONE

    def _current(self) -> Registry:
        """The registry. One that was left behind by an event loop that is closed (tests do that) is given up."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError(ELSEWHERE) from None
        if loop is not self._loop:
            if self._loop is not None:
                if not self._loop.is_closed():
                    raise RuntimeError(ELSEWHERE)
                self._registry = Registry()
                self._sockets.clear()
            self._loop = loop
        return self._registry


class _Done:
    """An awaitable that is finished already, and can be awaited again and again."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield


DONE: Awaitable[None] = _Done()


class _View(Sequence[WebSocket]):
    """Reads a dict's keys as a sequence."""

    __slots__ = ("_sockets",)

    def __init__(self, sockets: dict[WebSocket, Socket]) -> None:
        self._sockets = sockets

    def __len__(self) -> int:
        return len(self._sockets)

    def __iter__(self) -> Iterator[WebSocket]:
        return iter(self._sockets)

    def __contains__(self, websocket: object) -> bool:
        return websocket in self._sockets

    @overload
    def __getitem__(self, index: int) -> WebSocket: ...
    @overload
    def __getitem__(self, index: slice) -> list[WebSocket]: ...
    def __getitem__(self, index: int | slice) -> WebSocket | list[WebSocket]:
        return list(self._sockets)[index]

    def __repr__(self) -> str:
        return f"<{len(self)} active connections>"


def _keep_order(websocket: WebSocket, socket: Socket, registry: Registry) -> None:
    """What the application sends itself goes after what it sent through the manager before."""
    original = websocket.send

    async def send(message: Event) -> None:
        registry.settle(socket)
        await socket.settled()
        end = socket.ended
        if end is None:
            await original(message)
        elif message["type"] == "websocket.close":
            websocket.application_state = WebSocketState.DISCONNECTED
        else:
            raise end

    websocket.send = send  # type: ignore[method-assign]
