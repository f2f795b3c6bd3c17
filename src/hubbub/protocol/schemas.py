"""The shapes of the frames around commands and events, for the contract.

Nothing here runs on the way of a message: `wire.py` and the gateways encode faster than models do, and tests hold what
they send against these.
"""

from typing import Literal

from hubbub.domain.errors import Refusal
from hubbub.domain.events import EventPage, NoWay
from hubbub.domain.model import (
    Absent,
    Appearances,
    Frozen,
    MaybePosition,
    Position,
    Presence,
    Room,
    RoomPosition,
    Status,
    User,
    Wire,
)
from hubbub.protocol.session import Hello

__all__ = [
    "CommandRefused",
    "EmptyAnswer",
    "Hello",
    "More",
    "Ok",
    "Ping",
    "Pong",
    "PresenceChanged",
    "Reset",
    "ServerLimits",
    "UserTyping",
    "Welcome",
]


class Ping(Frozen):
    """A sign of life that asks for one."""

    type: Literal["ping"]


class Pong(Wire):
    """The answer to `ping`."""

    type: Literal["pong"]


class ServerLimits(Wire):
    """What this server takes at most."""

    body: int
    """Bytes of UTF-8 in a message's body."""
    characters: int
    """Characters in a message's body."""
    frame: int
    """Bytes in a WebSocket message."""
    page: int
    """Events or messages in a page."""
    name: int
    """Characters in a room's name."""
    key: int
    """Characters in a key."""


class Welcome(Wire):
    """The first frame from the server: who one is, and how things stand."""

    type: Literal["welcome"]
    epoch: str
    """Which history the seqs below belong to: it changes only when a backup was restored."""
    user: User
    rooms: list[Room]
    """The rooms one is in, the lobby first."""
    heads: dict[str, int]
    """The newest seq of every topic one follows, at the moment all of this was read."""
    limits: ServerLimits
    session: str
    """The id of the session this connection lives by."""
    status: Status
    """How one has chosen to appear."""


class More(Wire):
    """There is more of this topic than what was sent after `welcome`: ask with `events.since`."""

    type: Literal["more"]
    topic: str
    head: int
    """The topic's newest seq."""


class Reset(Wire):
    """There is no way from the position in `hello` to the present: load the topic's state anew."""

    type: Literal["reset"]
    topic: str
    head: int | Absent = None
    """The topic's newest seq; without one, the topic is not one's own any more: forget it."""
    floor: int | Absent = None
    """The last seq that cannot be had any more; where `head` is."""


class UserTyping(Wire):
    """Somebody is writing in a room; true for five seconds, unless he says something before."""

    type: Literal["typing"]
    room: int
    user: int
    """The person's id."""
    name: str


class PresenceChanged(Wire):
    """People one looks at appear otherwise from here on."""

    type: Literal["presence"]
    people: list[Presence]
    """Those who do; the others are as they were."""


class EmptyAnswer(Wire):
    """An empty object."""


class Ok(Wire):
    """The answer to a command or a query."""

    re: int
    """The `id` of what is answered."""
    ok: RoomPosition | Position | MaybePosition | EventPage | NoWay | Appearances | EmptyAnswer


class CommandRefused(Wire):
    """The answer to what is refused; the connection goes on."""

    re: int | None
    """The `id` of what is answered; null for a frame that was no command."""
    error: Refusal
