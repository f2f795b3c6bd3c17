"""The native gateway's connections.

They are WebSockets on uvicorn's transport without ASGI, each one small protocol object.

The sans-I/O layer of `websockets` parses frames and keeps the closing handshake. Limits it lacks
are enforced here: on fragments, on control frames, and on the work done for one connection before
others get their turn.
"""

import asyncio
import math

import structlog
from websockets.frames import Frame, Opcode
from websockets.protocol import SEND_EOF, State
from websockets.server import ServerProtocol

from hubbub.engine import reconnects
from hubbub.gateways.websocket.admission import Slot
from hubbub.gateways.websocket.connection import Conversation, Silenced
from hubbub.gateways.websocket.connection_set import ConnectionSet
from hubbub.gateways.websocket.frames import PING
from hubbub.gateways.websocket.outbox import FAREWELL, FramedConnection
from hubbub.protocol import close_codes

PING_EVERY = 25.0
DROP_AFTER = 35.0
MAX_FRAGMENTS = 64
MAX_CONTROL_FRAMES = 100
"""Control frames accepted between two pings of the server.

A peer that sends more is flooding.
"""
TURN = 8_192
"""Bytes parsed for one connection before the event loop runs others.

Tiny frames cost much time for their size.
"""
logger = structlog.get_logger(__name__)


class NativeConnection(FramedConnection, asyncio.Protocol):
    """One WebSocket.

    Passes whole text messages to its conversation; the fanout writes prebuilt frames to it.
    """

    __slots__ = (
        "_authenticated", "_code", "_connections", "_controls", "_conversation", "_deadline", "_fragments", "_heard",
        "_machine", "_ping_at", "_rest", "_slot", "address", "spoke",
    )  # fmt: skip

    def __init__(
        self,
        connections: "ConnectionSet[NativeConnection]",
        transport: asyncio.Transport,
        machine: ServerProtocol,
        slot: Slot,
        address: str,
    ) -> None:
        self._connections = connections
        self._authenticated = False
        super().__init__(transport, connections.services.settings.outbox_bytes)
        self._machine = machine
        self._slot: Slot | None = slot
        self.address = address
        self._code: int | None = None
        self._controls = 0
        self._fragments: list[bytes] | None = None
        self._rest = b""
        self.spoke = -1
        now = connections.services.clock.monotonic()
        self._heard = now
        self._ping_at = now + PING_EVERY
        self._deadline = now + connections.hello_timeout
        connections.add(self)
        connections.wheel.put(self, min(self._deadline, self._ping_at) - now)
        self._conversation: Conversation

    def open(self, conversation: Conversation) -> None:
        """Start the conversation, which drives the connection from now on.

        The handshake is done.
        """
        self._conversation = conversation
        conversation.opened()

    @property
    def authenticated(self) -> bool:
        """Set by the conversation after log-in. An authenticated connection holds no slot."""
        return self._authenticated

    @authenticated.setter
    def authenticated(self, value: bool) -> None:
        if value and not self._authenticated:
            self._release_slot()
        self._authenticated = value or self._authenticated

    # --- input ---------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._heard = self._connections.wheel.now
        if self._rest:
            self._rest += data
        elif len(data) <= TURN:
            self._parse(data)
        else:
            self._transport.pause_reading()
            self._rest = data
            self._next_turn()

    def _next_turn(self) -> None:
        data = self._rest[:TURN]
        self._rest = self._rest[TURN:]
        self._parse(data)
        if self._rest:
            asyncio.get_running_loop().call_soon(self._next_turn)
        elif not self._transport.is_closing():
            self._transport.resume_reading()

    def _parse(self, data: bytes) -> None:
        machine = self._machine
        machine.receive_data(data)
        frames = machine.events_received()
        if len(frames) > 1 and machine.state is State.OPEN:
            self._flush()  # a pong precedes the response to a message that was completed after the ping
        for frame in frames:
            if isinstance(frame, Frame):
                self._frame(frame)
        self._flush()

    def _frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT:
            if frame.fin:
                self._message(bytes(frame.data))
            else:
                self._fragments = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT:
            self._continue(frame)
        elif frame.opcode is Opcode.BINARY:
            self._fail(close_codes.UNSUPPORTED, "text only")
        elif frame.opcode is Opcode.CLOSE:
            if self._code is None and self._machine.close_rcvd is not None:
                self._code = int(self._machine.close_rcvd.code)
        else:
            self._controls += 1
            if self._controls > MAX_CONTROL_FRAMES:
                self._fail(1008, "too many control frames")

    def _continue(self, frame: Frame) -> None:
        if self._fragments is None:
            return  # the rest of a message that has already failed
        self._fragments.append(bytes(frame.data))
        if len(self._fragments) > MAX_FRAGMENTS:
            self._fail(close_codes.TOO_BIG, "too many fragments")
        elif frame.fin:
            fragments, self._fragments = self._fragments, None
            self._message(b"".join(fragments))

    def _message(self, payload: bytes) -> None:
        if self._ending:
            return
        if not self._authenticated:
            self._deadline = math.inf  # the deadline is for the arrival of `hello`; the conversation verifies it
            if self._slot is not None:
                self._connections.admission.set_busy(self._slot)
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            self._fail(1007, "not UTF-8")
            return
        try:
            self._conversation.received(text)
        except Exception:
            logger.exception("conversation_failed", address=self.address)
            self.close(close_codes.INTERNAL)

    def eof_received(self) -> bool:
        self.forget()
        self._end_within(FAREWELL)
        return False  # closes the transport once its buffer is empty

    def connection_lost(self, _exc: Exception | None) -> None:
        connections = self._connections
        self.forget()
        self._rest = b""
        connections.wheel.remove(self)
        connections.discard(self)
        self._release_slot()
        connections.services.metrics.disconnected(self._code)
        conversation = self._conversation
        del self._conversation  # it refers to this connection: break the cycle, so that the collector need not
        conversation.lost()

    # --- the end -------------------------------------------------------------------------------------------------

    def silence(self) -> None:
        """Ignore the client's messages from now on, because the server stops."""
        self._conversation = Silenced(self._conversation)

    def abort(self, code: int, reason: str = "") -> None:
        self._code = self._code or code
        super().abort(code, reason)

    def cut(self) -> None:
        """Abort the transport without a Close frame."""
        self.forget()
        self._transport.abort()

    def evict(self) -> None:
        """End the connection for a newcomer.

        Tells the client to reconnect, if it reads and was not rejected.
        """
        self._slot = None
        self._connections.services.metrics.connections_evicted.labels(kind="websocket").inc()
        if self._ending or self._paused:
            self.cut()
            return
        self._transport.write(self._close_frame(close_codes.GOING_AWAY, close_codes.come_back(reconnects.delay())))
        self.forget()
        self._transport.close()  # at once: the newcomer has its slot

    def _release_slot(self) -> None:
        slot, self._slot = self._slot, None
        if slot is not None:
            self._connections.admission.release(slot)

    def _fail(self, code: int, reason: str) -> None:
        """Fail the WebSocket connection (RFC 6455, section 7.1.7).

        Later input is discarded.
        """
        if not self._ending:
            self._code = code
            self._machine.fail(code, reason)
            self._fragments = None
            self._flush()

    def _flush(self) -> None:
        """Write the state machine's output: pongs, and the Close of either side."""
        output = self._machine.data_to_send()
        if not output:
            return
        over = output[-1] == SEND_EOF
        if over:
            self._ending, self._ready, self._outbox = True, False, None
        if not self._paused:  # a peer that does not read needs no pongs
            self._transport.write(b"".join(output))
        if over:
            self._half_close()

    def _half_close(self) -> None:
        sent = self._machine.close_sent
        if self._code is None and sent is not None:
            self._code = int(sent.code)
        if self._machine.close_rcvd is not None or not self._transport.can_write_eof():
            self._transport.close()
        elif not self._transport.is_closing():
            # Closing with unread input would reset the connection and could take the Close frame
            # with it.
            self._transport.write_eof()
        self._end_within(FAREWELL)

    def _close_frame(self, code: int, reason: str) -> bytes:
        self._code = self._code or code
        if self._machine.state is not State.OPEN:
            return b""  # the peer's Close came in the same segment and was already answered
        self._machine.send_close(code, reason)
        return b"".join(self._machine.data_to_send())

    def _end_within(self, seconds: float) -> None:
        if self._slot is not None:
            self._connections.admission.set_idle(self._slot)
        self._deadline = self._connections.services.clock.monotonic() + seconds
        self._connections.wheel.put(self, seconds)

    def _slow(self) -> None:
        logger.warning("slow", address=self.address, buffered=self.buffered())

    def visit(self, now: float) -> float | None:
        """Enforce the deadlines and send pings. Called by the wheel."""
        if now >= self._deadline:
            if self._ending:
                self.cut()
                return None
            self.close(close_codes.NOT_AUTHENTICATED, "no hello in time")
            return None
        if now - self._heard >= DROP_AFTER:
            self.cut()
            return None
        if now >= self._ping_at:
            self._ping_at = now + PING_EVERY
            self._controls = 0
            if not self._paused and not self._ending:
                self._transport.write(PING)
        return min(self._deadline, self._ping_at, self._heard + DROP_AFTER) - now
