"""The bus between managers: texts to topics, at most once, over the connections of the nodes' buses.

Texts wait in one queue, bounded in bytes, and leave in order. While the bus is away they are
dropped and counted. There is no log behind them: what is lost stays lost.
"""

import asyncio
import binascii
import contextlib
import logging
from abc import abstractmethod
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import TYPE_CHECKING, Any

from hubbub.bus.messages import Unreadable
from hubbub.bus.nats import NatsBus, NatsOptions, settle
from hubbub.bus.postgresql import CHECK_INTERVAL, MAX_PAYLOAD, PostgresBus
from hubbub.bus.remote import RemoteBus
from hubbub.bus.texts import ALL, HEAD_BYTES, OVERHEAD, PIECE_BYTES, PIECES_WAIT, TEXT, Piece, Pieces, TextCodec
from hubbub.domain.events import Entry

if TYPE_CHECKING:
    from nats.aio.client import Client
    from psycopg import AsyncConnection

MAX_WAITING = 8 * 2**20
"""Bytes of texts that wait to be sent, with OVERHEAD for each."""
MOST = 256 * 1024
"""Bytes of a message, so that signing it does not hold up the event loop."""
LEAST = 1_000
"""Bytes that a server must allow in a message."""
YIELD_AFTER = 50
"""Messages after which other tasks get their turn."""
NOTIFICATIONS = 100
"""Notifications of one statement."""
CONNECT_WAIT = 1.0
"""Seconds for which `ready` waits for the first connection."""
CLOSE_WAIT = 5.0
"""Seconds for which `close` waits for the first connection, if texts wait for it."""
Deliver = Callable[[str, bytes, int], None]
"""Called with the id of a topic, a text and its kind."""
logger = logging.getLogger("hubbub.bus")


class TextBus(RemoteBus):
    """A bus of texts. Comes before the class of the connection, and carries no entries."""

    _codec: TextCodec
    _one_topic: bool
    """Whether a message may have texts of one topic only."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deliver: Deliver | None = None
        self._texts: deque[tuple[str, bytes, int]] = deque()
        self._size = 0
        self._cut = 0
        """Bytes of the first text that are sent already."""
        self._sending = False
        """Whether texts that have left the queue are not sent yet."""
        self._pieces = Pieces()
        self._expiry: asyncio.TimerHandle | None = None
        self._tried = asyncio.Event()
        """Set when the first attempt to connect has succeeded or failed."""
        self._away = False
        self._missed = 0
        """Texts dropped in this outage."""
        self._full = False

    # --- the port ------------------------------------------------------------------------------------------------

    def open(self, deliver: Deliver) -> None:
        """Begin to connect. Texts that are sent before the first attempt has ended wait for it."""
        self._deliver = deliver
        if self._task is None:
            self._tried.clear()
            # The first request of a process must not lend its context variables to all others.
            self._task = asyncio.get_running_loop().create_task(self._run(), context=Context())

    async def ready(self) -> None:
        """Wait until the first attempt to connect has ended, at most CONNECT_WAIT seconds."""
        if not self._tried.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CONNECT_WAIT):
                    await self._tried.wait()

    @property
    def waiting(self) -> int:
        """How many texts wait to be sent."""
        return len(self._texts)

    def send(self, topic: str, text: bytes, kind: int = TEXT) -> None:
        """Send a text of at most LONGEST bytes to the other managers. Does not wait."""
        if self._away:
            self.counts.dropped += 1
            self._missed += 1
        elif self._size + len(text) + OVERHEAD > MAX_WAITING:
            self.counts.dropped += 1
            if not self._full:
                self._full = True
                logger.warning("The bus does not keep up: broadcasts are dropped for other processes.")
        else:
            self._texts.append((topic, text, kind))
            self._size += len(text) + OVERHEAD
            self._wake.set()

    async def close(self) -> None:
        """Send what waits, for a few seconds at most, and disconnect. `open` connects again."""
        if self._texts and not self._tried.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_WAIT):
                    await self._tried.wait()
        await super().close()
        self._deliver = None
        self._task = self._sweep = None
        self._away = False
        self._clear()
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    # --- the queue -----------------------------------------------------------------------------------------------

    def _next(self, most: int) -> tuple[str, bytes]:
        """Take the first texts, or a piece of the first one. There must be one.

        Returns its topic, and a message of at most `most` bytes, LEAST or more.
        """
        first, *_ = self._texts[0]
        room = most - HEAD_BYTES
        pieces: list[Piece] = []
        while self._texts:
            topic, text, kind = self._texts[0]
            room -= PIECE_BYTES
            rest = len(text) - self._cut
            if pieces and (rest > room or (self._one_topic and topic != first)):
                break
            length = min(rest, room)
            pieces.append(Piece(topic, self._cut, len(text), text[self._cut : self._cut + length], kind))
            room -= length
            if length < rest:
                self._cut += length
                break
            self._cut = 0
            self._texts.popleft()
            self._size -= len(text) + OVERHEAD
        if not self._texts:
            self._full = False
        return first, self._codec.write(pieces)

    def _clear(self) -> None:
        self._texts.clear()
        self._size = self._cut = 0
        self._full = self._sending = False
        self._pieces.clear()

    def _has_unsent(self) -> bool:
        return bool(self._texts) or self._sending

    # --- the connection ------------------------------------------------------------------------------------------

    @abstractmethod
    def _address(self) -> str:
        """Return where the bus is, without credentials."""

    def _publish(self, topic: str, entries: Sequence[Entry]) -> None:
        raise NotImplementedError

    def _established(self) -> None:
        self.connected = True
        self.counts.connects += 1
        if self._away:
            logger.warning("The bus is back. %d broadcasts reached their own process alone.", self._missed)
        self._away, self._missed = False, 0
        self._tried.set()
        self._wake.set()

    def _fell_silent(self) -> None:
        """Do nothing: what waits is bounded, and sent when the server answers."""

    def _answers_again(self) -> None:
        """Do nothing: see `_fell_silent`."""

    def _report(self, reason: str, *, first: bool) -> None:
        self.counts.dropped += len(self._texts)
        self._missed += len(self._texts)
        self._clear()
        if not self._away:
            self._away = True
            logger.warning(
                "The bus at %s is away (%s). Until it is back, broadcasts reach their own process alone.",
                self._address(),
                reason,
            )
        self._tried.set()

    def _handle(self, payload: bytes) -> None:
        try:
            node, pieces = self._codec.read(payload)
        except Unreadable as error:
            self._reject(str(error))
            return
        if node == self._codec.node:
            return
        self.counts.received += 1
        now = asyncio.get_running_loop().time()
        for piece in pieces:
            if piece.topic != ALL and piece.topic not in self._interest:
                continue
            before = self._pieces.lost
            text = self._pieces.add(node, piece, now)
            self.counts.dropped += self._pieces.lost - before
            if text is not None:
                self._receive(piece.topic, text, piece.kind)
        if self._pieces and self._expiry is None:
            self._expiry = asyncio.get_running_loop().call_later(PIECES_WAIT, self._expire_pieces)

    def _receive(self, topic: str, text: bytes, kind: int) -> None:
        try:
            if kind == TEXT:
                text.decode()
            if self._deliver is not None:
                self._deliver(topic, text, kind)
        except UnicodeDecodeError:
            self._reject("no UTF-8")
        except Unreadable as error:
            self._reject(str(error))

    def _expire_pieces(self) -> None:
        loop = asyncio.get_running_loop()
        before = self._pieces.lost
        self._pieces.expire(loop.time())
        self.counts.dropped += self._pieces.lost - before
        self._expiry = loop.call_later(PIECES_WAIT, self._expire_pieces) if self._pieces else None

    def _reject(self, reason: str) -> None:
        if not self.counts.ignored:
            logger.warning(
                "Ignored a message on the bus at %s (%s): another program, or a manager with another secret.",
                self._address(),
                reason,
            )
        self.counts.ignored += 1


class NatsTextBus(TextBus, NatsBus):
    """Texts over NATS: a subject for each topic, to which the processes with members subscribe."""

    _one_topic = True

    def __init__(self, options: NatsOptions, name: str, codec: TextCodec) -> None:
        super().__init__(options, f"manager-{name}", codec)

    def _address(self) -> str:
        return ",".join(url.rpartition("@")[2] for url in self._options.urls)

    async def _work(self, client: "Client") -> None:
        most = min(self._max_payload, MOST)
        if most < LEAST:
            raise ValueError(f"the server allows {most} bytes in a message, fewer than {LEAST}")
        await self._subscribe(client, ALL)
        await self._change(client)
        await settle(client)
        self._established()
        sent = 0
        while True:
            self._wake.clear()
            if self._new or self._old:
                await self._change(client)
            elif self._texts:
                topic, payload = self._next(most)
                await client.publish(self._prefix + topic, payload)
                self.counts.sent += 1
                sent += 1
                if sent % YIELD_AFTER == 0:
                    await asyncio.sleep(0)
            else:
                await self._wake.wait()


class PostgresTextBus(TextBus, PostgresBus):
    """Texts over NOTIFY: one channel, which all processes listen to.

    A notification is `NODE MESSAGE`, the message in base64: the encoding of a database may be any.
    """

    _one_topic = False

    def __init__(self, conninfo: str, name: str, codec: TextCodec, **options: Any) -> None:
        super().__init__(conninfo, f"manager-{name}", codec, **options)
        self._own = codec.node.encode() + b" "

    def _address(self) -> str:
        return self._conninfo.rpartition("@")[2].partition("?")[0]

    def _joined(self, topic: str) -> None:
        """Do nothing: there is one channel for all topics."""

    async def _work(self, connection: "AsyncConnection[Any]") -> None:
        most = (MAX_PAYLOAD - len(self._own)) // 4 * 3
        await self._execute(connection, "SET synchronous_commit = off", ())
        await self._execute(connection, f'LISTEN "{self._channel}"', ())
        self._established()
        while True:
            self._wake.clear()
            if self._texts:
                notifications: list[str] = []
                while self._texts and len(notifications) < NOTIFICATIONS:
                    notifications.append((self._own + b64encode(self._next(most)[1])).decode())
                self._sending = True
                await self._execute(connection, NOTIFY, (self._channel, ",".join(notifications)))
                self._sending = False
                self.counts.sent += len(notifications)
                continue
            try:
                async with asyncio.timeout(CHECK_INTERVAL):
                    await self._wake.wait()
            except TimeoutError:
                await self._execute(connection, "SELECT 1", ())

    def _handle(self, payload: bytes) -> None:
        if payload.startswith(self._own):
            return
        try:
            super()._handle(b64decode(payload.partition(b" ")[2], validate=True))
        except binascii.Error as error:
            self._reject(str(error))


NOTIFY = "SELECT pg_notify(%s, payload) FROM unnest(string_to_array(%s, ',')) AS payload"
