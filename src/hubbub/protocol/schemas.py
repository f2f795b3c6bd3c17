"""The frames around commands and events, as models for the contract.

The server does not use these models to send frames: `wire.py` and the gateways encode faster. Tests
validate the frames they send against these models.
"""

from typing import Literal

from hubbub.domain.errors import Refusal
from hubbub.domain.events import EventPage, NoWay
from hubbub.domain.model import (
    Absent,
    Frozen,
    MaybePosition,
    Position,
    Presence,
    Presences,
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
    """Ask the server for a `pong`, to check the connection."""

    type: Literal["ping"]


class Pong(Wire):
    """The answer to `ping`."""

    type: Literal["pong"]


class ServerLimits(Wire):
    """The limits of this server."""

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
    """The first frame from the server: the user, their rooms and followed topics."""

    type: Literal["welcome"]
    epoch: str
    """The history that the seqs belong to. It changes when the database goes back in time."""
    user: User
    rooms: list[Room]
    """The rooms the user is a member of, the lobby first."""
    heads: dict[str, int]
    """The newest seq of every topic the connection follows, read together with the rest."""
    limits: ServerLimits
    session: str
    """The id of the connection's session."""
    status: Status
    """The status the user has set."""


class More(Wire):
    """The topic has more missed events than were sent: use `events.since`."""

    type: Literal["more"]
    topic: str
    head: int
    """The topic's newest seq."""


class Reset(Wire):
    """The events after the client's position are not available: reload the topic."""

    type: Literal["reset"]
    topic: str
    head: int | Absent = None
    """The topic's newest seq. Left out if the user may no longer follow the topic: drop its state."""
    floor: int | Absent = None
    """The last seq that is no longer available; present together with `head`."""


class UserTyping(Wire):
    """A user is typing in a room.
    It expires after five seconds, or when they send a message."""

    type: Literal["typing"]
    room: int
    by: int
    """The id of the user who is typing."""
    name: str
    """Their name."""


class PresenceChanged(Wire):
    """The presence of watched users changed."""

    type: Literal["presence"]
    presences: list[Presence]
    """The users whose presence changed."""


class EmptyAnswer(Wire):
    """An empty object."""


class Ok(Wire):
    """The answer to a command or a query."""

    re: int
    """The `id` of the command or query."""
    ok: RoomPosition | Position | MaybePosition | EventPage | NoWay | Presences | EmptyAnswer


class CommandRefused(Wire):
    """The answer to a rejected frame. The connection stays open."""

    re: int | None
    """The `id` of the command or query; null for a frame without a valid one."""
    error: Refusal
