"""WebSockets as connections of a manager: framed, queued, or called by their methods."""

import asyncio
import inspect
import logging
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from starlette.types import Message as Event
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from hubbub.delivery.connections import BinaryMessage, Blob, Format, Message
from hubbub.delivery.fanout import Fanout
from hubbub.gateways.manager.names import Name
from hubbub.gateways.manager.owner_tasks import Owner, Owners
from hubbub.gateways.manager.payloads import Payload, as_json
from hubbub.gateways.manager.read_ahead import WatchedWebSocket
from hubbub.gateways.websocket.outbox import FAREWELL, Outbox
from hubbub.gateways.websocket.starlette_sockets import EXTENSION, FramedWebSocket, Lost, Offer, QueuedWebSocket

logger = logging.getLogger("hubbub.websocket")


def _outbox(limit: int, first: Blob) -> Outbox:
    """Return an outbox whose limit does not count `first`.

    An application may send any amount at once without making a client slow that had read everything
    before: these bytes are shared by all clients. Only what is added while they wait counts towards
    the limit.
    """
    return Outbox(limit + sum(map(len, first)))


class Framed(FramedWebSocket):
    """A WebSocket of a server that offers its transport."""

    __slots__ = ("_waiters", "owner", "user", "waiting", "websocket")

    def __init__(self, websocket: WebSocket, offer: Offer, limit: int, lost: Lost) -> None:
        super().__init__(offer, limit, lost)
        self.websocket = websocket
        self.owner: Owner | None = None
        self.user: Name | None = None
        self.waiting = 0
        """Bytes that waited for a client that was too slow."""
        self._waiters: list[asyncio.Future[None]] | None = None

    def _begin_outbox(self, first: Blob) -> Outbox:
        return _outbox(self._limit, first)

    @property
    def is_behind(self) -> bool:
        """Whether messages wait for the transport."""
        return self._outbox is not None

    async def drained(self) -> None:
        """Wait until the transport has everything, or the client has ended or is too slow."""
        while self._outbox is not None and not self.waiting:
            waiter = asyncio.get_running_loop().create_future()
            if self._waiters is None:
                self._waiters = []
            self._waiters.append(waiter)
            await waiter

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._waiters is not None and self._outbox is None:
            self._wake()

    def forget(self) -> None:
        super().forget()
        self._wake()

    def close(self, code: int, reason: str = "") -> None:
        """Close after what waits, within FAREWELL seconds."""
        self.ended = WebSocketDisconnect(code, reason)
        super().close(code, reason)

    def _slow(self) -> None:
        self.waiting = self.buffered()
        super()._slow()
        self._wake()


class Queued(WatchedWebSocket):
    """A WebSocket of any other server."""

    __slots__ = ("owner", "user", "waiting", "websocket")

    def __init__(self, websocket: WebSocket, limit: int, lost: Lost) -> None:
        super().__init__(websocket, limit, lost)
        self.websocket = websocket
        self.owner: Owner | None = None
        self.user: Name | None = None
        self.waiting = 0

    def _begin_outbox(self, first: Blob) -> Outbox:
        return _outbox(self._limit, first)

    @property
    def is_behind(self) -> bool:
        return self._task is not None

    async def drained(self) -> None:
        await self.settled()

    def close(self, code: int, reason: str = "") -> None:
        """Close after what waits, within FAREWELL seconds. Then the endpoint's `receive` ends."""
        if self._closing:
            return
        super().close(code, reason)
        self.ended = self.closed_with = WebSocketDisconnect(code, reason)
        timer = asyncio.get_running_loop().call_later(FAREWELL, self.abort, code, reason)

        def sent(_: object) -> None:
            timer.cancel()
            # For the endpoint it is a disconnect, and no mistake, to go on: see `_write`.
            self._socket.application_state = WebSocketState.CONNECTED
            self.abort(code, reason)

        if self._task is not None:
            self._task.add_done_callback(sent)

    def closed(self, end: WebSocketDisconnect) -> None:
        super().closed(end)
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()  # it waits for a client that has left

    def _give_up(self) -> None:
        self.waiting = self.buffered()
        super()._give_up()


class Call:
    """A message as a call of a method. Its length counts in an outbox."""

    __slots__ = ("_message",)

    def __init__(self, message: Message) -> None:
        self._message = message

    def __len__(self) -> int:
        return len(self._message.text)

    def event(self) -> Event:
        message = self._message
        if message.binary:
            return {"type": "websocket.send", "bytes": message.text}
        event = {"type": "websocket.send", "text": message.text.decode()}
        return event if message.event is None else {**event, "json": as_json(message.event)}


class CallFormat:
    """The messages as calls of methods."""

    def pack(self, messages: Sequence[Message]) -> Blob:
        return [message.encoded(Call) for message in messages]


CALLS = CallFormat()


class Called(QueuedWebSocket):
    """An object with methods of a WebSocket, such as a mock. Its own `receive` and `send` are not touched."""

    __slots__ = ("_methods", "is_waited_for", "owner", "user", "waiting", "websocket")

    format: ClassVar[Format] = CALLS

    def __init__(self, websocket: WebSocket, limit: int, lost: Lost) -> None:
        self._methods = Methods(websocket)
        super().__init__(self._methods, limit, lost)  # type: ignore[arg-type]
        self.websocket = websocket
        self.owner: Owner | None = None
        self.user: Name | None = None
        self.waiting = 0
        self.is_waited_for = True
        """Whether a call waits until this object has the message. It is False for one that took too long."""

    @property
    def is_behind(self) -> bool:
        return self._task is not None

    @property
    def error(self) -> Exception | None:
        """What a method raised."""
        return self._methods.error

    async def drained(self) -> None:
        await self.settled()

    def close(self, code: int, reason: str = "") -> None:
        if not self._closing:
            super().close(code, reason)
            self.ended = WebSocketDisconnect(code, reason)

    def _begin_outbox(self, first: Blob) -> Outbox:
        return _outbox(self._limit, first)

    def _give_up(self) -> None:
        self.waiting = self.buffered()
        super()._give_up()


class Methods:
    """The methods of a WebSocket as an ASGI socket. Each may be a coroutine function or not."""

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket
        self.application_state = WebSocketState.CONNECTED
        self.client_state = WebSocketState.CONNECTED
        self.error: Exception | None = None

    async def receive(self) -> Event:
        """Never called: the endpoint calls the method of its own WebSocket."""
        raise NotImplementedError

    async def send(self, event: Event) -> None:
        """Call `send_text`, `send_bytes`, `send_json` or `close`."""
        try:
            await awaited(self._call(event))
        except Exception as error:
            self.error = error
            if not isinstance(error, (WebSocketDisconnect, OSError, RuntimeError)):
                logger.exception("A method of a WebSocket raised an exception, so that it counts as disconnected.")
            raise

    def _call(self, event: Event) -> object:
        websocket = self._websocket
        if event["type"] == "websocket.close":
            return websocket.close(code=event["code"], reason=event["reason"])
        if "bytes" in event:
            return websocket.send_bytes(event["bytes"])
        if "json" in event and hasattr(websocket, "send_json"):
            return websocket.send_json(event["json"])
        return websocket.send_text(event["text"])


Socket = Framed | Queued | Called


async def send_directly(websocket: Any, payload: Payload) -> None:
    """Send by the WebSocket's own method. Raises TypeError for what is no WebSocket."""
    data, kind, value = payload
    if not is_websocket(websocket):
        raise TypeError(
            f"A message goes to a WebSocket or a user (str, int or UUID), not to {type(websocket).__name__}."
        )
    if kind is BinaryMessage:
        await awaited(websocket.send_bytes(data))
    elif value is not None and is_called(websocket) and hasattr(websocket, "send_json"):
        await awaited(websocket.send_json(as_json(value)))
    else:
        await awaited(websocket.send_text(data.decode()))


async def awaited(outcome: Any) -> None:
    """Await what a method returned, if it can be awaited."""
    if inspect.isawaitable(outcome):
        await outcome


def is_called(websocket: object) -> bool:
    """Return whether the object is used by its methods alone: no WebSocket of Starlette, or a patched one."""
    return not issubclass(type(websocket), WebSocket) or "send_text" in vars(websocket)


def is_websocket(value: object) -> bool:
    """Return whether the value is a WebSocket, or has a method of it for sending."""
    return isinstance(value, WebSocket) or hasattr(value, "send_text") or hasattr(value, "send_json")


def is_accepted(websocket: object) -> bool:
    return getattr(websocket, "application_state", None) is WebSocketState.CONNECTED


async def accept(websocket: WebSocket, subprotocol: str | None, headers: Iterable[tuple[bytes, bytes]] | None) -> None:
    """Accept, and pass on what was given."""
    given: dict[str, Any] = {}
    if subprotocol is not None:
        given["subprotocol"] = subprotocol
    if headers is not None:
        given["headers"] = headers
    await awaited(websocket.accept(**given))


def socket_of(websocket: WebSocket, limit: int, lost: Lost) -> Socket:
    """Return a new connection for an accepted WebSocket.

    Its transport is used by the first manager only. A second one sends through the `send` of the
    first, so that neither overtakes what the other has queued.
    """
    if is_called(websocket):
        return Called(websocket, limit, lost)
    offer = (websocket.scope.get("extensions") or {}).get(EXTENSION)
    if offer is not None and offer.open and not isinstance(websocket.send, Ordered):
        return Framed(websocket, offer, limit, lost)
    return Queued(websocket, limit, lost)


class Ordered:
    """A WebSocket's `send` that first sends what the manager has queued."""

    __slots__ = ("_owners", "_websocket", "fanout", "original", "socket")

    def __init__(self, websocket: WebSocket, socket: Framed | Queued, fanout: Fanout, owners: Owners) -> None:
        self.original = websocket.send
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
            await self.original(message)
            self.socket.sent()
            if closes:
                self.socket.closed(WebSocketDisconnect(message.get("code", 1000), message.get("reason")))
        elif closes:
            self._websocket.application_state = WebSocketState.DISCONNECTED
        else:
            self._owners.acknowledge(self.socket)
            raise WebSocketDisconnect(end.code, end.reason)


def find(websocket: object, fanout: Fanout) -> Framed | Queued | None:
    """Return the connection of the manager with this fan-out, also after its end."""
    send = getattr(websocket, "send", None)
    while isinstance(send, Ordered):
        if send.fanout is fanout:
            return send.socket
        send = send.original
    return None
