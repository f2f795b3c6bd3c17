"""What clients see: users, rooms, members, messages, sessions, invites; and the actor behind a command."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

LOBBY = 1
"""The room that exists from the start; every new account is its member."""


class Role(StrEnum):
    """What somebody is on this site."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    GUEST = "guest"


class RoomRole(StrEnum):
    """What somebody is in one room."""

    OWNER = "owner"
    MODERATOR = "moderator"
    MEMBER = "member"


class Frozen(BaseModel):
    """Values, not records: immutable, strictly typed, blind to fields they do not know."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Wire(BaseModel):
    """The same for what comes from JSON or rows: enums and the like are read from their plain values."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class User(Wire):
    id: int
    name: str
    role: Role
    created_at: str


class Me(User):
    """One's own profile, with the tutorial's two fields."""

    username: str
    message: str


class Room(Wire):
    """A room as one person sees it; the fields from `head` on are there for members only."""

    id: int
    kind: Literal["public", "private", "direct"]
    name: str
    lobby: bool
    created_by: int | None = None
    created_at: str
    members: int
    joined: bool
    head: int | None = None
    floor: int | None = None
    read: int | None = None
    unread: int | None = None
    role: RoomRole | None = None


class Member(Wire):
    id: int
    name: str
    role: RoomRole
    joined_at: str


class Message(Wire):
    """`n` counts the messages of the room without a gap; `seq` is the position in its log."""

    room: int
    seq: int
    n: int
    at: str
    by: int
    name: str
    key: str
    body: str


class Session(Wire):
    id: str
    kind: Literal["browser", "token"]
    client: str
    created_at: str
    last_seen_at: str
    expires_at: str
    current: bool


class Invite(Wire):
    """`token` and `link` are known only to the answer that creates the invite; the store keeps a hash."""

    id: str
    uses: int
    max_uses: int | None
    created_by: int
    created_at: str
    expires_at: str | None
    token: str | None = None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. `session` is None for the command line and the server itself; those are `system`."""

    id: int
    name: str
    role: Role
    session: str | None = None
    system: bool = False


SYSTEM = Actor(id=0, name="hubbub", role=Role.OWNER, system=True)
ANYBODY = Actor(id=0, name="", role=Role.GUEST)


def room_topic(room: int) -> str:
    return f"room:{room}"


def user_topic(user: int) -> str:
    return f"user:{user}"


SITE = "site"
SECURITY = "security"
