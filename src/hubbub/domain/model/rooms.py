"""Rooms, members and bans."""

from enum import StrEnum
from typing import Literal, NamedTuple

from hubbub.domain.model.base import Absent, Timestamp, Wire
from hubbub.domain.model.users import Person

LOBBY = 1
"""The id of the lobby. It exists from the start, and every user is a member."""

RoomKind = Literal["public", "private", "direct"]
"""All users may join `public` rooms. Members add users to `private` rooms. The members of `direct`
rooms never change."""

History = Literal["all", "joined"]
"""What new members may read: all messages, or only those sent since they joined."""


class RoomRole(StrEnum):
    """A member's role in a room."""

    OWNER = "owner"
    MODERATOR = "moderator"
    MEMBER = "member"


class Room(Wire):
    """A room as one user sees it. Only members get the fields from `head` on."""

    id: int
    kind: RoomKind
    name: str
    """Empty for a direct room."""
    topic: str | Absent = None
    """The room's topic, a single line."""
    description: str | Absent = None
    """What the room is for; several lines are allowed."""
    history: History = "all"
    """What new members may read: `all` messages, or only those sent since they `joined`."""
    archived: bool = False
    """Whether the room is archived and read-only."""
    members: list[Person] | Absent = None
    """The members of a direct room by id, the user included; other rooms have `member_count` only."""
    lobby: bool
    """True for the room that every user is in."""
    created_by: int | Absent = None
    """The creator's id; the lobby has none."""
    created_at: Timestamp
    member_count: int
    """The number of members."""
    joined: bool
    """Whether the user is a member."""
    head: int | Absent = None
    """The newest seq of the room's log."""
    floor: int | Absent = None
    """The last seq of the room's log that is no longer available, or not to this user; 0 if there
    is none."""
    read_seq: int | Absent = None
    """The seq up to which the user has read."""
    unread_count: int | Absent = None
    """The number of messages of other users after `read_seq`, without deleted ones."""
    mention_count: int | Absent = None
    """The number of those messages that mention the user, `@room` included; counted up to 100."""
    role: RoomRole | Absent = None
    """The user's role in the room."""
    favourite: bool | Absent = None
    """Whether the room is listed first in the user's list."""
    muted: bool | Absent = None
    """Whether only mentions in the room notify the user."""


class Member(Wire):
    """A member of a room."""

    id: int
    """The user's id."""
    name: str
    bot: bool | Absent = None
    """True for a bot of the host application, else left out."""
    role: RoomRole
    """The member's role in the room."""
    joined_at: Timestamp


class Ban(Wire):
    """A user who is banned from a room."""

    user: int
    """The user's id."""
    user_name: str
    """The user's name."""
    by: int
    """The id of the user who set the ban."""
    at: Timestamp
    reason: str | Absent = None


class Membership(NamedTuple):
    """A user's membership of a room, with the facts that permissions depend on."""

    role: RoomRole
    joined_seq: int
    """The seq of the event that made the user a member. The user may not follow earlier events."""
    read_seq: int
    read_n: int
    """How many messages of the room are not unread: those up to `read_seq`, and later ones that the
    user wrote or that are deleted."""
    kind: RoomKind
    history: History
    archived: bool
    members: int
    """How many members the room has."""

    @property
    def sees_from(self) -> int:
        """The smallest seq of a message the user may read."""
        return self.joined_seq if self.history == "joined" else 0
