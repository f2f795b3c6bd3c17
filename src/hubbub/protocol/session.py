"""The WebSocket session, without I/O: text messages in, effects out.

It has no socket, no clock and no database. The table lists all transitions. All other input is a
protocol error: it closes the session before `live`, and gets an error in `live`.

    state      input       → state      effects
    waiting    hello       → greeting   Authenticate
    waiting    other       → closed     Send(error), Close(4501)
    greeting   any         → greeting   kept until the greeting is done, at most MAX_KEPT
    live       command     → live       Execute
    live       events.since→ live       Query
    live       signal      → live       HandleSignal
    live       ping        → live       Send(pong)
    live       hello       → live       Send(error)
    live       malformed   → live       Send(error)

Pings and rejected frames take a token from a bucket (`charge`). The session closes with 1008 when
the bucket is empty.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from hubbub.domain.commands import (
    SIGNAL_TYPES,
    SIGNALS,
    WIRE_COMMANDS,
    Command,
    EventsSince,
    Seq,
    Signal,
    Topic,
)
from hubbub.domain.errors import BadRequest, HubbubError, RateLimited
from hubbub.domain.model import Frozen
from hubbub.domain.text import MAX_HAVE, ShortText, at_most
from hubbub.protocol import close_codes, validation, wire
from hubbub.protocol.ratelimit import Bucket

MAX_KEPT = 64
MAX_KEPT_BYTES = 128 * 1024
"""The most frames that wait until the client has been welcomed, and their bytes in total."""
PATIENCE_RATE = 10.0
PATIENCE_BURST = 100.0
"""Pings and rejected frames per connection: per second on average, and at once."""
PONG = b'{"type":"pong"}'


class Hello(Frozen):
    """The first frame from the client: its credential, and its positions."""

    type: Literal["hello"]
    token: Annotated[str, Field(max_length=4096)] | None = None
    """An access token. Not needed if the handshake had a cookie or a bearer token."""
    epoch: ShortText | None = None
    """The epoch of the seqs in `have`."""
    have: Annotated[dict[Topic, Seq], Field(max_length=MAX_HAVE), at_most(MAX_HAVE)] = Field(default_factory=dict)
    """By topic, the seq up to which the client has all events. Topics that are left out start at
    their head."""


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Authenticate the client and send `welcome`."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class Execute:
    """Hand a command to the journal and answer it under `id`."""

    id: int
    command: Command


@dataclass(frozen=True, slots=True)
class Query:
    """Answer a query under `id`."""

    id: int
    query: EventsSince


@dataclass(frozen=True, slots=True)
class HandleSignal:
    """Handle a signal and answer it under `id`."""

    id: int
    signal: Signal


@dataclass(frozen=True, slots=True)
class Send:
    """Send this text."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection."""

    code: int
    reason: str


Effect = Authenticate | Execute | Query | HandleSignal | Send | Close


class State(Enum):
    WAITING = "waiting"
    GREETING = "greeting"
    LIVE = "live"
    CLOSED = "closed"


class Session:
    """The protocol state of one connection."""

    __slots__ = ("_kept", "_limited", "_patience", "state")

    def __init__(self, *, limited: bool = True) -> None:
        """Without `limited`, pings and rejected frames are not limited."""
        self.state = State.WAITING
        self._kept: list[str | bytes] | None = None
        self._limited = limited
        self._patience: Bucket | None = None

    def receive(self, text: str | bytes, now: float) -> list[Effect]:
        """Handle a complete message from the client.

        `now` is in seconds of a monotonic clock.
        """
        if self.state is State.LIVE:
            return self._live(text, now)
        if self.state is State.WAITING:
            return self._hello(text)
        if self.state is State.GREETING:
            return self._keep(text)
        return []

    def welcomed(self, now: float) -> list[Effect]:
        """Note that the greeting is done, and handle the frames that came meanwhile."""
        if self.state is not State.GREETING:
            return []  # the session was closed meanwhile
        self.state = State.LIVE
        kept, self._kept = self._kept, None
        return [effect for text in kept or () for effect in self.receive(text, now)]

    def charge(self, now: float, answer: list[Effect]) -> list[Effect]:
        """Count a ping or a rejected frame.

        Return `answer`, or a close if there are too many.
        """
        if not self._limited:
            return answer
        if self._patience is None:
            self._patience = Bucket(PATIENCE_RATE, PATIENCE_BURST, now)
        if not self._patience.take(now):
            return answer
        return self.end(close_codes.POLICY, RateLimited("Too many pings or rejected frames."))

    def refused(self, error: HubbubError) -> list[Effect]:
        """Close after a failed greeting.

        For retryable errors the code tells the client to reconnect.
        """
        if not error.retryable:
            return self.end(close_codes.NOT_AUTHENTICATED, error)
        self.state = State.CLOSED
        return [
            Send(wire.error(None, error)),
            Close(close_codes.GOING_AWAY, close_codes.come_back(error.retry_after or 1.0)),
        ]

    def end(self, code: int, error: HubbubError) -> list[Effect]:
        """Send the error and close the session."""
        self.state = State.CLOSED
        return [Send(wire.error(None, error)), Close(code, error.message)]

    def _hello(self, text: str | bytes) -> list[Effect]:
        try:
            hello = Hello.model_validate(wire.parse(text))
        except ValidationError as error:
            return self.end(close_codes.NOT_AUTHENTICATED, validation.refuse(error))
        except HubbubError as error:
            return self.end(close_codes.NOT_AUTHENTICATED, error)
        self.state = State.GREETING
        return [Authenticate(hello)]

    def _keep(self, text: str | bytes) -> list[Effect]:
        if self._kept is None:
            self._kept = []
        if len(self._kept) >= MAX_KEPT or sum(map(len, self._kept)) + len(text) > MAX_KEPT_BYTES:
            return self.end(close_codes.NOT_AUTHENTICATED, BadRequest("Wait for welcome before you send more frames."))
        self._kept.append(text)
        return []

    def _live(self, text: str | bytes, now: float) -> list[Effect]:
        try:
            frame = wire.parse(text)
        except HubbubError as error:
            return self.charge(now, [Send(wire.error(wire.spot_id(text), error))])
        id_: int | None = None
        try:
            if frame.get("type") == "ping":
                return self.charge(now, self._ping(frame))
            id_ = _id(frame)
            if frame.get("type") == "events.since":
                return [Query(id_, EventsSince.model_validate(frame))]
            if frame.get("type") == "hello":
                raise BadRequest("hello can only be sent once, as the first frame.")
            if frame.get("type") in SIGNAL_TYPES:
                return [HandleSignal(id_, SIGNALS.validate_python(frame))]
            return [Execute(id_, WIRE_COMMANDS.validate_python(frame))]
        except ValidationError as error:
            return self.charge(now, [Send(wire.error(id_, validation.refuse(error)))])
        except HubbubError as error:
            return self.charge(now, [Send(wire.error(id_, error))])

    def _ping(self, frame: dict[str, Any]) -> list[Effect]:
        if "id" not in frame:
            return [Send(PONG)]
        return [Send(PONG), Send(wire.ok(_id(frame), {}))]


def _id(frame: dict[str, Any]) -> int:
    id_ = frame.get("id")
    if type(id_) is not int or abs(id_) >= 2**63:
        raise BadRequest("id: must be a whole number.")
    return id_
