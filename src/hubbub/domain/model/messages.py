"""Messages, and what hangs on them."""

from pydantic import Field

from hubbub.domain.model.base import Absent, Timestamp, Wire


class Mentions(Wire):
    """Whom a message calls."""

    users: list[int] = Field(default_factory=list)
    """The ids of members who were named, and for `here` of those who were connected."""
    room: bool = False
    """Whether it calls everybody in the room."""
    here: bool = False
    """Whether it calls everybody who was there at that moment."""


class Forwarded(Wire):
    """Who said it first."""

    by: int
    """The author's id."""
    name: str
    """The author's name: in events as it was then, in pages as it is now."""
    at: Timestamp
    room: int | Absent = None
    """Where it was said, if that room is public or the same."""
    message: int | Absent = None
    """Its seq there."""


class Reaction(Wire):
    """One emoji at a message."""

    emoji: str
    """Fully qualified, so that the same one is always the same text."""
    count: int
    """How many people used it."""
    mine: bool
    """Whether one of them is one's own."""
    by: list[int]
    """The ids of the first twenty, in the order they reacted."""


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
    """The author's name as it is now; that of somebody who is gone is a neutral one."""
    key: str
    """What the author gave to make a retry harmless."""
    body: str | None
    """Null once it is deleted."""
    deleted: bool = False
    """Whether it was taken back: its place stays."""
    edited_at: Timestamp | Absent = None
    """When it was last edited."""
    reply_to: int | Absent = None
    """The seq of the message it answers."""
    forwarded: Forwarded | Absent = None
    mentions: Mentions | Absent = None
    pinned: bool = False
    """Whether it is kept in view for everybody."""
    reactions: list[Reaction] = Field(default_factory=list)
    """In the order they were first used."""

    def on_the_wire(self) -> dict[str, object]:
        """What is absent is left out; a body that is gone is null."""
        return {**self.model_dump(exclude_none=True), "body": self.body}


class Revision(Wire):
    """What a message said before it was edited."""

    version: int
    """Counted from 1 for the first words."""
    at: Timestamp
    """When that was said."""
    body: str


class Pin(Wire):
    """A message that is kept in view."""

    seq: int
    """The position of the pinning in the room's log."""
    message: Message
    by: int
    """Who pinned it."""
    name: str
    """That person's name."""
    at: Timestamp
    """When it was pinned."""
