"""Messages, and their mentions, reactions, revisions and pins."""

from pydantic import Field

from hubbub.domain.model.base import Absent, Timestamp, Wire


class Mentions(Wire):
    """The users a message mentions."""

    users: list[int] = Field(default_factory=list)
    """The ids of members mentioned by name, of the author of the message it replies to and, for `here`, of members who
    were connected."""
    room: bool = False
    """Whether the message mentions all members (`@room`)."""
    here: bool = False
    """Whether the message mentions all members who were connected when it was sent (`@here`)."""


class Forwarded(Wire):
    """The origin of a forwarded message."""

    by: int
    """The id of the original author."""
    name: str
    """The name of the original author: in events as it was then, in pages as it is now."""
    at: Timestamp
    """When the original message was sent."""
    room: int | Absent = None
    """The id of the original room, if that room is public or the same."""
    message: int | Absent = None
    """The seq of the original message in that room."""


class Reaction(Wire):
    """An emoji that users reacted with to a message."""

    emoji: str
    """In its fully qualified form, so that one emoji always has the same text."""
    count: int
    """How many users reacted with this emoji."""
    mine: bool
    """Whether the user who reads this is one of them."""
    users: list[int]
    """The ids of the first twenty users, in the order of their reactions."""


class Message(Wire):
    """A message in a page of history."""

    room: int
    """The room's id."""
    seq: int
    """The position in the room's log; (room, seq) identifies a message."""
    n: int
    """The number of the message in its room, counted from 1 without gaps."""
    at: Timestamp
    """When the message was sent."""
    by: int
    """The author's id."""
    name: str
    """The author's current name; a neutral one if the account was deleted."""
    bot: bool | Absent = None
    """True if the author is a bot of the host application, else left out."""
    key: str
    """The idempotency key the author sent."""
    body: str | None
    """Null if the message was deleted."""
    deleted: bool = False
    """Whether the message was deleted. It keeps its position."""
    edited_at: Timestamp | Absent = None
    """When the message was last edited."""
    reply_to: int | Absent = None
    """The seq of the message this is a reply to."""
    forwarded: Forwarded | Absent = None
    mentions: Mentions | Absent = None
    pinned: bool = False
    """Whether the message is pinned."""
    reactions: list[Reaction] = Field(default_factory=list)
    """In the order in which the emoji were first used."""


class Revision(Wire):
    """An earlier text of an edited message."""

    version: int
    """Counted from 1, the original text."""
    at: Timestamp
    """When this text was sent."""
    body: str


class Pin(Wire):
    """A pinned message."""

    seq: int
    """The seq of the pin's event in the room's log."""
    message: Message
    by: int
    """The id of the user who pinned the message."""
    name: str
    """The name of that user."""
    at: Timestamp
    """When the message was pinned."""
