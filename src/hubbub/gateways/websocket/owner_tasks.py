"""Which task has connected which WebSockets: a task whose clients have all left is told when it broadcasts.

It is told once, by whatever comes first: an exception, `disconnect`, or `in` that says the WebSocket is not connected.
So what an endpoint does after its client has left, such as a last broadcast, does not raise.
"""

import asyncio
import time
from typing import Protocol
from weakref import WeakKeyDictionary, ref

from starlette.websockets import WebSocketDisconnect

READER = 1.0
"""Seconds after its last `receive` in which an endpoint counts as one that reads: it hears of the end from `receive`,
and what it was about to say about the last messages is still said."""


class Owned(Protocol):
    """A connection, as far as its owner goes."""

    ended: WebSocketDisconnect | None
    owner: "Owner | None"

    @property
    def received_at(self) -> float: ...


class Owner:
    """One task: how many of its WebSockets are open, and which have ended without a `disconnect`."""

    __slots__ = ("ended", "open", "task")

    def __init__(self, task: "asyncio.Task[object]") -> None:
        self.task = ref(task)
        self.open = 0
        self.ended: set[Owned] = set()


class Owners:
    """The owners of one manager. Holds no task: what it knows of a task is gone with it."""

    def __init__(self) -> None:
        self._all: WeakKeyDictionary[asyncio.Task[object], Owner] = WeakKeyDictionary()
        self._left: WeakKeyDictionary[asyncio.Task[object], Owner] = WeakKeyDictionary()

    def clear(self) -> None:
        self._all.clear()
        self._left.clear()

    def opened(self, socket: Owned) -> None:
        """The current task has connected the socket."""
        task = asyncio.current_task()
        if task is None or task.get_coro() is None:
            socket.owner = None  # granian's tasks in Rust are all the same object, and run no coroutine
            return
        owner = self._all.get(task)
        if owner is None:
            owner = self._all[task] = Owner(task)
        owner.open += 1
        socket.owner = owner

    def ended(self, socket: Owned) -> None:
        """The client has left, and `disconnect` was not called before."""
        owner = socket.owner
        if owner is None:
            return
        owner.open -= 1
        owner.ended.add(socket)
        task = owner.task()
        if task is not None:
            self._left[task] = owner

    def released(self, socket: Owned) -> None:
        """`disconnect` was called: the task that connected the socket is through with it."""
        owner, socket.owner = socket.owner, None
        if owner is None:
            return
        if socket not in owner.ended:
            owner.open -= 1
            return
        owner.ended.discard(socket)
        task = owner.task()
        if task is not None and not owner.ended:
            self._left.pop(task, None)

    def told(self, socket: Owned) -> None:
        """The current task has learned of the end; released if it is the one that connected the socket."""
        owner = socket.owner
        if owner is not None and owner.task() is asyncio.current_task():
            self.released(socket)

    def raise_end(self, socket: Owned) -> None:
        """Raises the end of a socket that has ended, unless its endpoint reads."""
        end = socket.ended
        if end is not None and not _reads(socket):
            self.told(socket)
            raise WebSocketDisconnect(end.code, end.reason)

    def check(self) -> None:
        """Raises WebSocketDisconnect in a task all of whose clients have left, unless it reads."""
        if not self._left:
            return
        task = asyncio.current_task()
        owner = self._left.get(task) if task is not None else None
        if owner is None or owner.open or any(map(_reads, owner.ended)):
            return
        end = WebSocketDisconnect()
        for socket in list(owner.ended):
            end = socket.ended or end
            self.released(socket)
        raise WebSocketDisconnect(end.code, end.reason)


def _reads(socket: Owned) -> bool:
    return time.monotonic() - socket.received_at <= READER
