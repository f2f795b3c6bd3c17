"""What clients see: users, rooms, members, messages, sessions, invites; and the actor behind a command."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

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
    """Values, not records: immutable, strictly typed, blind to fields they do not know. Errors do not quote them."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", use_attribute_docstrings=True, hide_input_in_errors=True
    )


class Wire(BaseModel):
    """The same for what comes from JSON or rows: enums and the like are read from their plain values."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True, hide_input_in_errors=True)


Absent = SkipJsonSchema[None]
"""A field that is left out where it has no value: it is never null on the wire, and the contract says so."""

TIMESTAMP = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
    "examples": ["2026-11-22T13:05:03.123Z"],
}
Timestamp = Annotated[str, WithJsonSchema(TIMESTAMP)]
"""RFC 3339 in UTC, to the millisecond."""


class User(Wire):
    """Somebody, as everybody may know him."""

    id: int
    name: str
    """Unique, also among names that look alike."""
    role: Role
    created_at: Timestamp


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
    """True for the one room everybody is in from the start."""
    created_by: int | Absent = None
    """The creator's id; the lobby has none."""
    created_at: Timestamp
    members: int
    """How many members the room has."""
    joined: bool
    """Whether one is a member."""
    head: int | Absent = None
    """The newest seq of the room's log."""
    floor: int | Absent = None
    """The last seq of the room's log that cannot be had any more, or not by this person; 0 if there is none."""
    read: int | Absent = None
    """The seq up to which one has read."""
    unread: int | Absent = None
    """How many messages came after `read`."""
    role: RoomRole | Absent = None
    """What one is in this room."""


class Member(Wire):
    """Somebody in a room."""

    id: int
    """The person's id."""
    name: str
    role: RoomRole
    """What the person is in this room."""
    joined_at: Timestamp


class Message(Wire):
    """Something that was said, as pages of history give it."""

    room: int
    seq: int
    """The position in the room's log; (room, seq) is what a message is known by."""
    n: int
    """The number of the message in its room, counted from 1 without a gap."""
    at: Timestamp
    by: int
    """The author's id."""
    name: str
    """The author's name at that time."""
    key: str
    """What the author gave to make a retry harmless."""
    body: str


class Session(Wire):
    """One place where somebody is logged in."""

    id: str
    kind: Literal["browser", "token"]
    """`browser` is known by a cookie, `token` by bearer tokens."""
    client: str
    """What the client called itself, such as "Firefox on Linux"; empty if that said nothing."""
    created_at: Timestamp
    last_seen_at: Timestamp
    expires_at: Timestamp
    """When it ends if it is not seen again."""
    current: bool
    """Whether it is the one that asks."""


class Invite(Wire):
    """A way in for others."""

    id: str
    uses: int
    """How often it was used."""
    max_uses: int | None
    """How often it can be used; null for any number."""
    created_by: int
    created_at: Timestamp
    expires_at: Timestamp | None
    """Null for never."""
    token: str | Absent = None
    """In the answer that makes the invite and nowhere else: the store keeps a hash."""
    link: str | Absent = None
    """The address to give away; where `token` is."""


# --- answers ---------------------------------------------------------------------------------------------------------


class Position(Wire):
    """Where in which topic the change stands."""

    topic: str
    seq: int
    """The position of the event that tells of it."""


class MaybePosition(Wire):
    """Where the change stands; empty where nothing moved."""

    topic: str | Absent = None
    seq: int | Absent = None
    """The position of the event that tells of it."""


class RoomPosition(Position):
    """The room as one sees it now, and where in its topic the change stands."""

    room: Room


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
