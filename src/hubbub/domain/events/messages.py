"""Events of messages. `message` is the seq of an earlier message in its room."""

from hubbub.domain.events.base import RoomEvent
from hubbub.domain.model import Absent, Forwarded, Mentions


class MessageSent(RoomEvent):
    """A message was sent."""

    type = "message.sent"
    kept = frozenset({"room", "by", "name", "n", "key", "reply_to", "mentions"})
    by: int
    """The author's id."""
    name: str
    """The author's name at that time."""
    n: int
    """The number of the message in its room, counted from 1 without gaps."""
    key: str
    """The idempotency key of the command. The author's client finds the message in its queue by it."""
    body: str | None
    """Null if a later event changed or deleted the text."""
    reply_to: int | Absent = None
    """The seq of the message this is a reply to."""
    forwarded: Forwarded | Absent = None
    mentions: Mentions | Absent = None
    """The mentioned users; left out if there are none."""


class MessageEvent(RoomEvent):
    """An event of an earlier message."""

    message: int
    """The message's seq."""
    by: int
    """The actor's id."""


class MessageEdited(MessageEvent):
    """The author edited the message."""

    type = "message.edited"
    kept = frozenset({"room", "message", "by", "mentions", "mentioned"})
    body: str | None = None
    """The new text. Null if a later event changed or deleted it. Left out in rooms whose new
    members cannot read older messages: load the message instead."""
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
