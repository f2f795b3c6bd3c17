"""Signals of a node that wait to be sent: small, never stored, and lost before anything else."""

import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

MAX_SIGNAL = 6_000
"""Bytes of the content of a signal, as JSON in ASCII. A notification of PostgreSQL holds one with its head."""
MAX_WAITING = 256 * 1024
"""Bytes of signals that wait to be sent."""
MAX_KIND = 50
HELLO, BYE = "hello", "bye"
"""A node has connected, or leaves for good. Every bus sends them."""
Receiver = Callable[[str, Mapping[str, Any]], None]
"""Called with the id of the node that sent a signal, and the content."""


class SignalQueue:
    """Signals in the order in which they were sent."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str | None, bytes]] = deque()
        self._size = 0

    def put(self, kind: str, content: Mapping[str, Any], topic: str | None) -> bool:
        """Add a signal. Returns False if there is no room. Raises ValueError if it is too long."""
        if len(kind) > MAX_KIND:
            raise ValueError(f"the kind of a signal is longer than {MAX_KIND} characters")
        text = json.dumps(content, separators=(",", ":"), allow_nan=False)
        if len(text) > MAX_SIGNAL:
            raise ValueError(f"a signal of {len(text)} bytes: send at most {MAX_SIGNAL}, in several signals")
        signal = f"[{json.dumps(kind)},{text},{json.dumps(topic)}]".encode()
        if self._size + len(signal) > MAX_WAITING:
            return False
        self._waiting.append((topic, signal))
        self._size += len(signal)
        return True

    def take(self, most: int, *, one_topic: bool = False) -> tuple[str | None, list[bytes]]:
        """Remove the first signals, up to `most` bytes, but at least one. There must be one.

        Returns the topic of the first, and the signals; with `one_topic` only those of that topic.
        """
        topic, first = self._waiting.popleft()
        found, size = [first], len(first)
        while self._waiting:
            other, signal = self._waiting[0]
            if size + len(signal) + 1 > most or (one_topic and other != topic):
                break
            self._waiting.popleft()
            found.append(signal)
            size += len(signal) + 1
        self._size -= size - len(found) + 1
        return topic, found

    def clear(self) -> None:
        self._waiting.clear()
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)
