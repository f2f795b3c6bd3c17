"""Rooms and those who are in them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from hubbub.domain.model.base import Absent, Timestamp, Wire
from hubbub.domain.model.people import Person

LOBBY = 1
"""The room that exists from the start; every new account is its member."""

RoomKind = Literal["public", "private", "direct"]
"""`public` is open to everybody, `private` to whom its members invite, `direct` is between the same few people."""

History = Literal["all", "joined"]
"""What newcomers may read: everything, or what was said since they joined."""


class RoomRole(StrEnum):
    """What somebody is in one room."""

    OWNER = "owner"
    MODERATOR = "moderator"
    MEMBER = "member"


class Room(Wire):
    """A room as one person sees it; the fields from `head` on are there for members only."""

    id: int
    kind: RoomKind
    name: str
    """Empty for a direct room."""
    topic: str | Absent = None
    """What it is about, in a line."""
    description: str | Absent = None
    """What it is for, in more words."""
    history: History = "all"
    """What newcomers may read: `all`, or what was said since they `joined`."""
    archived: bool = False
    """Whether nothing more is said in it."""
    people: list[Person] | Absent = None
    """Of a direct room: whom it is between, oneself included, by id."""
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
    mentions: int | Absent = None
    """How many of those mention one, whole-room mentions included; counted up to 100."""
    role: RoomRole | Absent = None
    """What one is in this room."""
    favourite: bool | Absent = None
    """Whether one has put it first in one's list."""
    muted: bool | Absent = None
    """Whether it calls for one's attention only where one is mentioned."""


class Member(Wire):
    """Somebody in a room."""

    id: int
    """The person's id."""
    name: str
    role: RoomRole
    """What the person is in this room."""
    joined_at: Timestamp


class Ban(Wire):
    """Somebody who may not come into a room."""

    user: int
    """The person's id."""
    name: str
    by: int
    """Who banned the person."""
    at: Timestamp
    reason: str | Absent = None


@dataclass(frozen=True, slots=True)
class Membership:
    """One person in one room, and what the rules want to know of that room."""

    role: RoomRole
    joined_seq: int
    """The seq of the joining: no event before it is the person's to follow."""
    read_seq: int
    read_n: int
    """The number of the last message at or before `read_seq`."""
    kind: RoomKind
    history: History
    archived: bool
    members: int
    """How many members the room has."""

    @property
    def sees_from(self) -> int:
        """No message with a smaller seq is the person's to read."""
        return self.joined_seq if self.history == "joined" else 0
