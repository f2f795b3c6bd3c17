"""The gateway of server-sent events: one response that ends when the client or the server ends it.

The hub decides who may follow what, as for every connection. One task per stream writes: first the
missing entries page by page at the client's pace, then what the fan-out hands over. A reader that
is slower than the topic is ended, and resumes from its position.
"""

import asyncio
import signal
from collections import deque
from collections.abc import Sequence
from typing import ClassVar

import structlog
from starlette.responses import Response
from starlette.types import Message as AsgiMessage
from starlette.types import Receive, Scope, Send

from hubbub.delivery.connections import Blob, Connection, Format, Message
from hubbub.domain.disconnects import Disconnect
from hubbub.domain.errors import Busy, HubbubError
from hubbub.domain.model import Role
from hubbub.domain.text import MAX_PAGE
from hubbub.engine import reconnects
from hubbub.engine.live_connections import Attached
from hubbub.engine.services import Services
from hubbub.features import sync
from hubbub.features.sessions import AuthenticatedUser
from hubbub.protocol import event_stream

HEARTBEAT = 15.0
"""Seconds of silence after which a comment is sent."""
RETRY = 2.0
"""Seconds that clients wait before they reconnect, unless they are told otherwise."""
READ_TIMEOUT = 60.0
"""Seconds within which the client must make room for what is sent."""
CHECK_INTERVAL = 0.5
FULL = "The server has reached its connection limit. Try again in a few seconds."
logger = structlog.get_logger(__name__)


class EncodedTail:
    """An entry in this format, without the epoch. Shared by all streams; empty if it is none."""

    __slots__ = ("text",)

    def __init__(self, message: Message) -> None:
        self.text = event_stream.tail(message.text)

    def __len__(self) -> int:
        return len(self.text) if self.text is not None else 0


class StreamFormat:
    """Entries as events of a stream."""

    def pack(self, messages: Sequence[Message]) -> Blob:
        """Return the events, encoded once for all streams."""
        return [tail for message in messages if (tail := message.encoded(EncodedTail)).text is not None]


STREAM = StreamFormat()


class EventStream(Connection):
    """A stream of one topic's entries, as the fan-out sees it."""

    __slots__ = ("_chunks", "_limit", "_size", "_wake", "corked", "ended", "retry")
    format: ClassVar[Format] = STREAM

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.authenticated = True
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._limit = limit
        self._wake = asyncio.Event()
        self.corked = True
        """Whether entries of the past go first."""
        self.ended = False
        self.retry = RETRY

    def write(self, blob: Blob) -> None:
        if self.ended:
            return
        self._chunks.extend(tail.text for tail in blob)
        self._size += sum(map(len, blob))
        if self._size > self._limit:
            self.end(Disconnect.SLOW)
        self._wake.set()

    def buffered(self) -> int:
        return self._size

    def cork(self) -> None:
        self.corked = True

    def uncork(self, first: Blob) -> None:
        self._chunks.extendleft(tail.text for tail in reversed(first))
        self._size += sum(map(len, first))
        self.corked = False
        self._wake.set()

    def close(self) -> None:
        """End the stream after what is queued."""
        self.ended = True
        self._wake.set()

    def abort(self) -> None:
        """End the stream at once: what is queued is dropped."""
        self._chunks.clear()
        self._size = 0
        self.close()

    def end(self, why: Disconnect, retry_after: float | None = None) -> None:
        """End the stream at once. The reason is not sent: the client's next request is answered by it."""
        self.retry = self.retry if retry_after is None else retry_after
        self.abort()

    def shutdown(self, among: int) -> None:
        """End the stream because the server stops. Clients come back after random delays."""
        self.retry = reconnects.delay(among)
        self.close()

    def take(self, epoch: bytes) -> bytes:
        """Return everything that is queued as events of this epoch."""
        found = b"".join(epoch + chunk for chunk in self._chunks)
        self._chunks.clear()
        self._size = 0
        return found

    async def wait(self) -> None:
        """Wait until there is something to send, or the stream has ended."""
        await self._wake.wait()
        self._wake.clear()


async def open_stream(
    services: Services, identity: AuthenticatedUser, topic: str, position: tuple[str | None, int] | None
) -> Response:
    """Subscribe a stream to `topic` from a position, or from now on; return the response.

    Raises NotFound (the user may not follow the topic), TooManyConnections, Unauthenticated, Busy
    (the server is full), BadRequest.
    """
    if len(services.streams) >= services.settings.connections_limit:
        raise Busy(FULL, retry_after=5.0)
    stream = EventStream(services.settings.outbox_bytes)
    epoch, after = position if position is not None else (None, None)
    have = {} if after is None else {topic: after}
    attached = await services.hub.attach(stream, identity, epoch=epoch, have=have, only_topic=topic)
    services.streams.add(stream)
    return EventStreamResponse(services, stream, attached, topic, after)


class EventStreamResponse(Response):
    """The response of a stream. It is sent as long as the stream lasts."""

    media_type = event_stream.MEDIA_TYPE

    def __init__(
        self, services: Services, stream: EventStream, attached: Attached, topic: str, after: int | None
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._services = services
        self._stream = stream
        self._attached: Attached | None = attached
        self._live = attached.live
        self._topic = topic
        self._after = after
        self._epoch = attached.snapshot.epoch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream = self._stream
        leaving = asyncio.create_task(_left(receive, stream))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._run(send)
            await _send(send, event_stream.closing(stream.retry), more=False)
        except (OSError, TimeoutError):
            pass  # the client has left, or reads nothing
        except HubbubError as error:  # the store does not answer, or the right to read has ended
            logger.info("event_stream_ended", code=error.code)
            await _send(send, event_stream.closing(error.retry_after or RETRY), more=False)
        finally:
            leaving.cancel()
            self._services.hub.detach(stream)
            self._services.streams.discard(stream)

    async def _run(self, send: Send) -> None:
        """Send until the stream has ended."""
        stream, epoch = self._stream, event_stream.begin(self._epoch)
        attached, self._attached = self._attached, None  # the snapshot is large, and the stream long
        if attached is not None:
            await self._begin(send, attached)
        del attached
        while True:
            found = b"" if stream.corked else stream.take(epoch)
            if found:
                await _send(send, found)
                continue
            if stream.ended:
                return
            try:
                async with asyncio.timeout(HEARTBEAT):
                    await stream.wait()
            except TimeoutError:
                await _send(send, event_stream.HEARTBEAT)

    async def _begin(self, send: Send, attached: Attached) -> None:
        """Send the opening, what the client misses, and what was published since the snapshot."""
        snapshot, stream = attached.snapshot, self._stream
        head = snapshot.heads[self._topic]
        at = head if self._after is None else self._after
        missing = next((found for found in snapshot.missing if found.topic == self._topic), None)
        if missing is None:
            await _send(send, event_stream.opening(self._epoch, at, RETRY))
        elif missing.page is None:
            await _send(send, event_stream.opening(self._epoch, head, RETRY))
            await _send(send, event_stream.reset(self._topic, self._epoch, head, missing.floor or 0))
        else:
            await _send(send, event_stream.opening(self._epoch, at, RETRY))
            await _send(send, event_stream.blocks(self._epoch, missing.page.texts))
            if not missing.page.complete:
                await self._catch_up(send, missing.page.last)
                return
        stream.uncork(STREAM.pack([Message(text) for text in attached.gap]))

    async def _catch_up(self, send: Send, after: int) -> None:
        """Send the entries after `after` page by page, then subscribe again without a gap.

        Meanwhile the stream follows no topic, but is still known by its user: it ends with the
        user's right to read.
        """
        services, stream, live = self._services, self._stream, self._live
        services.fanout.leave(stream, self._topic)
        stream.take(b"")  # these entries are in the pages too
        while not stream.ended:
            page = await services.read(
                sync.page, live.user.id, live.user.role is not Role.GUEST, self._topic, self._epoch, after, MAX_PAGE
            )
            if stream.ended:
                return
            if page is None:  # trimmed meanwhile, or another epoch
                stream.close()
                return
            await _send(send, event_stream.blocks(self._epoch, page.texts))
            after = page.last
            if page.complete:
                gap = await services.hub.follow(live, self._topic, after)
                stream.uncork(STREAM.pack([Message(text) for text in gap]))
                return


async def _send(send: Send, body: bytes, *, more: bool = True) -> None:
    """Send a part of the body, at the client's pace. Raises TimeoutError if it reads nothing."""
    if body or not more:
        message: AsgiMessage = {"type": "http.response.body", "body": body, "more_body": more}
        async with asyncio.timeout(READ_TIMEOUT):
            await send(message)


async def _left(receive: Receive, stream: EventStream) -> None:
    """End the stream when its client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.abort()


async def end_with_server(services: Services) -> None:
    """End the streams when the ASGI server is about to stop.

    uvicorn waits for all responses before it ends the application's lifespan, and tells no
    application that it is stopping. Its handler of SIGTERM is a method of the server, whose
    `should_exit` says so. With other servers this does nothing: they cancel what is left.
    """
    while True:
        await asyncio.sleep(CHECK_INTERVAL)
        server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
        if (services.streams or services.host_readers) and getattr(server, "should_exit", False) is True:
            end_streams(services)


def end_streams(services: Services) -> None:
    """Ask the clients of all streams to reconnect later, and end what reads for the host application."""
    among = len(services.streams)
    for stream in (*services.streams, *services.host_readers):
        stream.shutdown(among)
