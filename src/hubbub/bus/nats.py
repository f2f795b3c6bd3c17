"""The bus over core NATS: one subject per topic, at most once.

Publications of a commit carry the entries as they are on the wire, so that a receiver encodes
nothing. Entries above the server's `max_payload` are announced as a hint. Once per HEADS_INTERVAL
at most, a node announces the heads of what it has committed to all nodes: that wakes followers, and
shows what was lost. https://docs.nats.io/reference/reference-protocols/nats-protocol
"""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from hubbub.bus.messages import MAX_MESSAGE, Codec
from hubbub.bus.remote import CLOSE_TIMEOUT, RemoteBus
from hubbub.domain.events import Entry

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

MAX_QUEUED = 8 * 2**20
"""Bytes that wait to be sent."""
SIGNAL_BYTES = 64 * 1024
"""Bytes of signals that are sent in one message."""
HEAD_BYTES = 1_000
"""Bytes for the head of a message with signals."""
MAX_UNREAD_MESSAGES = 10_000
MAX_UNREAD_BYTES = 8 * 2**20
"""What waits to be read in one topic."""
HEADS_INTERVAL = 0.05
"""Seconds for which heads are collected before they are announced."""
CONNECT_TIMEOUT = 5
FLUSH_TIMEOUT = 5
PING_INTERVAL = 5
MAX_PINGS = 2
"""A server that leaves so many pings unanswered is gone."""
PULSE = 1.0
"""Seconds after which a server that does not answer counts as away, and between two questions."""
SCHEMES = ("nats", "tls")


@dataclass(frozen=True, slots=True)
class NatsOptions:
    """How to reach NATS. `urls` are of servers of one cluster, and may contain credentials.

    `ca`, `certificate` and `key` are files in PEM format, `credentials` is a NATS credentials file.
    """

    urls: tuple[str, ...]
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    credentials: Path | None = None

    @property
    def is_secure(self) -> bool:
        """Whether TLS is required."""
        return any(urlsplit(url).scheme == "tls" for url in self.urls)

    def check(self) -> None:
        """Check that the files can be read, so that a wrong path ends the start. Raises OSError."""
        self.context()
        if self.credentials is not None:
            self.credentials.read_bytes()

    def context(self) -> ssl.SSLContext:
        """Return how to check the server, and how to identify this node. Raises OSError."""
        context = ssl.create_default_context(cafile=self.ca)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context


class NatsBus(RemoteBus):
    """The bus over NATS. `site` tells sites on one NATS apart."""

    kind = "nats"

    def __init__(self, options: NatsOptions, site: str, codec: Codec) -> None:
        super().__init__(codec)
        self._options = options
        self._prefix = f"hubbub.{site}."
        self._queue: deque[tuple[str, bytes]] = deque()
        self._queued = 0
        self._max_payload = MAX_MESSAGE
        self._new: dict[str, None] = {}
        self._old: dict[str, None] = {}
        self._subscriptions: dict[str, Subscription] = {}

    # --- publishing ----------------------------------------------------------------------------------------------

    def _publish(self, topic: str, entries: Sequence[Entry]) -> None:
        texts = [entry.text for entry in entries]
        heads = {topic: entries[-1].seq}
        if sum(map(len, texts)) + len(texts) < self._max_payload:
            payload = self._codec.encode(self.epoch, heads, texts, everything=False)
            if len(payload) > self._max_payload:
                payload = self._codec.encode(self.epoch, heads, everything=False)
        else:
            payload = self._codec.encode(self.epoch, heads, everything=False)
        self._enqueue(topic, payload)

    def _enqueue(self, topic: str, payload: bytes) -> None:
        if self._queued + len(payload) > MAX_QUEUED:
            self.counts.dropped += 1  # its head is announced later
            return
        self._queue.append((self._prefix + topic, payload))
        self._queued += len(payload)

    def _has_unsent(self) -> bool:
        return bool(self._queue) or super()._has_unsent()

    # --- interest ------------------------------------------------------------------------------------------------

    def _joined(self, topic: str) -> None:
        self._old.pop(topic, None)
        self._new[topic] = None
        self._wake.set()

    def _left(self, topics: Sequence[str]) -> None:
        for topic in topics:
            self._new.pop(topic, None)
            self._old[topic] = None
        self._wake.set()

    # --- the connection ------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        ended = asyncio.Event()
        client = await self._connect(ended)
        self._max_payload = min(client.max_payload, MAX_MESSAGE)
        self._new, self._old = dict.fromkeys(self._interest), {}
        self._subscriptions.clear()
        self._queue.clear()
        self._queued = 0
        work = asyncio.create_task(self._work(client))
        watch = asyncio.create_task(self._watch(client))
        closed = asyncio.create_task(ended.wait())
        try:
            await asyncio.wait((work, closed), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            self.connected = False
            for task in (work, watch, closed):
                task.cancel()
            await asyncio.gather(work, watch, closed, return_exceptions=True)
            await _close(client)

    async def _connect(self, ended: asyncio.Event) -> "Client":
        async def closed() -> None:
            ended.set()

        async def failed(error: Exception) -> None:
            self._failed(error)

        from nats.errors import NoServersError

        options = self._options
        user, password, token = _login(options.urls[0])
        client = _client(secure=options.is_secure)
        arguments: dict[str, Any] = {}
        if options.is_secure or options.ca is not None or options.certificate is not None:
            arguments["tls"] = options.context()
        if options.credentials is not None:
            arguments["user_credentials"] = str(options.credentials)
        try:
            await client.connect(
                servers=[_address(url) for url in options.urls],
                name="hubbub",
                allow_reconnect=False,  # `_run` does it, with other delays
                max_reconnect_attempts=1,  # of each server, now
                reconnect_time_wait=0,
                connect_timeout=CONNECT_TIMEOUT,
                ping_interval=PING_INTERVAL,
                max_outstanding_pings=MAX_PINGS,
                no_echo=True,
                user=user,
                password=password,
                token=token,
                error_cb=failed,
                closed_cb=closed,
                **arguments,
            )
        except BaseException as error:
            await _close(client)  # the library leaves the socket open
            if isinstance(error, NoServersError) and client.last_error is not None:
                raise client.last_error from None  # the reason
            raise
        return client

    async def _work(self, client: "Client") -> None:
        """Subscribe and publish until cancelled."""
        await self._subscribe(client, "heads")
        await self._change(client)
        self._established()
        loop = asyncio.get_running_loop()
        heads_at = 0.0
        while True:
            self._wake.clear()
            if self._new or self._old:
                self._check(await self._change(client))
            while self._queue:
                subject, payload = self._queue.popleft()
                self._queued -= len(payload)
                await client.publish(subject, payload)
                self.counts.sent += 1
            await self._send_signals(client)
            wait: float | None = None
            if self._heads or self._everything:
                wait = heads_at - loop.time()
                if wait <= 0:
                    heads_at = loop.time() + HEADS_INTERVAL
                    heads, everything = self._take_heads()
                    payload = self._codec.encode(self.epoch, heads, everything=everything)
                    if len(payload) > self._max_payload:
                        payload = self._codec.encode(self.epoch, {}, everything=True)
                    await client.publish(self._prefix + "heads", payload)
                    self.counts.sent += 1
                    continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    async def _send_signals(self, client: "Client") -> None:
        """Send the signals that wait, those for one topic to the nodes that follow it."""
        while self._signals:
            most = min(SIGNAL_BYTES, self._max_payload - HEAD_BYTES)
            topic, signals = self._signals.take(most, one_topic=True)
            payload = self._codec.encode(self.epoch, {}, signals=signals)
            if len(payload) > self._max_payload:
                self.counts.dropped += 1
                continue
            await client.publish(self._prefix + (topic or "heads"), payload)
            self.counts.sent += 1

    async def _watch(self, client: "Client") -> None:
        """Notice a server that does not answer, long before its connection ends."""
        while True:
            await asyncio.sleep(PULSE)
            answer = asyncio.ensure_future(client.flush(PING_INTERVAL * (MAX_PINGS + 2)))
            try:
                answered, _ = await asyncio.wait((answer,), timeout=PULSE)
                silent = not answered and self.connected
                if silent:
                    self._fell_silent()
                await answer  # not cancelled while the connection lives: the library would read no more
            finally:
                answer.cancel()
            if silent:
                self._answers_again()

    async def _change(self, client: "Client") -> list[str]:
        """Apply changes of interest; return the topics that are subscribed to now."""
        new, self._new = list(self._new), {}
        old, self._old = list(self._old), {}
        for topic in new:
            await self._subscribe(client, topic)
        for topic in old:
            subscription = self._subscriptions.pop(topic, None)
            if subscription is not None:
                await subscription.unsubscribe()
        if new:
            await settle(client)
        return new

    async def _subscribe(self, client: "Client", topic: str) -> None:
        if topic in self._subscriptions:
            return

        async def take(message: "Msg") -> None:
            self._handle(message.data)

        self._subscriptions[topic] = await client.subscribe(
            self._prefix + topic,
            cb=take,
            pending_msgs_limit=MAX_UNREAD_MESSAGES,
            pending_bytes_limit=MAX_UNREAD_BYTES,
        )

    def _failed(self, error: Exception) -> None:
        from nats.errors import SlowConsumerError

        if isinstance(error, SlowConsumerError):
            self.counts.dropped += 1
            topic = error.subject.removeprefix(self._prefix)
            self._check(None if topic == "heads" else [topic])


async def settle(client: "Client") -> None:
    """Wait until the server has processed all subscriptions. Raises nats.errors.TimeoutError.

    The library writes the ping of `flush` before commands that wait in its own buffer. Its answer
    shows that these are written, and the answer to another ping that they are processed.
    """
    await client.flush(FLUSH_TIMEOUT)
    await client.flush(FLUSH_TIMEOUT)


async def _close(client: "Client") -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CLOSE_TIMEOUT):
            await client.close()


def _client(*, secure: bool) -> "Client":
    from nats.aio.client import Client
    from nats.errors import SecureConnRequiredError

    if not secure:
        return Client()

    class SecureClient(Client):
        """A client that sends nothing, least of all its password, over a connection without TLS.

        The library uses TLS only if the server asks for it.
        """

        def _connect_command(self) -> bytes:
            if not self._server_info.get("tls_required"):
                raise SecureConnRequiredError
            command: bytes = super()._connect_command()
            return command

    return SecureClient()


def _login(url: str) -> tuple[str | None, str | None, str | None]:
    """Return the user and password, or the token, of a URL."""
    parts = urlsplit(url)
    if parts.username is None:
        return None, None, None
    if parts.password is None:
        return None, None, unquote(parts.username)
    return unquote(parts.username), unquote(parts.password), None


def _address(url: str) -> str:
    """Return a URL without its credentials."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
