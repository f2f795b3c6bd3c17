"""The public ConnectionManager: fan-out behind the FastAPI tutorial's interface."""

import asyncio
import inspect
import os
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Never, TypeVar
from weakref import WeakSet

from starlette.websockets import WebSocket, WebSocketState

from hubbub.delivery.connections import Connection
from hubbub.delivery.fanout import Fanout
from hubbub.gateways.manager.bus import BusOptions
from hubbub.gateways.manager.closing import check_close
from hubbub.gateways.manager.history import History, Kept
from hubbub.gateways.manager.hooks import Hooks, Moved, Slow
from hubbub.gateways.manager.names import Name, User, check_name, is_name
from hubbub.gateways.manager.others import Key, Others
from hubbub.gateways.manager.owner_tasks import Owners
from hubbub.gateways.manager.pace import BURST, OVERHEAD, Pace, called, drained
from hubbub.gateways.manager.payloads import Message, Payload, encode
from hubbub.gateways.manager.sockets import (
    Called,
    Framed,
    Ordered,
    Queued,
    Socket,
    accept,
    find,
    is_accepted,
    is_called,
    is_websocket,
    send_directly,
    socket_of,
)  # fmt: skip
from hubbub.gateways.manager.view import View

OUTBOX_BYTES = 2**20
MAX_HISTORY = 100_000
QUEUE = 10_000
"""Texts that wait for the bus, after which a call yields to the event loop."""
Target = WebSocket | Name
WRONG_LOOP = (
    "A ConnectionManager must be used on the event loop that accepted its WebSockets. From another thread, call "
    "asyncio.run_coroutine_threadsafe(manager.broadcast(message), loop); for methods that are not coroutines, call "
    "loop.call_soon_threadsafe(manager.join, websocket, topic)."
)
EXCLUDE = "exclude takes WebSockets and users (str, int or UUID), one of them or several."
MISPLACED = "broadcast takes the message alone. Name the rest: broadcast(message, topic=…, exclude=…)."
_Moved = TypeVar("_Moved", bound=Moved)
_Slow = TypeVar("_Slow", bound=Slow)

_inherited: list[object] = []
"""What a forked process has of its parent's connections to a bus. Closing them here would tell the
parent's event loop to stop reading, since both share its selector."""


class ConnectionManager:
    """Keeps WebSockets and sends to one, to a user, to all in a topic, or to all.

    A slow client does not delay the others.

    Messages are text, bytes, or JSON; see `Message`. `broadcast` and `send_personal_message` are
    coroutine functions that take effect at their first step: each connection gets its messages in
    the order of the calls. They do not wait for clients, except in a burst: after 1 MiB within a
    second, a call waits until the clients have it, at most a second for each MiB. A client that
    does not keep up is closed with code 4008 once more than `outbox_bytes` were added while it had
    older messages to read; the others are not affected.

    A client that has left is dropped. Its endpoint gets WebSocketDisconnect: from `receive`, or, if
    it only sends, from `send_personal_message` to it and from `broadcast` in the task that
    connected it.

    Works on any ASGI server. Under ``uvicorn --ws
    hubbub:WebSocketProtocol`` it writes to the transports directly, which
    is several times as fast, and bypasses middleware that rewrites outgoing messages.

    With a `bus`, `broadcast`, messages to users, and `close_…` reach the WebSockets of all processes
    that have a manager with the same bus: an address of NATS or PostgreSQL, or BusOptions. Raises
    ValueError for a wrong address, and ImportError if its client library is not installed.

    With a `history`, that many of the last messages of each topic are kept for clients that come
    back; see `join`.
    """

    def __init__(
        self, *, outbox_bytes: int = OUTBOX_BYTES, bus: str | BusOptions | None = None, history: int = 0
    ) -> None:
        if not 0 <= history <= MAX_HISTORY:
            raise ValueError(f"A history has at most {MAX_HISTORY:,} messages of each topic.")
        self._outbox_bytes = outbox_bytes
        self._bus = BusOptions(bus) if isinstance(bus, str) else bus
        self._history_length = history
        self._history: History | None = None
        self._others: Others | None = None
        self._process = 0
        self._fanout = Fanout()
        self._owners = Owners()
        self._hooks: Hooks | None = None
        self._sockets: dict[object, Socket] = {}
        """By the WebSocket, or by its id if it has no hash."""
        self._called: dict[Called, None] = {}
        self._closing: WeakSet[Socket] | None = None
        self._leaving: dict[int, Socket] = {}
        """Sockets with hooks that are not done, by the id of their WebSocket."""
        self._left_to_burst = BURST
        self._pace = Pace()
        self._loop: asyncio.AbstractEventLoop | None = None

    # --- connections -----------------------------------------------------------------------------

    @property
    def active_connections(self) -> Sequence[WebSocket]:
        """The connected WebSockets in the order they connected; a live, read-only view.

        Each iteration covers the WebSockets that were connected when it began. It raises
        WebSocketDisconnect in the cases in which `broadcast` does.
        """
        return View(self._sockets, self._owners, self._find, self._find_ended)

    async def connect(
        self,
        websocket: WebSocket,
        subprotocol: str | None = None,
        headers: Iterable[tuple[bytes, bytes]] | None = None,
        *,
        user: Name | None = None,
    ) -> None:
        """Accept the WebSocket, unless that is done. From then on it gets what is broadcast to all.

        `user` names the user, who may have several WebSockets. Idempotent; a later call may name
        another user.

        The first call with a bus waits up to a second for its connection.
        """
        if user is not None:
            check_name(user, "user")
        if self._bus is not None:
            self._current()
            if self._others is not None:
                await self._others.ready()
        if self._find(websocket) is None and not is_accepted(websocket):
            await accept(websocket, subprotocol, headers)
            if not is_called(websocket) and not is_accepted(websocket):
                return
        self._add(websocket, user)

    def add(self, websocket: WebSocket, *, user: Name | None = None) -> None:
        """Add a WebSocket that the application has accepted: `connect` without awaiting. Idempotent.

        Raises RuntimeError if it is not accepted, or closed. On hypercorn and granian, an endpoint
        that never receives learns of the end of its client only with `connect`.
        """
        if user is not None:
            check_name(user, "user")
        state = getattr(websocket, "application_state", None)
        if isinstance(state, WebSocketState) and state is not WebSocketState.CONNECTED:
            raise RuntimeError("add takes a WebSocket that is accepted and not closed. Use connect to accept it.")
        self._add(websocket, user, reads_ahead=False)

    def disconnect(self, websocket: WebSocket) -> None:
        """Remove the WebSocket after sending what was queued for it.

        Does not close it. Idempotent.
        """
        connected = self._find(websocket)
        socket = connected or self._find_ended(websocket)
        if socket is None:
            return
        fanout = self._current()
        self._owners.released(socket)
        if connected is not None:
            fanout.flush_now(socket)
            self._remove(socket)

    def join(self, websocket: WebSocket, topic: Name, *, since: str | None = None) -> bool:
        """Subscribe the WebSocket to `topic`.

        With a history and the id of a message in `since`, it first gets what came after that
        message. Returns False if some of it may be missing: the id is unknown or too old, and the
        WebSocket gets what there is. It gets all of it for an empty id as well. Nothing is sent to
        a WebSocket that is in the topic already.
        """
        check_name(topic, "topic")
        if since is not None and not self._history_length:
            raise ValueError("since needs ConnectionManager(history=…).")
        fanout = self._current()
        socket = self._find(websocket)
        if socket is None:
            return False
        if socket in fanout.members(topic):
            return True
        complete = True
        missed: list[Kept] = []
        if since is not None and self._history is not None:
            missed, complete = self._history.since(topic, since)
        fanout.join(socket, topic)
        for kept in missed:
            if socket.user is None or socket.user not in kept.excluded:
                data, kind, value = kept.payload
                fanout.send(socket, data, value, kind)
        if self._hooks is not None:
            self._hooks.call(self._hooks.joined, websocket, topic)
        return complete

    def leave(self, websocket: WebSocket, topic: Name) -> None:
        """Unsubscribe the WebSocket from `topic`. It still gets what was broadcast before."""
        check_name(topic, "topic")
        fanout = self._current()
        socket = self._find(websocket)
        if socket is not None and socket in fanout.members(topic):
            fanout.leave(socket, topic)
            if self._hooks is not None:
                self._call_left(socket, topic)

    # --- messages --------------------------------------------------------------------------------

    async def send_personal_message(self, message: Message, websocket: Target) -> None:
        """Send to one WebSocket, or to all WebSockets of a user.

        Raises WebSocketDisconnect if the client of the WebSocket has left; a user may have none.
        Raises TypeError for what is no message.

        For a WebSocket that is not connected to the manager, this calls its own method.
        """
        fanout = self._current()
        socket = self._find(websocket)
        if socket is None or type(message) is not str:
            await self._send_other(message, websocket, socket)
            return
        data = message.encode()
        fanout.send(socket, data)
        self._owners.raise_end(socket)
        self._left_to_burst -= len(data) + OVERHEAD
        if self._left_to_burst < 0:
            await self._wait(socket)

    async def broadcast(
        self,
        message: Message,
        *misplaced: Never,
        topic: Name | None = None,
        exclude: Target | Iterable[Target] | None = None,
    ) -> None:
        """Send to all WebSockets in a topic; without a topic, to all.

        `exclude` is a WebSocket or a user, or several of them, to which it is not sent.

        Afterwards raises WebSocketDisconnect if the current task called `connect` and its client
        has left. Raises TypeError for what is no message; with a bus, ValueError for a message of
        more than 1 MiB.
        """
        fanout = self._current()
        if misplaced:
            raise TypeError(MISPLACED)
        if topic is not None and type(topic) is not str:
            check_name(topic, "topic")
        if type(message) is str and exclude is None and self._history is None:
            data = message.encode()
            if self._others is not None:
                self._others.send(topic, data)
            fanout.broadcast(data, topic)
        else:
            data = self._broadcast(encode(message), topic, exclude)
        self._owners.check()
        self._left_to_burst -= len(data) + OVERHEAD
        if self._left_to_burst < 0 or (self._others is not None and self._others.waiting > QUEUE):
            await self._wait()

    broadcast.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD),
            inspect.Parameter("message", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Any),
            inspect.Parameter("topic", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Any),
            inspect.Parameter("exclude", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Any),
        ],
        return_annotation=None,
    )
    """Without `misplaced`, so that FastAPI can call it as a dependency."""

    async def drained(self, *, topic: Name | None = None) -> None:
        """Wait until the transports have what was sent before, to a topic or to all.

        Does not wait for clients that have left or are too slow. Waits for what `close_…` closes.
        """
        if topic is not None:
            check_name(topic, "topic")
        fanout = self._current()
        await drained(fanout, list(fanout.connections if topic is None else fanout.members(topic)))
        for socket in list(self._closing or ()):
            await socket.drained()

    # --- who is there ----------------------------------------------------------------------------

    def connections(self, *, topic: Name | None = None, user: Name | None = None) -> list[WebSocket]:
        """Return the WebSockets of this process in a topic, or of a user, or all, as they connected."""
        return [socket.websocket for socket in self._select(topic, user)]

    def users(self, *, topic: Name | None = None) -> list[Name]:
        """Return the users with a WebSocket in this process, or in a topic, as they connected."""
        found = dict.fromkeys(socket.user for socket in self._select(topic, None))
        return [user for user in found if user is not None]

    def topics(self, websocket: WebSocket | None = None) -> dict[Name, int]:
        """Return the topics, or those of a WebSocket, with their number of WebSockets in this process."""
        if websocket is None:
            names = list(self._fanout.topics)
        else:
            socket = self._find(websocket)
            names = self._fanout.topics_of(socket) if socket is not None else []
        return {name: len(self._fanout.members(name)) for name in names if not isinstance(name, User)}

    def user_of(self, websocket: WebSocket) -> Name | None:
        """Return the user of a WebSocket, also after its end."""
        socket = self._find(websocket) or self._leaving.get(id(websocket)) or self._find_ended(websocket)
        return socket.user if socket is not None else None

    # --- closing ---------------------------------------------------------------------------------

    async def close_topic(self, topic: Name, code: int = 1000, reason: str = "") -> None:
        """Close the WebSockets in a topic, in all processes, after what was sent to them before.

        Raises ValueError for a code that applications may not send, or a reason of more than 123
        bytes.
        """
        check_name(topic, "topic")
        self._close(topic, code, reason)

    async def close_user(self, user: Name, code: int = 1000, reason: str = "") -> None:
        """Close the WebSockets of a user as `close_topic` does."""
        check_name(user, "user")
        self._close(User(user), code, reason)

    async def close_all(self, code: int = 1001, reason: str = "") -> None:
        """Close all WebSockets as `close_topic` does."""
        self._close(None, code, reason)

    async def close(self) -> None:
        """Send to the bus what waits for it, for a few seconds at most, and disconnect from it.

        The WebSockets stay. The next `connect` or `broadcast` connects to the bus again.
        """
        if self._others is not None:
            self._current()
            await self._others.close()

    # --- hooks -----------------------------------------------------------------------------------

    def on_joined(self, hook: _Moved) -> _Moved:
        """Call a function with a WebSocket and the topic it joined; None when it has connected.

        Hooks are plain functions or coroutine functions. Those run within the call of the manager,
        these as tasks. What they raise is logged.
        """
        self._with_hooks().joined.append(hook)
        return hook

    def on_left(self, hook: _Moved) -> _Moved:
        """Call a function with a WebSocket and the topic it left; None when it has disconnected."""
        self._with_hooks().left.append(hook)
        return hook

    def on_slow(self, hook: _Slow) -> _Slow:
        """Call a function with a WebSocket that is closed with 4008, and the bytes that wait for it."""
        self._with_hooks().slow.append(hook)
        return hook

    # --- what other processes sent ---------------------------------------------------------------

    def _deliver(self, payload: Payload, key: Key, excluded: tuple[Name, ...]) -> None:
        if self._history is not None and key is not None and not isinstance(key, User):
            payload = self._history.add(key, payload, excluded)
        self._send_here(payload, key, self._devices(excluded))

    def _close_local(self, key: Key, code: int, reason: str) -> None:
        fanout = self._fanout
        for connection in list(fanout.connections if key is None else fanout.members(key)):
            assert isinstance(connection, Socket)
            fanout.flush_now(connection)
            connection.close(code, reason)
            if self._closing is None:
                self._closing = WeakSet()
            self._closing.add(connection)
            self._owners.ended(connection)
            self._owners.acknowledge(connection)  # the task that closes its own client knows
            self._remove(connection)

    # --- inside ----------------------------------------------------------------------------------

    def _broadcast(self, payload: Payload, topic: Name | None, exclude: object) -> bytes:
        """Send to all or to a topic, here and in the other processes. Return what was sent."""
        sockets, users = self._excluded(exclude)
        keeps = self._history is not None and topic is not None
        prepared = None
        if self._others is not None:
            prepared = self._others.prepare(payload, users, may_get_id=keeps)
        if self._history is not None and topic is not None:
            payload = self._history.add(topic, payload, users)
        if self._others is not None and prepared is not None:
            self._others.send(topic, *prepared)
        self._send_here(payload, topic, sockets)
        return payload.data

    def _send_here(self, payload: Payload, key: Key, excluded: Sequence[Connection]) -> None:
        data, kind, value = payload
        if excluded:
            self._fanout.broadcast_to_others(excluded, data, key, value, kind)
        else:
            self._fanout.broadcast(data, key, value, kind)

    def _excluded(self, exclude: Any) -> tuple[list[Connection], tuple[Name, ...]]:
        """Return the connections that do not get a message, and the users among those named."""
        if exclude is None:
            return [], ()
        if is_name(exclude) or self._find(exclude) is not None or is_websocket(exclude):
            exclude = (exclude,)
        elif isinstance(exclude, (bytes, bytearray, memoryview)) or not isinstance(exclude, Iterable):
            raise TypeError(EXCLUDE)
        sockets: list[Connection] = []
        users: list[Name] = []
        for each in exclude:
            socket = self._find(each)
            if socket is not None:
                sockets.append(socket)
            elif is_name(each):
                users.append(each)
            elif not is_websocket(each):
                raise TypeError(EXCLUDE)
        return [*sockets, *self._devices(users)], tuple(users)

    def _devices(self, users: Iterable[Name]) -> list[Connection]:
        return [connection for user in users for connection in self._fanout.members(User(user))]

    async def _send_other(self, message: Message, target: Any, socket: Socket | None) -> None:
        """Send JSON or bytes, or to a user, or to a WebSocket that is not connected to the manager."""
        payload = encode(message)
        data, kind, value = payload
        if socket is None and is_name(target):
            if self._others is not None:
                self._others.send(User(target), *self._others.prepare(payload))
            self._fanout.broadcast(data, User(target), value, kind)
        elif socket is not None:
            self._fanout.send(socket, data, value, kind)
            self._owners.raise_end(socket)
        else:
            ended = self._find_ended(target)
            if ended is None or ended.ended is None:
                await send_directly(target, payload)
                return
            self._owners.raise_end(ended)
        self._left_to_burst -= len(data) + OVERHEAD
        if self._left_to_burst < 0:
            await self._wait(socket)

    async def _wait(self, socket: Socket | None = None) -> None:
        """Yield to the event loop; in a burst, until the clients have it. See pace.py."""
        if self._called:
            self._left_to_burst = 0  # the next call waits as well
            await called(self._fanout, list(self._called))
            if isinstance(socket, Called) and socket.error is not None:
                raise socket.error
            return
        await self._pace.wait(self._fanout)
        self._left_to_burst = BURST

    def _select(self, topic: Name | None, user: Name | None) -> list[Socket]:
        if topic is None and user is None:
            return list(self._sockets.values())
        if topic is not None:
            check_name(topic, "topic")
        if user is not None:
            check_name(user, "user")
        found = self._fanout.members(topic if user is None or topic is not None else User(user))
        sockets = [each for each in found if isinstance(each, Socket)]
        return sockets if user is None else [each for each in sockets if each.user == user]

    def _close(self, key: Key, code: int, reason: str) -> None:
        check_close(code, reason)
        self._current()
        if self._others is not None:
            self._others.close_connections(key, code, reason)
        self._close_local(key, code, reason)

    def _add(self, websocket: WebSocket, user: Name | None, *, reads_ahead: bool = True) -> None:
        fanout = self._current()
        socket = self._find(websocket)
        if socket is not None:
            self._set_user(socket, user)
            return
        socket = self._find_ended(websocket)
        if socket is None:
            socket = socket_of(websocket, self._outbox_bytes, partial(self._lost, websocket))
            if not isinstance(socket, Called):
                websocket.send = Ordered(websocket, socket, fanout, self._owners)  # type: ignore[method-assign]
            if isinstance(socket, Queued) and not reads_ahead:
                socket.let_receive_first()
        elif socket.ended is not None:
            return
        socket.user = None
        self._sockets[_key(websocket)] = socket
        if isinstance(socket, Called):
            self._called[socket] = None
            self._left_to_burst = 0
        else:
            self._owners.opened(socket)
        fanout.add(socket)
        self._set_user(socket, user)
        if self._hooks is not None:
            self._hooks.call(self._hooks.joined, websocket, None)

    def _set_user(self, socket: Socket, user: Name | None) -> None:
        if user is not None and user != socket.user:
            if socket.user is not None:
                self._fanout.leave(socket, User(socket.user))
            socket.user = user
            self._fanout.join(socket, User(user))

    def _lost(self, websocket: WebSocket) -> None:
        """Remove a WebSocket whose connection has ended."""
        socket = self._find(websocket)
        if socket is not None:
            self._owners.ended(socket)
            if self._hooks is not None and socket.waiting:
                self._hooks.call(self._hooks.slow, websocket, socket.waiting)
            self._remove(socket)

    def _remove(self, socket: Socket) -> None:
        del self._sockets[_key(socket.websocket)]
        if isinstance(socket, Called):
            self._called.pop(socket, None)
        topics = self._fanout.topics_of(socket) if self._hooks is not None else ()
        self._fanout.remove(socket)
        for topic in topics:
            if not isinstance(topic, User):
                self._call_left(socket, topic)
        self._call_left(socket, None)

    def _call_left(self, socket: Socket, topic: Name | None) -> None:
        """Call the hooks. Until they are done, `user_of` knows the WebSocket."""
        if self._hooks is None:
            return
        key = id(socket.websocket)
        self._leaving[key] = socket
        tasks = self._hooks.call(self._hooks.left, socket.websocket, topic)
        if not tasks:
            self._leaving.pop(key, None)
        for task in tasks:
            task.add_done_callback(lambda _: self._leaving.pop(key, None))

    def _with_hooks(self) -> Hooks:
        if self._hooks is None:
            self._hooks = Hooks()
        return self._hooks

    def _find(self, websocket: object) -> Socket | None:
        """Return the connection of a WebSocket that is connected."""
        try:
            return self._sockets.get(websocket)
        except TypeError:
            return self._sockets.get(_key(websocket))

    def _find_ended(self, websocket: object) -> Framed | Queued | None:
        """Return what `connect` made of the WebSocket, also after its end."""
        return find(websocket, self._fanout)

    def _first(self, key: Name | User) -> None:
        if self._others is not None:
            self._others.begin(key)
        if self._history is not None and not isinstance(key, User):
            self._history.begin(key)

    def _last(self, key: Name | User) -> None:
        if self._others is not None:
            self._others.end(key)
        if self._history is not None and not isinstance(key, User):
            self._history.end(key)

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
                self._begin_again()
            self._loop = loop
            self._process = os.getpid()
            if self._history_length:
                self._history = History(self._history_length, shared=self._bus is not None)
            if self._bus is not None:
                self._others = Others(self._bus, self._deliver, self._close_local)
                self._fanout.observe(self._first, self._last)
        return self._fanout

    def _begin_again(self) -> None:
        self._fanout = Fanout()
        self._owners.clear()
        self._sockets.clear()
        self._called.clear()
        self._leaving.clear()
        self._closing = None
        self._pace = Pace()
        self._left_to_burst = BURST


def _key(websocket: object) -> object:
    """Return the WebSocket, or what stands for one that has no hash."""
    try:
        hash(websocket)
    except TypeError:
        return (id(websocket),)
    return websocket
