"""Output that waits for a slow peer: bounded in bytes, in whole frames.

Uses transports, not WebSocket states.

A transport gets at most CHUNK bytes while it is empty, and nothing otherwise. The rest waits here,
where it can still be dropped.
"""

import asyncio
from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

from hubbub.delivery.connections import Blob, Format
from hubbub.domain.disconnects import Disconnect
from hubbub.gateways.websocket.connection import WebSocketConnection
from hubbub.gateways.websocket.frames import CHUNK, FRAMES
from hubbub.protocol import close_codes

FAREWELL = 10.0
"""Seconds a peer has to read and answer the Close frame."""
GRACE = 0.05
"""Seconds before a peer counts as slow.

It cannot yet have read what an application sends at once.
"""
BURST = 4
"""The multiple of its limit an outbox may hold within that time.

The bytes of a broadcast are shared.
"""
CUT_OFF = 2.0
"""Seconds a peer has to read the Close frame when its connection is aborted."""


class Outbox:
    """Chunks that wait, in order.

    A chunk is anything with a length. Exists only while something waits.
    """

    __slots__ = ("_mark", "_watched", "chunks", "limit", "size")

    def __init__(self, limit: int) -> None:
        self._watched = False
        self.chunks: deque[Any] = deque()
        self.size = 0
        self.limit = limit
        self._mark: int | None = None

    @property
    def corked(self) -> bool:
        return self._mark is not None

    def is_over(self, give_up: Callable[["Outbox"], None]) -> bool:
        """Return True if the peer is too slow.

        Over the limit, it has GRACE seconds before `give_up` is called.
        """
        if self.size <= self.limit:
            return False
        if not self._watched:
            self._watched = True
            asyncio.get_running_loop().call_later(GRACE, self._look_again, give_up)
        return self.size > self.limit * BURST

    def _look_again(self, give_up: Callable[["Outbox"], None]) -> None:
        self._watched = False
        if self.size > self.limit:
            give_up(self)

    def add(self, blob: Blob) -> None:
        self.chunks.extend(blob)
        self.size += sum(map(len, blob))

    def cork(self) -> None:
        if self._mark is None:
            self._mark = len(self.chunks)

    def uncork(self, first: Blob = ()) -> None:
        """Insert `first` before what was added since `cork`. Raises the limit by its size."""
        if self._mark is None:
            self._mark = len(self.chunks)
        later = [self.chunks.pop() for _ in range(len(self.chunks) - self._mark)]
        self._mark = None
        extra = sum(map(len, first))
        self.chunks.extend(first)
        self.chunks.extend(reversed(later))
        self.size += extra
        self.limit += extra

    def take(self) -> bytes:
        """Remove and return the whole chunks that fit into CHUNK, at least one."""
        parts: list[bytes] = [self.chunks.popleft()]
        total = len(parts[0])
        while self.chunks and total + len(self.chunks[0]) <= CHUNK:
            parts.append(self.chunks.popleft())
            total += len(parts[-1])
        self.size -= total
        return parts[0] if len(parts) == 1 else b"".join(parts)


class FramedConnection(WebSocketConnection):
    """A connection that writes WebSocket frames straight to a transport.

    The owner of the transport calls `pause_writing` and `resume_writing` (asyncio's names) and, at
    the end, `forget`.
    """

    __slots__ = ("_ending", "_limit", "_outbox", "_paused", "_ready", "_transport")

    format: ClassVar[Format] = FRAMES

    def __init__(self, transport: asyncio.Transport, limit: int) -> None:
        super().__init__()
        self._transport = transport
        self._limit = limit
        self._outbox: Outbox | None = None
        self._paused = False
        self._ending = False
        self._ready = True
        # "Paused" then means "not empty", and the transport never holds more than one chunk of
        # ours.
        transport.set_write_buffer_limits(high=0)

    # --- the port ------------------------------------------------------------------------------------------------

    def write(self, blob: Blob) -> None:
        if not self._ready:
            self._hold(blob)
        elif len(blob) == 1:
            self._transport.write(blob[0])
        else:
            for index, chunk in enumerate(blob):
                self._transport.write(chunk)
                if not self._ready:
                    self._hold(blob[index + 1 :])
                    return

    def buffered(self) -> int:
        waiting = self._outbox.size if self._outbox is not None else 0
        return waiting + (self._transport.get_write_buffer_size() if self._paused else 0)

    def cork(self) -> None:
        if self._ending:
            return
        self._ready = False
        if self._outbox is None:
            self._outbox = Outbox(self._limit)
        self._outbox.cork()

    def uncork(self, first: Blob) -> None:
        if self._outbox is None or not self._outbox.corked:
            self.write(first)
            return
        self._outbox.uncork(first)
        self._drain()

    def close(self, code: int, reason: str = "") -> None:
        if self._ending:
            return
        self._ending, self._ready = True, False
        if self._outbox is None:
            self._outbox = Outbox(self._limit)
        if self._outbox.corked:
            self._outbox = Outbox(self._limit)  # drop what waited: `uncork` would have put its data before it
        self._outbox.add((self._close_frame(code, reason),))
        self._end_within(FAREWELL)
        self._drain()

    def abort(self, code: int, reason: str = "") -> None:
        self._outbox = None
        self._ready = False
        if self._ending or self._paused:
            self._ending = True
            self._transport.abort()
            return
        self._ending = True
        self._transport.write(self._close_frame(code, reason))
        if self._paused:
            self._transport.abort()
        else:
            self._end_within(CUT_OFF)

    # --- the transport -------------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        self._paused = True
        self._ready = False

    def resume_writing(self) -> None:
        self._paused = False
        self._drain()

    def forget(self) -> None:
        """Stop writing: the transport is gone."""
        self._ending, self._ready = True, False
        self._outbox = None
        self._paused = False

    # --- inside --------------------------------------------------------------------------------------------------

    def _hold(self, blob: Blob) -> None:
        if self._ending:
            return
        if self._outbox is None:
            self._outbox = self._begin_outbox(blob)
        self._outbox.add(blob)
        if self._outbox.is_over(self._too_slow):
            self._give_up()

    def _begin_outbox(self, _first: Blob) -> Outbox:
        """Return an outbox for a peer that was up to date until now."""
        return Outbox(self._limit)

    def _too_slow(self, outbox: Outbox) -> None:
        if outbox is self._outbox and not self._ending:
            self._give_up()

    def _give_up(self) -> None:
        """Close a peer that does not keep up.

        A peer that reads again in time sees the code, others see a reset.
        """
        self._ending = True
        self._slow()
        self._outbox = Outbox(self._limit)
        self._outbox.add((self._close_frame(*close_codes.OF[Disconnect.SLOW]),))
        self._end_within(FAREWELL)
        self._drain()

    def _drain(self) -> None:
        outbox = self._outbox
        if outbox is not None:
            if outbox.corked:
                return
            while outbox.chunks and not self._paused:
                self._transport.write(outbox.take())
            if outbox.chunks:
                return
            self._outbox = None
        self._ready = not (self._paused or self._ending)

    @abstractmethod
    def _close_frame(self, code: int, reason: str) -> bytes:
        """Return the Close frame and record it in the WebSocket state machine.

        Nothing may follow it.
        """

    @abstractmethod
    def _end_within(self, seconds: float) -> None:
        """Abort the transport after `seconds`, unless it has closed by then."""

    @abstractmethod
    def _slow(self) -> None:
        """Record that the outbox overflowed."""
