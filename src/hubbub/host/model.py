"""What the methods for the host application take and return. All of it is immutable."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from hubbub.domain.identities import Identity
from hubbub.domain.model import History, Role, RoomKind


@dataclass(frozen=True, slots=True)
class User:
    """An account, as it was when it was read."""

    id: int
    name: str
    """Unique, also among names that look alike. It may differ from the name that the host wanted."""
    role: Role
    bot: bool
    disabled: bool
    """Whether the account can't be used. A deleted one is disabled, too."""
    deleted: bool
    issuer: str | None
    """The issuer and the subject by which the host application knows the user; None for one of
    Hubbub's own accounts."""
    subject: str | None


@dataclass(frozen=True, slots=True)
class Room:
    """A room, as it was when it was read."""

    id: int
    key: str | None
    """The host application's key, None for a room that was created in the chat."""
    kind: RoomKind
    name: str
    topic: str
    description: str
    history: History
    archived: bool
    member_count: int
    """The number of members, bots included."""


UserRef = User | Identity | tuple[str, str] | int
"""A user: a `User`, an (issuer, subject), an id, or an `Identity`, which is provisioned if need be."""
RoomRef = Room | str | int
"""A room: a `Room`, the host application's key, or an id."""


class Posted(NamedTuple):
    """A message that is on disk. Both numbers together identify it."""

    room: int
    """The room's id."""
    seq: int
    """Its position in the room's log."""


@dataclass(frozen=True, slots=True)
class RoomUnread:
    """What a user has not read in one room."""

    messages: int
    mentions: int
    """The number of these messages that mention the user, counted up to 100."""
    muted: bool


@dataclass(frozen=True, slots=True)
class Unread:
    """What a user has not read."""

    messages: int
    """In all rooms; in muted ones only mentions count. The web client shows the same in its title."""
    mentions: int
    rooms: Mapping[int, RoomUnread]
    """The rooms with unread messages, by id."""


class Position(NamedTuple):
    """A position in a topic's log. Store both fields."""

    epoch: str
    """Identifies the history. Another one begins when the database goes back in time."""
    seq: int


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of a log. (topic, seq) identifies it."""

    topic: str
    """`room:ID`, `user:ID` or `site`."""
    position: Position
    data: Mapping[str, Any]
    """The event as clients get it: see the events in docs/protocol.md."""

    @property
    def seq(self) -> int:
        return self.position.seq

    @property
    def type(self) -> str:
        return str(self.data["type"])

    @property
    def at(self) -> datetime:
        """When it happened, in UTC. Only `seq` orders events."""
        return datetime.fromisoformat(self.data["at"])

    @property
    def room(self) -> int | None:
        """The id of the room whose log has the event, None in other logs."""
        kind, _, number = self.topic.partition(":")
        return int(number) if kind == "room" else None
