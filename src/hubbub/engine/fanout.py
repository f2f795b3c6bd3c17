"""The registry: who is connected, in which topics; and the fan-out.

How a message reaches its readers, in the order of the calls on every connection:

* `broadcast` and `send` only append. One flush at the end of the event loop's tick writes everything.
* A connection with a single dirty topic gets that topic's shared blob: encoded once, joined once, written as it is.
  One with more (or with personal messages) gets its own merge, in the order of the calls.
* A flush to more than SLICE connections is a *round*: slices that yield to the loop between each other. What is
  broadcast meanwhile gathers for the next round, but small topics and personal messages do not wait for it: they
  `settle` their connections, which writes to a connection all that it is owed, round and gathered alike, in order.
* Leaving a topic, or joining one, settles first: nobody loses a message from inside his membership, nobody gets one
  from outside it.
"""

import asyncio
from collections.abc import Iterator, KeysView
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter

import structlog

from hubbub.engine.ports import Blob, Connection, Message
from hubbub.protocol import close_codes

SLICE = 250
Pack = object
logger = structlog.get_logger(__name__)


class Topic:
    """Somewhere messages go: its connections, and what was broadcast to it and is not yet written."""

    __slots__ = ("connections", "name", "pending")

    def __init__(self, name: str) -> None:
        self.name = name
        self.connections: dict[Connection, None] = {}
        self.pending: list[Message] = []


@dataclass(slots=True)
class FlushCycle:
    """A flush in progress: what each connection still has to get."""

    pending: dict[Connection, Blob]
    walk: Iterator[Connection] = field(init=False)

    def __post_init__(self) -> None:
        self.walk = iter(list(self.pending))


class Fanout:
    """Connections and topics. Every method is synchronous and must be called on the event loop's thread."""

    def __init__(self) -> None:
        self._topics: dict[str, Topic] = {}
        self._everybody = Topic("")
        self._dirty: dict[Topic, None] = {}
        self._personal: dict[Connection, None] = {}
        self._flushed_early: set[Connection] = set()
        self._cycle: FlushCycle | None = None
        self._scheduled = False
        self._order = 0
        self._flushed = 0
        self.deliveries = 0
        self.writes = 0

    # --- who is where --------------------------------------------------------------------------------------------

    def add(self, connection: Connection) -> None:
        """Registers a connection: from now on it gets what is broadcast to everybody."""
        self._join(connection, self._everybody)

    def remove(self, connection: Connection) -> None:
        """Forgets a connection and what it was owed; harmless when repeated."""
        for topic in connection.topics:
            topic.connections.pop(connection, None)
            self._drop_if_idle(topic)
        connection.topics.clear()
        connection.personal.clear()
        self._personal.pop(connection, None)
        self._flushed_early.discard(connection)
        if self._cycle is not None:
            self._cycle.pending.pop(connection, None)

    def join(self, connection: Connection, name: str) -> None:
        """The connection gets what is broadcast to the topic after this call."""
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = Topic(name)
        self._join(connection, topic)

    def leave(self, connection: Connection, name: str) -> None:
        """The connection gets what was broadcast to the topic before this call, and nothing after it."""
        topic = self._topics.get(name)
        if topic is None or connection not in topic.connections:
            return
        self.flush_now(connection)
        topic.connections.pop(connection, None)  # a broken one has gone by itself
        connection.topics.discard(topic)
        self._drop_if_idle(topic)

    def members(self, name: str) -> KeysView[Connection]:
        """The connections in a topic; a live view."""
        topic = self._topics.get(name)
        return topic.connections.keys() if topic is not None else {}.keys()

    @property
    def connections(self) -> KeysView[Connection]:
        """All connections; a live view."""
        return self._everybody.connections.keys()

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._everybody.connections

    @property
    def unflushed(self) -> int:
        """How many messages were sent or broadcast since the event loop last flushed."""
        return self._order - self._flushed

    # --- what goes where -----------------------------------------------------------------------------------------

    def broadcast(self, text: bytes, name: str | None = None) -> None:
        """Sends to everybody in a topic; without one, to everybody. Takes effect now, is written at the tick's end."""
        topic = self._everybody if name is None else self._topics.get(name)
        if topic is None or not topic.connections:
            return
        self._order += 1
        topic.pending.append(Message(text, self._order))
        self._dirty[topic] = None
        self._schedule()

    def send(self, connection: Connection, text: bytes) -> None:
        """Sends to one connection, after all that was sent to it before."""
        self._order += 1
        connection.personal.append(Message(text, self._order))
        self._personal[connection] = None
        self._schedule()

    def flush_now(self, connection: Connection) -> bool:
        """Writes all that a connection is owed, now and in order; False if that broke it, and it is forgotten."""
        if self._cycle is not None:
            blob = self._cycle.pending.pop(connection, None)
            if blob is not None and not self._write(connection, blob):
                return False
        due = self._due(connection)
        if due:
            connection.personal = []
            self._personal.pop(connection, None)
            if not self._write(connection, type(connection).pack(due)):
                return False
        connection.seen = self._order
        if self._dirty:
            self._flushed_early.add(connection)
        return True

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
        if not topic.connections and topic is not self._everybody:
            self._topics.pop(topic.name, None)
            self._dirty.pop(topic, None)

    def _due(self, connection: Connection) -> list[Message]:
        """What was broadcast or sent to the connection and not yet written, in the order of the calls."""
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
        self._flushed = self._order
        for connection in list(self._personal):
            self.flush_now(connection)
        if not self._dirty:
            return
        if self._cycle is None:
            self._start(self._collect())
            return
        # A round is under way: small topics overtake it, large ones gather for the next.
        for topic in [topic for topic in self._dirty if len(topic.connections) <= SLICE]:
            for connection in list(topic.connections):
                self.flush_now(connection)
            topic.pending = []
            self._dirty.pop(topic, None)

    def _collect(self) -> dict[Connection, Blob]:
        """Takes what is pending: for each connection the blob it is to get, shared wherever it can be."""
        dirty, early = list(self._dirty), self._flushed_early
        owed: dict[Connection, Blob] = {}
        if len(dirty) == 1:
            topic = dirty[0]
            shared: dict[Pack, Blob] = {}
            for connection in topic.connections:
                if connection in early:
                    continue
                pack = type(connection).pack
                blob = shared.get(pack)
                if blob is None:
                    blob = shared[pack] = pack(topic.pending)
                owed[connection] = blob
        else:
            owed = self._merge(dirty)
        for connection in early:
            due = self._due(connection)
            if due:
                owed[connection] = type(connection).pack(due)
        self.deliveries += sum(len(topic.connections) * len(topic.pending) for topic in dirty)
        for topic in dirty:
            topic.pending = []
        self._dirty = {}
        self._flushed_early = set()
        return owed

    def _merge(self, dirty: list[Topic]) -> dict[Connection, Blob]:
        """For connections in several dirty topics: one merge per combination of topics and format."""
        combinations: dict[Connection, tuple[int, ...]] = {}
        for index, topic in enumerate(dirty):
            for connection in topic.connections:
                if connection not in self._flushed_early:
                    combinations[connection] = (*combinations.get(connection, ()), index)
        shared: dict[tuple[Pack, tuple[int, ...]], Blob] = {}
        owed: dict[Connection, Blob] = {}
        for connection, combination in combinations.items():
            pack = type(connection).pack
            blob = shared.get((pack, combination))
            if blob is None:
                messages = [message for index in combination for message in dirty[index].pending]
                messages.sort(key=_by_order)
                blob = shared[pack, combination] = pack(messages)
            owed[connection] = blob
        return owed

    def _start(self, owed: dict[Connection, Blob]) -> None:
        if len(owed) <= SLICE:
            for connection, blob in owed.items():
                self._write(connection, blob)
            return
        self._cycle = FlushCycle(owed)
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
        """Called where writing raised, which is a bug: that connection ends, the others get what they are owed."""
        logger.exception("write_failed")
        self.remove(connection)
        with suppress(Exception):
            connection.abort(close_codes.INTERNAL)


_by_order = attrgetter("order")
