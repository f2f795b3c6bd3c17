"""What the buses between nodes have in common: interest, bounded buffers, reconnects, counters."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from random import uniform
from typing import Any, Protocol

import structlog

from hubbub.bus.interest import LINGER, Interest
from hubbub.bus.messages import Codec, Unreadable
from hubbub.bus.signals import BYE, HELLO, Receiver, SignalQueue
from hubbub.domain.events import Entry

FIRST_RETRY, LAST_RETRY = 0.25, 5.0
"""Seconds up to which the first and the later attempts to connect wait, at random."""
MAX_HEADS = 5_000
"""Heads that wait to be announced. With more, the other nodes are told to compare all."""
CLOSE_TIMEOUT = 2.0
FLUSH_TIMEOUT = 1.0
"""Seconds for which a bus that is closed goes on sending."""
logger = structlog.get_logger(__name__)


class Listener(Protocol):
    """The node. See `engine.ports.BusListener`."""

    def receive(self, entries: Sequence[Entry]) -> None: ...

    def announce(self, heads: Mapping[str, int]) -> None: ...

    def check(self, topics: Sequence[str] | None) -> None: ...

    def doubt_epoch(self) -> None: ...


@dataclass(slots=True)
class Counts:
    """What a bus did, in messages."""

    sent: int = 0
    received: int = 0
    dropped: int = 0
    """Neither sent nor delivered, since a buffer was full or there was no connection."""
    ignored: int = 0
    """Of another site, or unreadable."""
    connects: int = 0


class RemoteBus(ABC):
    """A bus to other nodes. The subclass connects, sends and subscribes."""

    connects = True
    kind: str

    def __init__(self, codec: Codec) -> None:
        self.epoch = ""
        self.connected = False
        self.counts = Counts()
        self._codec = codec
        self._listener: Listener | None = None
        self._interest = Interest()
        self._heads: dict[str, int] = {}
        self._everything = False
        self._signals = SignalQueue()
        self._receivers: dict[str, list[tuple[Receiver, bool]]] = {}
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._sweep: asyncio.TimerHandle | None = None

    # --- the port ------------------------------------------------------------------------------------------------

    def start(self, listener: Listener) -> None:
        self._listener = listener
        self._task = asyncio.create_task(self._run())

    def publish(self, entries: Sequence[Entry]) -> None:
        for topic, group in _by_topic(entries):
            self._announce(topic, group[-1].seq)
            if self.connected:
                self._publish(topic, group)
        self._wake.set()

    def join(self, topic: str) -> None:
        if self._interest.join(topic):
            self._joined(topic)

    def leave(self, topic: str) -> None:
        loop = asyncio.get_running_loop()
        self._interest.leave(topic, loop.time())
        if self._sweep is None:
            self._sweep = loop.call_later(LINGER, self._expire)

    def alert(self) -> None:
        self._everything = True
        self._wake.set()

    @property
    def node(self) -> str:
        return self._codec.node

    def signal(self, kind: str, content: Mapping[str, Any], topic: str | None = None) -> None:
        if self.connected and self._signals.put(kind, content, topic):
            self._wake.set()
        else:
            self.counts.dropped += 1

    def on_signal(self, kind: str, receiver: Receiver, *, any_epoch: bool = False) -> None:
        self._receivers.setdefault(kind, []).append((receiver, any_epoch))

    async def close(self) -> None:
        self._listener = None
        self.signal(BYE, {})
        loop = asyncio.get_running_loop()
        until = loop.time() + FLUSH_TIMEOUT
        # The last commits of this node. There is no event for the end of two queues.
        while self.connected and self._has_unsent() and loop.time() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        if self._sweep is not None:
            self._sweep.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # --- of the subclass -----------------------------------------------------------------------------------------

    @abstractmethod
    async def _serve(self) -> None:
        """Connect, call `_established`, and carry messages until the connection ends. Raises any error."""

    @abstractmethod
    def _publish(self, topic: str, entries: Sequence[Entry]) -> None:
        """Send the entries of one commit and topic, if this bus carries entries. Does not wait."""

    def _has_unsent(self) -> bool:
        """Return whether something waits to be sent."""
        return bool(self._heads) or self._everything or bool(self._signals)

    @abstractmethod
    def _joined(self, topic: str) -> None:
        """Subscribe to a topic, and make the listener check it when the subscription stands."""

    @abstractmethod
    def _left(self, topics: Sequence[str]) -> None:
        """Unsubscribe from topics."""

    # --- shared --------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        retry = FIRST_RETRY
        while True:
            before = self.counts.connects
            try:
                await self._attempt()
                reason = "the connection ended"
            except Exception as error:  # whatever the client library raises, the bus tries again
                reason = f"{type(error).__name__}: {error}"[:500]
            was, self.connected = self.connected, False
            self._signals.clear()
            if self.counts.connects > before:
                retry = FIRST_RETRY
            self._report(reason, first=was or retry == FIRST_RETRY)
            await asyncio.sleep(uniform(0.0, retry))  # noqa: S311  not a secret
            retry = min(2 * retry, LAST_RETRY)

    async def _attempt(self) -> None:
        """Serve in a task that is cancelled until it ends.

        A client library may lose a cancellation (`asyncio.wait_for` before Python 3.12 does), and
        then the event loop could not end.
        """
        serving = asyncio.create_task(self._outcome())
        try:
            await asyncio.wait((serving,))
            if (error := serving.result()) is not None:
                raise error
        finally:
            while not serving.done():
                serving.cancel()
                await asyncio.wait((serving,), timeout=CLOSE_TIMEOUT + 1)

    async def _outcome(self) -> Exception | None:
        """Return the error of `_serve`: asyncio logs what a task raises while the loop ends."""
        try:
            await self._serve()
        except Exception as error:  # whatever the client library raises
            return error
        return None

    def _report(self, reason: str, *, first: bool) -> None:
        """Log that the connection has ended, or could not be made."""
        log = logger.warning if first else logger.info
        log("bus_disconnected", bus=self.kind, reason=reason, advice=OUTAGE)

    def _established(self) -> None:
        """Note that the connection and all subscriptions stand. Anything may have been missed."""
        self.connected = True
        self.counts.connects += 1
        logger.info("bus_connected", bus=self.kind)
        self.signal(HELLO, {})
        self._check(None)
        self._wake.set()

    def _fell_silent(self) -> None:
        """Note that the connection stands and carries nothing."""
        self.connected = False
        logger.warning("bus_silent", bus=self.kind, advice=OUTAGE)

    def _answers_again(self) -> None:
        """Note that the connection carries messages again. Some may have been lost."""
        self.connected = True
        logger.info("bus_answers", bus=self.kind)
        self._check(None)
        self._wake.set()

    def _announce(self, topic: str, seq: int) -> None:
        if topic in self._heads or len(self._heads) < MAX_HEADS:
            self._heads[topic] = seq
        else:
            self._everything = True
            self.counts.dropped += 1

    def _take_heads(self, most: int = MAX_HEADS) -> tuple[dict[str, int], bool]:
        """Return heads to announce, and whether all topics are to be compared."""
        everything, self._everything = self._everything, False
        heads: dict[str, int] = {}
        while self._heads and len(heads) < most:
            topic = next(iter(self._heads))
            heads[topic] = self._heads.pop(topic)
        return heads, everything

    def _check(self, topics: Sequence[str] | None) -> None:
        if self._listener is not None:
            self._listener.check(topics)

    def _handle(self, payload: bytes) -> None:
        """Give a message to the listener, or ignore and count it."""
        try:
            message = self._codec.decode(payload)
        except Unreadable as error:
            self._ignore(str(error))
            return
        listener = self._listener
        if message.node == self._codec.node or listener is None:
            return
        self.counts.received += 1
        same_epoch = message.epoch == self.epoch
        for kind, content, topic in message.signals:
            if topic is None or topic in self._interest:
                self._receive_signal(message.node, kind, content, same_epoch=same_epoch)
        if not same_epoch:
            listener.doubt_epoch()
            return
        if message.everything:
            listener.check(None)
        if message.entries:
            listener.receive(message.entries)
        elif message.heads:
            listener.announce(message.heads)

    def _receive_signal(self, node: str, kind: str, content: Mapping[str, Any], *, same_epoch: bool) -> None:
        for receiver, any_epoch in self._receivers.get(kind, ()):
            if not same_epoch and not any_epoch:
                continue
            try:
                receiver(node, content)
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                self._ignore(f"{kind}: {error!r}")

    def _ignore(self, reason: str) -> None:
        if not self.counts.ignored:
            logger.warning("bus_message_ignored", bus=self.kind, reason=reason[:200])
        self.counts.ignored += 1

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        expired = self._interest.expired(loop.time())
        if expired:
            self._left(expired)
        self._sweep = loop.call_later(LINGER, self._expire) if self._interest.lingers else None


OUTAGE = "Until the bus is back, this node reads from the database what the other nodes have stored."


def _by_topic(entries: Sequence[Entry]) -> list[tuple[str, list[Entry]]]:
    """Return the entries of each topic, in order."""
    found: dict[str, list[Entry]] = {}
    for topic, group in groupby(entries, attrgetter("topic")):
        found.setdefault(topic, []).extend(group)
    return list(found.items())
