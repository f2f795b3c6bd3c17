"""The fan-out: which connections are in which topics, and how messages reach them.

Every connection gets its messages in the order of the calls:

* `broadcast` and `send` only append. One flush at the end of the event loop's tick writes
  everything.
* A connection with a single dirty topic gets that topic's shared blob: encoded once, joined once,
  written as it is. A connection with several dirty topics or with personal messages gets its own
  merge.
* A flush to more than SLICE connections is a *cycle* of slices that yield to the loop between each
  other. Broadcasts during a cycle gather for the next one. Small topics and personal messages do
  not wait for it: `flush_now` writes everything that is pending for a connection, from the cycle
  and gathered since, in order.
* Leaving or joining a topic calls `flush_now` first, so that a connection gets every message from
  inside its membership and none from outside it.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, KeysView
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import structlog

from hubbub.delivery.connections import Blob, Connection, Format, Message
from hubbub.domain.disconnects import Disconnect

Name = Any
"""The name of a topic: text in the server, any hashable value for other callers."""
SLICE = 250
"""How many connections are written to before the event loop gets its turn."""
logger = structlog.get_logger(__name__)


class Topic:
    """A topic: its connections, and the broadcasts that are not yet written."""

    __slots__ = ("connections", "name", "pending")

    def __init__(self, name: Name) -> None:
        self.name = name
        self.connections: dict[Connection, None] = {}
        self.pending: list[Message] = []


@dataclass(slots=True)
class FlushCycle:
    """A flush in progress: the blob that is pending for each connection."""

    pending: dict[Connection, Blob]
    order: int
    """The newest message in it."""
    walk: Iterator[Connection] = field(init=False)

    def __post_init__(self) -> None:
        self.walk = iter(list(self.pending))


class Fanout:
    """Connections and their topics.

    Every method is synchronous and must be called on the event loop's thread.
    """

    def __init__(self) -> None:
        self._topics: dict[Name, Topic] = {}
        self._all = Topic("")
        self._dirty: dict[Topic, None] = {}
        self._personal: dict[Connection, None] = {}
        self._flushed_early: set[Connection] = set()
        self._cycle: FlushCycle | None = None
        self._scheduled = False
        self._order = 0
        self._written = 0
        """Every message up to this one is written to all its connections."""
        self.deliveries = 0
        self.writes = 0
        self._on_first: Callable[[Name], None] | None = None
        self._on_last: Callable[[Name], None] | None = None

    # --- connections and topics ----------------------------------------------------------------------------------

    def observe(self, on_first: Callable[[Name], None], on_last: Callable[[Name], None]) -> None:
        """Call `on_first` when a topic gets its first connection, `on_last` after the last one left."""
        self._on_first, self._on_last = on_first, on_last

    def add(self, connection: Connection) -> None:
        """Register a connection. From now on it gets the broadcasts to all connections."""
        self._join(connection, self._all)

    def remove(self, connection: Connection) -> None:
        """Remove a connection and drop what is pending for it. Idempotent."""
        for topic in connection.topics:
            topic.connections.pop(connection, None)
            self._drop_if_idle(topic)
        connection.topics.clear()
        connection.personal.clear()
        self._personal.pop(connection, None)
        self._flushed_early.discard(connection)
        if self._cycle is not None:
            self._cycle.pending.pop(connection, None)

    def join(self, connection: Connection, name: Name) -> None:
        """Subscribe the connection to what is broadcast to the topic after this call."""
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = Topic(name)
            if self._on_first is not None:
                self._on_first(name)
        self._join(connection, topic)

    def leave(self, connection: Connection, name: Name) -> None:
        """Unsubscribe the connection.

        It still gets what was broadcast to the topic before this call.
        """
        topic = self._topics.get(name)
        if topic is None or connection not in topic.connections:
            return
        self.flush_now(connection)
        topic.connections.pop(connection, None)  # absent if the flush found the connection broken
        connection.topics.discard(topic)
        self._drop_if_idle(topic)

    def members(self, name: Name) -> KeysView[Connection]:
        """Return the connections in a topic as a live view."""
        topic = self._topics.get(name)
        return topic.connections.keys() if topic is not None else {}.keys()

    def has_members(self, name: Name) -> bool:
        """Return whether a connection is in the topic."""
        return name in self._topics

    def topics_of(self, connection: Connection) -> list[Name]:
        """Return the topics of a connection."""
        return [topic.name for topic in connection.topics if topic is not self._all]

    @property
    def topics(self) -> KeysView[Name]:
        """Return the topics with connections as a live view."""
        return self._topics.keys()

    @property
    def connections(self) -> KeysView[Connection]:
        """Return all connections as a live view."""
        return self._all.connections.keys()

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._all.connections

    # --- sending -------------------------------------------------------------------------------------------------

    def broadcast(
        self, text: bytes, name: Name | None = None, event: object = None, kind: type[Message] = Message
    ) -> None:
        """Send to all connections in a topic, or to all connections.

        Takes effect now, is written at the tick's end. `event` is what the text says, for formats
        that do not send the text.
        """
        topic = self._all if name is None else self._topics.get(name)
        if topic is None or not topic.connections:
            return
        self._order += 1
        topic.pending.append(kind(text, self._order, event))
        self._dirty[topic] = None
        self._schedule()

    def broadcast_to_others(
        self,
        excluded: Iterable[Connection],
        text: bytes,
        name: Name | None = None,
        event: object = None,
        kind: type[Message] = Message,
    ) -> None:
        """Broadcast as `broadcast` does, except to some connections.

        They get what was sent before now, and count as if they had this message.
        """
        topic = self._all if name is None else self._topics.get(name)
        if topic is None:
            return
        without = [each for each in excluded if each in topic.connections and self.flush_now(each)]
        self.broadcast(text, name, event, kind)
        for connection in without:
            connection.seen = self._order
        self._flushed_early.update(without)

    def send(self, connection: Connection, text: bytes, event: object = None, kind: type[Message] = Message) -> None:
        """Send to one connection, after everything that was sent to it before."""
        self._order += 1
        connection.personal.append(kind(text, self._order, event))
        self._personal[connection] = None
        self._schedule()

    def flush_now(self, connection: Connection) -> bool:
        """Write everything that is pending for a connection, in order.

        Returns False if the write failed; the connection is then removed.
        """
        if self._cycle is not None:
            blob = self._cycle.pending.pop(connection, None)
            if blob is not None and not self._write(connection, blob):
                return False
        due = self._due(connection)
        if due:
            connection.personal = []
            self._personal.pop(connection, None)
            if not self._write(connection, connection.format.pack(due)):
                return False
        connection.seen = self._order
        if self._dirty:
            self._flushed_early.add(connection)
        return True

    async def flushed(self) -> None:
        """Wait until what was sent before this call is written to the connections."""
        order = self._order
        while self._written < order and (self._scheduled or self._cycle is not None):  # noqa: ASYNC110  turns of the loop
            await asyncio.sleep(0)

    # --- the flush -----------------------------------------------------------------------------------------------

    def _join(self, connection: Connection, topic: Topic) -> None:
        if connection in topic.connections:
            return
        if not self.flush_now(connection):
            self._drop_if_idle(topic)
            return
        topic.connections[connection] = None
        connection.topics.add(topic)

    def _drop_if_idle(self, topic: Topic) -> None:
        if not topic.connections and topic is not self._all:
            known = self._topics.pop(topic.name, None)
            self._dirty.pop(topic, None)
            if known is not None and self._on_last is not None:
                self._on_last(topic.name)

    def _due(self, connection: Connection) -> list[Message]:
        """Return what is pending for the connection, in the order of the calls."""
        seen = connection.seen
        dirty = self._dirty
        sources = [topic.pending for topic in connection.topics if topic in dirty] if dirty else []
        if connection.personal:
            sources.append(connection.personal)
        if len(sources) == 1:
            only = sources[0]
            return only if only[0].order > seen else [message for message in only if message.order > seen]
        merged = [message for source in sources for message in source if message.order > seen]
        merged.sort(key=_by_order)
        return merged

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        for connection in list(self._personal):
            self.flush_now(connection)
        if not self._dirty:
            return
        if self._cycle is None:
            self._start(self._collect())
            return
        # A cycle is running: small topics overtake it, large ones gather for the next.
        for topic in [topic for topic in self._dirty if len(topic.connections) <= SLICE]:
            for connection in list(topic.connections):
                self.flush_now(connection)
            topic.pending = []
            self._dirty.pop(topic, None)

    def _collect(self) -> dict[Connection, Blob]:
        """Take what is pending: the blob for each connection, shared where possible."""
        dirty, early = list(self._dirty), self._flushed_early
        blobs: dict[Connection, Blob] = {}
        if len(dirty) == 1:
            topic = dirty[0]
            shared: dict[Format, Blob] = {}
            for connection in topic.connections:
                if connection in early:
                    continue
                format_ = connection.format
                blob = shared.get(format_)
                if blob is None:
                    blob = shared[format_] = format_.pack(topic.pending)
                blobs[connection] = blob
        else:
            blobs = self._merge(dirty)
        for connection in early:
            due = self._due(connection)
            if due:
                blobs[connection] = connection.format.pack(due)
        self.deliveries += sum(len(topic.connections) * len(topic.pending) for topic in dirty)
        for topic in dirty:
            topic.pending = []
        self._dirty = {}
        self._flushed_early = set()
        return blobs

    def _merge(self, dirty: list[Topic]) -> dict[Connection, Blob]:
        """Return the blobs for several dirty topics.

        There is one merge per combination of topics and format.
        """
        combinations: dict[Connection, tuple[int, ...]] = {}
        for index, topic in enumerate(dirty):
            for connection in topic.connections:
                if connection not in self._flushed_early:
                    combinations[connection] = (*combinations.get(connection, ()), index)
        shared: dict[tuple[Format, tuple[int, ...]], Blob] = {}
        blobs: dict[Connection, Blob] = {}
        for connection, combination in combinations.items():
            format_ = connection.format
            blob = shared.get((format_, combination))
            if blob is None:
                messages = [message for index in combination for message in dirty[index].pending]
                messages.sort(key=_by_order)
                blob = shared[format_, combination] = format_.pack(messages)
            blobs[connection] = blob
        return blobs

    def _start(self, blobs: dict[Connection, Blob]) -> None:
        if len(blobs) <= SLICE:
            for connection, blob in blobs.items():
                self._write(connection, blob)
            self._written = self._order
            return
        self._cycle = FlushCycle(blobs, self._order)
        self._slice()

    def _slice(self) -> None:
        current = self._cycle
        if current is None:
            return
        written, take = 0, current.pending.pop
        for connection in current.walk:
            blob = take(connection, None)
            if blob is None:
                continue
            try:
                connection.write(blob)
            except Exception:
                self._broken(connection)
            written += 1
            if written == SLICE:
                self.writes += written
                asyncio.get_running_loop().call_soon(self._slice)
                return
        self.writes += written
        self._cycle = None
        self._written = current.order
        if self._dirty:
            self._schedule()

    def _write(self, connection: Connection, blob: Blob) -> bool:
        self.writes += 1
        try:
            connection.write(blob)
        except Exception:
            self._broken(connection)
            return False
        return True

    def _broken(self, connection: Connection) -> None:
        """End a connection whose write raised, which is a bug.

        The other connections get their messages.
        """
        logger.exception("write_failed")
        self.remove(connection)
        with suppress(Exception):
            connection.end(Disconnect.INTERNAL)


_by_order = attrgetter("order")
