"""Events of messages. `message` is the seq of an earlier message in its room."""

from hubbub.domain.events.base import RoomEvent
from hubbub.domain.model import Absent, Forwarded, Mentions


class MessageSent(RoomEvent):
    """A message was sent."""

    type = "message.sent"
    by: int
    """The author's id."""
    name: str
    """The author's name."""
    bot: bool | Absent = None
    """True if the author is a bot of the host application, else left out."""
    n: int
    """The number of the message in its room, counted from 1 without gaps."""
    key: str
    """The idempotency key of the command. The author's client finds the message in its queue by it."""
    body: str | None
    """The text, at the moment the event is sent or read. Null if the message was deleted since."""
    reply_to: int | Absent = None
    """The seq of the message this is a reply to."""
    forwarded: Forwarded | Absent = None
    mentions: Mentions | Absent = None
    """The users that the message mentioned when it was sent; left out if there were none."""


class MessageEvent(RoomEvent):
    """An event of an earlier message."""

    message: int
    """The message's seq."""
    by: int
    """The actor's id."""


class MessageEdited(MessageEvent):
    """The author edited the message."""

    type = "message.edited"
    body: str | None
    """The text, at the moment the event is sent or read. Null if the message was deleted since, or if
    not all recipients of the event can read the message: load it instead."""
    mentions: Mentions | Absent = None
    """The users mentioned now."""
    mentioned: Mentions | Absent = None
    """The users mentioned before the edit."""


class MessageDeleted(MessageEvent):
    """The message was deleted, together with its reactions, pin and edit history."""

    type = "message.deleted"
    author: int
    """The author's id."""
    mentioned: Mentions | Absent = None
    """The users the message mentioned."""


class MessagePinned(MessageEvent):
    """The message was pinned."""

    type = "message.pinned"
    name: str
    """The actor's name."""


class MessageUnpinned(MessageEvent):
    """The message was unpinned."""

    type = "message.unpinned"
    name: str
    """The actor's name."""
