"""Tasks and the WebSockets they connected.

A task whose clients have all left gets an exception when it broadcasts.

A task learns of an end once, from whatever comes first: an exception, its own `disconnect`, or `in`
returning False. So a last broadcast that an endpoint makes after its client has left does not
raise.
"""

import asyncio
import time
from typing import Protocol
from weakref import WeakKeyDictionary, ref

from starlette.websockets import WebSocketDisconnect

READER = 1.0
"""Seconds after its last `receive` in which an endpoint counts as reading.

It learns of the end from `receive`, and can still send what it had to send about the last messages.
"""


class Owned(Protocol):
    """A connection, as its owner sees it."""

    ended: WebSocketDisconnect | None
    owner: "Owner | None"

    @property
    def received_at(self) -> float: ...


class Owner:
    """A task, its number of open WebSockets, and those that ended by themselves."""

    __slots__ = ("ended", "open", "task")

    def __init__(self, task: "asyncio.Task[object]") -> None:
        self.task = ref(task)
        self.open = 0
        self.ended: set[Owned] = set()


class Owners:
    """The owners of one manager. Holds tasks weakly."""

    def __init__(self) -> None:
        self._all: WeakKeyDictionary[asyncio.Task[object], Owner] = WeakKeyDictionary()
        self._left: WeakKeyDictionary[asyncio.Task[object], Owner] = WeakKeyDictionary()

    def clear(self) -> None:
        self._all.clear()
        self._left.clear()

    def opened(self, socket: Owned) -> None:
        """Record that the current task has connected the socket."""
        task = asyncio.current_task()
        if task is None or task.get_coro() is None:
            socket.owner = None  # granian's tasks in Rust are all the same object and run no coroutine
            return
        owner = self._all.get(task)
        if owner is None:
            owner = self._all[task] = Owner(task)
        owner.open += 1
        socket.owner = owner

    def ended(self, socket: Owned) -> None:
        """Record that the client has left, without a `disconnect` before."""
        owner = socket.owner
        if owner is None:
            return
        owner.open -= 1
        owner.ended.add(socket)
        task = owner.task()
        if task is not None:
            self._left[task] = owner

    def released(self, socket: Owned) -> None:
        """Record a `disconnect`: the task that connected the socket is done with it."""
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

    def acknowledge(self, socket: Owned) -> None:
        """Record that the current task learned of the end.

        Releases the socket if that task connected it.
        """
        owner = socket.owner
        if owner is not None and owner.task() is asyncio.current_task():
            self.released(socket)

    def raise_end(self, socket: Owned) -> None:
        """Raise the end of a socket that has ended, unless its endpoint reads."""
        end = socket.ended
        if end is not None and not _reads(socket):
            self.acknowledge(socket)
            raise WebSocketDisconnect(end.code, end.reason)

    def check(self) -> None:
        """Raise WebSocketDisconnect if the task's clients have all left, unless it reads."""
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
