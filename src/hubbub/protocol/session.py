"""The WebSocket session, sans-I/O: text messages in, effects out. It knows no socket, no clock and no database.

The table below is its constitution: in each state, what may come, and what it becomes. What is not there is a
protocol error: before `live` it ends the session, in `live` it is answered and the session goes on.

    state      input       → state      effects
    waiting    hello       → greeting   Greet
    waiting    other       → closed     Say(error), End(4501)
    greeting   any         → greeting   kept until the greeting is done, at most MAX_KEPT
    live       command     → live       Run
    live       events.since→ live       Ask
    live       signal      → live       Sign
    live       ping        → live       Say(pong)
    live       hello       → live       Say(error)
    live       nonsense    → live       Say(error)

What is refused, and what is asked without need, costs a little of a patience that grows back: `overstep` says how much
there is. A client that uses it up is ended with 1008.
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
"""What a client says before it was welcomed waits: so many frames, of so many bytes in all."""
PATIENCE_RATE = 10.0
PATIENCE_BURST = 100.0
"""Pings, and frames that are refused, for one connection: so many a second in the long run, so many at once."""
PONG = b'{"type":"pong"}'


class Hello(Frozen):
    """The first frame: who it is, and what it has."""

    type: Literal["hello"]
    token: Annotated[str, Field(max_length=4096)] | None = None
    """An access token; a cookie or a bearer token of the handshake may take its place."""
    epoch: ShortText | None = None
    """The epoch of the seqs in `have`."""
    have: Annotated[dict[Topic, Seq], Field(max_length=MAX_HAVE), at_most(MAX_HAVE)] = Field(default_factory=dict)
    """By topic, the seq up to which one has everything; a topic that is not named starts at its head."""


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Find out who it is and send `welcome`."""

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
    """Do what a signal says, and answer it under `id`."""

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
    """One connection's conversation with the server."""

    __slots__ = ("_kept", "_limited", "_patience", "state")

    def __init__(self, *, limited: bool = True) -> None:
        """Without `limited`, patience has no end."""
        self.state = State.WAITING
        self._kept: list[str | bytes] | None = None
        self._limited = limited
        self._patience: Bucket | None = None

    def receive(self, text: str | bytes, now: float) -> list[Effect]:
        """One complete text message from the client; `now` is in seconds of a clock that never goes back."""
        if self.state is State.LIVE:
            return self._live(text, now)
        if self.state is State.WAITING:
            return self._hello(text)
        if self.state is State.GREETING:
            return self._keep(text)
        return []

    def welcomed(self, now: float) -> list[Effect]:
        """The greeting is done: what came meanwhile is taken up."""
        if self.state is not State.GREETING:
            return []  # it was ended meanwhile
        self.state = State.LIVE
        kept, self._kept = self._kept, None
        return [effect for text in kept or () for effect in self.receive(text, now)]

    def charge(self, now: float, answer: list[Effect]) -> list[Effect]:
        """The client asked for nothing, or for too much: `answer`, or the end when it does so too often."""
        if not self._limited:
            return answer
        if self._patience is None:
            self._patience = Bucket(PATIENCE_RATE, PATIENCE_BURST, now)
        if not self._patience.take(now):
            return answer
        return self.end(close_codes.POLICY, RateLimited("Too many frames that were refused, or pings."))

    def refused(self, error: HubbubError) -> list[Effect]:
        """The greeting failed. What can be tried again closes with a code that says so."""
        if not error.retryable:
            return self.end(close_codes.NOT_AUTHENTICATED, error)
        self.state = State.CLOSED
        return [
            Send(wire.error(None, error)),
            Close(close_codes.GOING_AWAY, close_codes.come_back(error.retry_after or 1.0)),
        ]

    def end(self, code: int, error: HubbubError) -> list[Effect]:
        """Ends the session from this side, with a last word."""
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
            return self.end(close_codes.NOT_AUTHENTICATED, BadRequest("Wait for welcome before sending more."))
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
                raise BadRequest("hello comes once, as the first frame.")
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
        raise BadRequest("id: a whole number is required.")
    return id_
