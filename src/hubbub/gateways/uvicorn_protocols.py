"""All code that depends on private parts of uvicorn: its protocols with limits, and its server.

Measured without the limits of HTTP: 64 MB of headers are accepted, 40 MB of trailers take 870 MB of
memory, pipelined requests take about 150 times their size, and a connection that never sends a
request stays open forever.

The classes do not depend on Hubbub's services. Any app can use them: `uvicorn --http
hubbub:BoundedHttpProtocol --ws hubbub:WebSocketProtocol`. `REQUIRED` lists what they use of
uvicorn's classes. It is checked at import, so that a uvicorn that has changed says so at once.
"""

import asyncio
import socket
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from inspect import isfunction
from typing import Any

import httptools
import uvicorn
from starlette.websockets import WebSocketDisconnect
from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from hubbub.gateways.websocket.outbox import CUT_OFF
from hubbub.gateways.websocket.rejection import Rejection
from hubbub.gateways.websocket.starlette_sockets import ABNORMAL, EXTENSION, NEVER, NOW, RESTART, FramedWebSocket
from hubbub.protocol import close_codes

HEAD_BYTES = 16_384
HEAD_TIMEOUT = 10.0
BODY_TIMEOUT = 60.0
MAX_HEADERS = 100
"""Apache's limit. 16 KiB of headers of four bytes would take half a megabyte."""
PIECE = 512
"""Bytes parsed between two checks of the limits.

They contain at most 28 requests, each of which takes 3 KB until answered.
"""
BODY_GRACE = 10.0
BODY_RATE = 1_024
"""Bytes per second that a body must average after its first BODY_GRACE seconds."""
LAST_BYTES = 2**20
"""Bytes discarded after a rejection, before a reset can destroy the response."""

TOO_LARGE = Rejection(431, "The request headers are too large.")
TOO_MANY = Rejection(431, f"The request has too many headers: at most {MAX_HEADERS}.")
BLANK = Rejection(400, "The request starts with too many empty lines.")
PADDED = Rejection(413, "The request body has too many chunk headers, extensions or trailers.")
LATE = Rejection(408, "The request took too long to arrive.")
INVALID = Rejection(400, "The request is not valid HTTP.")
EARLY = Rejection(400, "The client sent data before the response to the handshake.")
LADEN = Rejection(400, "An upgrade request must not have a body.")


REQUIRED: Mapping[type, Collection[str]] = {
    FlowControl: ("pause_reading", "read_paused", "resume_reading"),
    HttpToolsProtocol: (
        "_should_upgrade", "_unset_keepalive_if_required", "client", "connection_lost", "connection_made",
        "connections", "cycle", "data_received", "flow", "handle_websocket_upgrade", "headers", "loop", "on_body",
        "on_header", "on_headers_complete", "on_message_begin", "on_message_complete", "on_response_complete", "parser",
        "pause_writing", "pipeline", "resume_writing", "scope", "shutdown", "transport", "url",
    ),
    RequestResponseCycle: ("disconnected", "keep_alive", "message_event", "response_complete", "response_started"),
    WebSocketsSansIOProtocol: (
        "close_sent", "close_timer", "conn", "connection_lost", "data_received", "disconnected", "frames",
        "handle_close", "handle_connect", "handle_cont", "handle_parser_exception", "handshake_complete",
        "keepalive_timeout", "logger", "loop", "pause_writing", "queue", "read_paused", "receive", "response",
        "resume_writing", "scope", "send", "shutdown", "transport", "writable",
    ),
    uvicorn.Server: (
        "capture_signals", "config", "lifespan", "servers", "server_state", "should_exit", "started", "startup",
    ),
}  # fmt: skip
"""The methods and attributes of uvicorn's classes that the classes below use or replace."""


def missing(required: Mapping[type, Collection[str]]) -> list[str]:
    """Return what the installed uvicorn does not have, as `Class.name`."""
    found = []
    for class_, names in required.items():
        methods = [each for base in class_.__mro__ for each in vars(base).values() if isfunction(each)]
        known = set(dir(class_)).union(*(method.__code__.co_names for method in methods))
        found += [f"{class_.__name__}.{name}" for name in names if name not in known]
    return found


if _missing := missing(REQUIRED):
    raise ImportError(
        f"Hubbub does not work with uvicorn {uvicorn.__version__}, which lacks {', '.join(_missing)}. "
        'Install a supported version: pip install "uvicorn>=0.52.1,<0.60".'
    )

MAX_MESSAGE = 65_536
MAX_FRAGMENTS = 64
TURN = 8_192
"""Bytes of WebSocket frames parsed before the event loop runs others."""
BACKLOG = 4096


class HoldingFlow(FlowControl):
    """Pauses reading while requests wait for an earlier response."""

    is_holding = False

    def resume_reading(self) -> None:
        if not self.is_holding:
            super().resume_reading()


class BoundedHttpProtocol(HttpToolsProtocol):
    """One HTTP connection with limits.

    A head of at most 16 KiB and 100 headers must arrive within 10 s, a body within 60 s.

    The framing of a body (chunk sizes, extensions, trailers) may take as many bytes as the body
    itself plus 16 KiB: chunks of five bytes or more always fit, and so do 4,096 chunks of one byte.
    Trailers are dropped (RFC 9110, section 6.5.1: a recipient must not merge them into the
    headers). Requests that arrive before the previous response is complete wait unparsed. The
    client must read its response within 60 s, or the connection is aborted.
    """

    head_bytes = HEAD_BYTES
    head_timeout = HEAD_TIMEOUT
    body_timeout = BODY_TIMEOUT

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config=config, server_state=server_state, app_state=app_state, _loop=_loop)
        self._in_head = self._in_body = self._discards_input = False
        self._framing = self._payload = 0
        self._held: bytes | memoryview = b""
        self._last_bytes = 0
        self._is_early = False
        self._body_began = 0.0
        self._refused: Rejection | None = None
        self._cycles: list[RequestResponseCycle] = []
        """The requests whose answers are not complete."""
        self._deadline: asyncio.TimerHandle | None = None
        self._reader_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow: HoldingFlow = HoldingFlow(transport)
        self._arm(self.head_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        self._held = b""
        self._disarm()
        self._stop_reader_timer()
        self._disconnect_cycles()
        self._cycles.clear()
        super().connection_lost(exc)

    # --- bytes into the parser -----------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._discards_input:
            self._last_bytes += len(data)
            if self._last_bytes > LAST_BYTES:
                self.cut()
            return
        self._unset_keepalive_if_required()
        if self._held:  # this data arrived before reading was paused
            self._held = b"".join((self._held, data))
        else:
            self._feed(memoryview(data))

    def _feed(self, data: memoryview) -> None:
        for start in range(0, len(data), PIECE):
            if self.pipeline:
                self._held = data[start:]
                self.flow.pause_reading()
                self.flow.is_holding = True
                return
            piece = data[start : start + PIECE]
            self._framing += len(piece)
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:
                self._is_early = start + upgrade.args[0] < len(data)
                self._upgrade_or_go_on()
                return
            except httptools.HttpParserError:
                self._refuse(self._refused or INVALID)
                return
            self._check_framing()
            if self._discards_input or self.transport.is_closing():
                return
        if self._deadline is None and not self._in_head and not self._is_working:
            self._arm(self.head_timeout)  # only empty lines arrived, and uvicorn's own timer has just been stopped

    def _feed_held(self) -> None:
        held, self._held = self._held, b""
        self.flow.is_holding = False
        if held and not self._discards_input and not self.transport.is_closing():
            self._feed(memoryview(held))
        if not self.flow.is_holding and not self.transport.is_closing():
            self.flow.resume_reading()

    def _check_framing(self) -> None:
        if self._framing > self.head_bytes + (self._payload if self._in_body else 0):
            self._refuse(TOO_LARGE if self._in_head else PADDED if self._in_body else BLANK)

    def _upgrade_or_go_on(self) -> None:
        if self._should_upgrade():
            self.handle_websocket_upgrade()
        elif not self.transport.is_closing():
            # The parser cannot continue after an upgrade: answer this request, and read nothing
            # after it.
            self._discards_input = True
            self.cycle.keep_alive = False

    @property
    def peer(self) -> str:
        """The address of the peer."""
        return self.client[0] if self.client else ""

    @property
    def open_count(self) -> int:
        """The number of open HTTP connections of this server."""
        return len(self.connections)

    @property
    def request_line(self) -> tuple[str, str]:
        """The method and the HTTP version of the current request."""
        return self.scope["method"], self.scope["http_version"]

    @property
    def request_target(self) -> str:
        """The path and the query of the current request."""
        return self.url.decode("latin-1")

    @property
    def request_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of the current request."""
        return self.headers

    @property
    def is_last(self) -> bool:
        """Whether the connection ends after the current request. Subclasses override this."""
        return False

    def hand_over(self, protocol: asyncio.BaseProtocol) -> None:
        """Make `protocol` the protocol of the transport. uvicorn forgets the connection."""
        self.connections.discard(self)
        self.transport.set_protocol(protocol)

    @property
    def _can_still_refuse(self) -> bool:
        """True while a rejection would answer the current request, and nothing else."""
        return not self.pipeline and not self.cycle.response_started

    @property
    def _is_working(self) -> bool:
        """True while the application has a request whose response is not complete."""
        return self.cycle is not None and not self.cycle.response_complete

    # --- the parser's callbacks ----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        if not self.transport.get_write_buffer_size():
            self._stop_reader_timer()
        if self._deadline is None:
            self._arm(self.head_timeout)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer: uvicorn would append it to the headers, which the application has already received
        if len(self.headers) >= MAX_HEADERS:
            self._refused = self._refused or TOO_MANY
            raise _Refusal
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.head_bytes:
            self._refused = self._refused or TOO_LARGE
        elif self.parser.should_upgrade() and _announces_body(self.headers):
            self._refused = self._refused or LADEN  # the parser would pass the body on as data of the other protocol
        if self._refused is not None:
            raise _Refusal
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:  # An upgrade has no cycle.
            self._cycles = [cycle for cycle in self._cycles if not cycle.response_complete] + [self.cycle]
            if self.is_last:
                self.cycle.keep_alive = False
        self._in_body = True
        self._framing = self._payload = 0
        self._body_began = self.loop.time()
        self._arm(min(self.body_timeout, BODY_GRACE))

    def on_body(self, body: bytes) -> None:
        self._payload += len(body)
        self._framing -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body = False
        self._framing = 0
        self._disarm()
        super().on_message_complete()

    # --- the response --------------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start_reader_timer()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_reader_timer()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._start_reader_timer()
        if self._held and not self.pipeline:
            self.loop.call_soon(self._feed_held)

    def _start_reader_timer(self) -> None:
        if self._reader_timer is None:
            self._reader_timer = self.loop.call_later(self.body_timeout, self._abort_slow_reader)

    def _stop_reader_timer(self) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None

    def _abort_slow_reader(self) -> None:
        self._reader_timer = None
        if self.transport.get_write_buffer_size():
            self.cut()

    # --- the upgrade ---------------------------------------------------------------------------------------------

    def handle_websocket_upgrade(self) -> None:
        self._disarm()
        self._stop_reader_timer()
        if self._is_early or self._is_working:
            self._refuse(EARLY)
        else:
            self._upgrade()
        # uvicorn breaks this reference cycle in connection_lost, which is not called on an upgraded
        # connection.
        self.parser = None  # type: ignore[assignment]

    def _upgrade(self) -> None:
        super().handle_websocket_upgrade()

    # --- rejections ----------------------------------------------------------------------------------------------

    def _refuse(self, refused: Rejection) -> None:
        """Send the rejection if the client can tell which request it answers.

        Nothing after it is read.
        """
        if self._discards_input or self.transport.is_closing():
            return
        self._discards_input = True
        self._held = b""
        self.flow.is_holding = False
        if not self._is_working:
            self._answer_refusal(refused)
        elif not self._in_body:
            # Responses to earlier requests come first, and the last of them ends the connection.
            self._disarm()
            self.cycle.keep_alive = False
        elif not self._can_still_refuse:
            self.cut()
        else:
            self._answer_refusal(refused)
            self._disconnect_cycles()

    def _answer_refusal(self, refused: Rejection) -> None:
        self._count_refusal(str(refused.status))
        self.transport.write(refused.response())
        self._half_close()

    def _count_refusal(self, status: str) -> None:
        """Record the status of a rejection that was sent. Subclasses override this."""

    def _half_close(self) -> None:
        """Close the writing side and read on for a moment.

        Closing with unread input would reset the connection, and could destroy the response.
        """
        self._in_head = self._in_body = False
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self._arm(CUT_OFF)
        else:
            self.transport.close()

    def cut(self) -> None:
        """End the connection at once. Its requests end like those of a client that has left."""
        self._disconnect_cycles()
        self.transport.abort()

    def _disconnect_cycles(self) -> None:
        """Keep applications from writing: uvloop raises when they write to a closed transport."""
        for cycle in self._cycles:
            cycle.disconnected = True
            cycle.message_event.set()

    # --- deadlines -----------------------------------------------------------------------------------------------

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, self._expire)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        if self._in_head and not self._discards_input:
            self._refuse(LATE)
        elif not self._in_body or not self._wait_for_more_body():
            self.cut()

    def _wait_for_more_body(self) -> bool:
        """Set the next deadline of a body. Return False if it is too old or too slow."""
        age = self.loop.time() - self._body_began
        if age >= self.body_timeout:
            return False
        if not self.flow.read_paused and self._payload < BODY_RATE * (age - BODY_GRACE):
            return False
        self._arm(min(self.body_timeout - age, 1.0))
        return True


def _announces_body(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0 \t")) for name, value in headers
    )


class _Refusal(Exception):
    pass


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Limits incoming messages to 64 KiB in at most 64 fragments, without compression."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config=config, server_state=server_state, app_state=app_state, _loop=_loop)
        self.conn = ServerProtocol(max_size=min(config.ws_max_size, MAX_MESSAGE), logger=self.logger)
        self._failed = False
        self._writer: FramedWebSocket | None = None
        self.received_at = NEVER

    # --- limits --------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), TURN):
            if not self._failed:
                super().data_received(data[start : start + TURN])

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= MAX_FRAGMENTS and not self._failed:
            self.conn.fail(close_codes.TOO_BIG, "too many fragments")
            self.handle_parser_exception()
        if not self._failed:
            super().handle_cont(event)

    def handle_parser_exception(self) -> None:
        """Fail like uvicorn, but do not close with unread input.

        A reset could destroy the close code.
        """
        if self._failed or self.conn.close_sent is None:
            return
        self._failed = True
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        self._stop_writing(code, reason)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.close_sent = True
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.abort_in(CUT_OFF)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    # --- the offered transport -----------------------------------------------------------------------------------

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[EXTENSION] = self

    @property
    def open(self) -> bool:
        """True if the 101 was sent, and no Close."""
        return self.handshake_complete and not (self.close_sent or self.disconnected or self.transport.is_closing())

    def attach(self, writer: FramedWebSocket) -> None:
        """Notify `writer` about the transport's state from now on."""
        self._writer = writer

    def close_frame(self, code: int, reason: str) -> bytes:
        """Return the Close frame.

        Updates uvicorn's state, and the endpoint's next `receive` is a disconnect.
        """
        if self.conn.state is not State.OPEN:
            return b""
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.send_close(code, reason)
        self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        return b"".join(self.conn.data_to_send())

    def abort_in(self, seconds: float) -> None:
        """Abort after `seconds`.

        Uses the timer that uvicorn sets when the application closes; while it runs, uvicorn does
        not touch the transport.
        """
        if self.close_timer is None:
            self.close_timer = self.loop.call_later(seconds, self.transport.abort)

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "websocket.close" and self._writer is not None:
            await self.writable.wait()
            self._stop_writing(message.get("code", close_codes.NORMAL), message.get("reason") or "")
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True  # otherwise uvicorn treats a rejection that was sent as a missing response

    async def receive(self) -> ASGIReceiveEvent:
        self.received_at = NOW
        try:
            return await super().receive()
        finally:
            self.received_at = self.loop.time()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._writer is not None:
            self._writer.pause_writing()

    def resume_writing(self) -> None:
        if self._writer is not None:
            self._writer.resume_writing()
            if self._writer.buffered():
                return  # the outbox is sent before what the application wants to send
        super().resume_writing()

    def keepalive_timeout(self) -> None:
        self._stop_writing(close_codes.INTERNAL, "keepalive ping timeout")
        super().keepalive_timeout()

    def handle_close(self, event: Frame) -> None:
        received = self.conn.close_rcvd
        if received is not None:
            self._stop_writing(received.code, received.reason)
        else:
            self._stop_writing(ABNORMAL)
        super().handle_close(event)

    def shutdown(self) -> None:
        self._stop_writing(RESTART)
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_writing(ABNORMAL)
        super().connection_lost(exc)

    def _stop_writing(self, code: int, reason: str = "") -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.lost(WebSocketDisconnect(code, reason))


class Server(uvicorn.Server):
    """uvicorn's server on our socket.

    Clients cannot stop it from accepting. If the process runs out of file descriptors, the event
    loop (libuv) closes the connections it cannot accept.
    """

    def __init__(self, config: uvicorn.Config, listening: socket.socket) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.servers = []
        self._listening = listening

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to `main`."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start like uvicorn's method, but on our socket."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            self.should_exit = True
            return
        loop = asyncio.get_running_loop()
        self.servers = [await loop.create_server(self._protocol, sock=self._listening, backlog=BACKLOG)]
        self.started = True
        self.ready.set()

    def stop_listening(self) -> None:
        """Refuse new connections from now on."""
        self.should_exit = True
        for server in self.servers:
            server.close()
        self.servers = []
        self._listening.close()

    def cut(self) -> None:
        """End all connections at once."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, BoundedHttpProtocol):
                connection.cut()
            else:
                connection.transport.abort()

    def _protocol(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
