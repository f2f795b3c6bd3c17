"""uvicorn's HTTP protocol with the limits it lacks, and the way into the native WebSocket gateway.

Measured without it: 64 MB of headers are accepted, and a connection that never sends a request stays for ever.
What is private in uvicorn is used here and nowhere else; a contract test runs a real upgrade.
"""

import asyncio
import sys
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from hubbub.gateways.websocket.gateway import NO_HANDSHAKE, RETRY_AFTER, Gateway, opening
from hubbub.gateways.websocket.handshake import Refused
from hubbub.gateways.websocket.outbox import CUT_OFF

TOO_LARGE = Refused(431, "The request's head is too large.")
FULL = Refused(503, "The server has as many connections as it can take.", RETRY_AFTER)
LATE = Refused(408, "The request took too long to arrive.")
EARLY = Refused(400, "Bytes came before the answer to the handshake.")
HARD_LIMIT = 1.1
"""So far above the limit of connections, new ones are cut off without an answer."""


class HttpProtocol(HttpToolsProtocol):
    """One HTTP connection: a head of at most 16 KiB within 10 s, a body within 60 s, a place in the global cap.

    An answer has to be taken, too: what waits for the reader is taken within 60 s, or the connection is cut.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        gateway: Gateway,
    ) -> None:
        super().__init__(config=config, server_state=server_state, app_state=app_state, _loop=_loop)
        settings = gateway.company.services.settings
        self._gateway = gateway
        self._head_timeout = settings.head_timeout
        self._body_timeout = settings.body_timeout
        self._head_bytes = settings.head_bytes
        self._limit = settings.connections_limit
        self._head = 0
        self._in_head = self._in_body = self._hung_up = False
        self._received = 0
        self._refused: Refused | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._reader: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        open_now = len(self.connections) + len(self._gateway.company.open)
        if open_now > self._limit:
            self._refused = FULL
            if open_now > self._limit * HARD_LIMIT:
                self._count_refusal("none")
                transport.abort()
                return
        self._arm(self._head_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._wait_no_longer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._hung_up:
            return
        body_goes_on = self._in_body
        self._received = len(data)
        super().data_received(data)
        if not self._in_head:
            self._head = 0
        elif not body_goes_on:
            self._head += len(data)
            if self._head > self._head_bytes:
                self.send_400_response(self._refuse(TOO_LARGE))

    # --- the parser's callbacks ----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        if not self.transport.get_write_buffer_size():
            self._wait_no_longer()
        if self._deadline is None:
            self._arm(self._head_timeout)

    def on_headers_complete(self) -> None:
        self._in_head = False
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self._head_bytes:
            self._refuse(TOO_LARGE)
        if self._refused is not None:
            raise _Refusal
        super().on_headers_complete()
        self._in_body = True
        self._arm(self._body_timeout)

    def on_message_complete(self) -> None:
        self._in_body = False
        self._disarm()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if self._refused is None:
            super().send_400_response(msg)
        elif not self._hung_up and not self.transport.is_closing():
            self._count_refusal(str(self._refused.status))
            self.transport.write(self._refused.response())
            self._hang_up()

    # --- the answer ----------------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait_for_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._wait_no_longer()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._wait_for_reader()

    def _wait_for_reader(self) -> None:
        if self._reader is None:
            self._reader = self.loop.call_later(self._body_timeout, self._cut_off_reader)

    def _wait_no_longer(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def _cut_off_reader(self) -> None:
        self._reader = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()

    # --- the upgrade ---------------------------------------------------------------------------------------------

    def handle_websocket_upgrade(self) -> None:
        self._disarm()
        self._wait_no_longer()
        if self.url.partition(b"?")[0] in self._gateway.paths:
            self._upgrade()
        elif opening(self.url.decode("latin-1"), self.headers) is None:
            self.send_400_response(self._refuse(NO_HANDSHAKE))
        else:
            super().handle_websocket_upgrade()
        # uvicorn breaks this cycle in connection_lost, which a connection that was upgraded never hears.
        self.parser = None  # type: ignore[assignment]

    def _upgrade(self) -> None:
        reached = sys.exc_info()[1]  # uvicorn calls this while it handles the parser's exception
        if isinstance(reached, httptools.HttpParserUpgrade) and reached.args[0] < self._received:
            self.send_400_response(self._refuse(EARLY))
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.send_400_response(self._refuse(EARLY))
            return
        if self.scope["method"] != "GET" or self.scope["http_version"] != "1.1":
            self.send_400_response(self._refuse(NO_HANDSHAKE))
            return
        peer = self.client[0] if self.client else ""
        protocol = self._gateway.upgrade(self.transport, self.url.decode("latin-1"), self.headers, peer)
        if isinstance(protocol, Refused):
            self.send_400_response(self._refuse(protocol))
        else:
            self.connections.discard(self)
            self.transport.set_protocol(protocol)

    # --- limits --------------------------------------------------------------------------------------------------

    def _refuse(self, refused: Refused) -> str:
        self._refused = self._refused or refused
        return self._refused.sentence

    def _count_refusal(self, status: str) -> None:
        self._gateway.company.services.metrics.connections_refused.labels(status=status).inc()

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, self._expire)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        if self._in_head and not self._hung_up:
            self.send_400_response(self._refuse(LATE))
        else:
            self.transport.abort()

    def _hang_up(self) -> None:
        """Closing with unread input would be a reset, and could take the answer with it: read on, for a moment."""
        self._hung_up = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self._arm(CUT_OFF)
        else:
            self.transport.close()


class _Refusal(Exception):
    pass
