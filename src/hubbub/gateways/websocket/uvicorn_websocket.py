"""uvicorn's WebSocket protocol with limits, and its transport on offer.

Through `scope["extensions"]["hubbub.transport"]` prebuilt frames reach the transport without a
task, a queue and a dict per delivery. Everything else goes through ASGI.
"""

import asyncio
from typing import Any

from starlette.websockets import WebSocketDisconnect
from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from hubbub.gateways.websocket.outbox import CUT_OFF
from hubbub.gateways.websocket.starlette_sockets import ABNORMAL, EXTENSION, NEVER, NOW, RESTART, FramedWebSocket
from hubbub.protocol import close_codes

MAX_MESSAGE = 65_536
MAX_FRAGMENTS = 64
TURN = 8_192


class AsgiWebSocketProtocol(WebSocketsSansIOProtocol):
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
