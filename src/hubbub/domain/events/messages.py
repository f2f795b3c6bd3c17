"""What happens to messages. An earlier message is named by `message`, its seq in the room."""

from hubbub.domain.events.base import RoomEvent
from hubbub.domain.model import Absent, Forwarded, Mentions


class MessageSent(RoomEvent):
    """Somebody said something."""

    type = "message.sent"
    by: int
    """The author's id."""
    name: str
    """The author's name at that time."""
    n: int
    """The number of the message in its room, counted from 1 without a gap."""
    key: str
    """What the author gave to make a retry harmless: whoever has it in his outbox knows his own message by it."""
    body: str | None
    """Null where a later event has taken the text away."""
    reply_to: int | Absent = None
    """The seq of the message it answers."""
    forwarded: Forwarded | Absent = None
    mentions: Mentions | Absent = None
    """Whom it calls; left out where it calls nobody."""


class MessageEvent(RoomEvent):
    """Something happened to an earlier message."""

    message: int
    """The message's seq."""
    by: int
    """Who did it."""


class MessageEdited(MessageEvent):
    """The author says it otherwise."""

    type = "message.edited"
    body: str | None = None
    """Null where a later event has taken the text away. Left out in rooms that newcomers do not read back in: ask for
    the message."""
    mentions: Mentions | Absent = None
    """Whom it calls now."""
    mentioned: Mentions | Absent = None
    """Whom it called before."""


class MessageDeleted(MessageEvent):
    """The message is taken back; what hung on it is gone with it."""

    type = "message.deleted"
    author: int
    """Who had said it."""
    mentioned: Mentions | Absent = None
    """Whom it called."""


class MessagePinned(MessageEvent):
    """Kept in view from here on."""

    type = "message.pinned"
    name: str
    """The name of who did it."""


class MessageUnpinned(MessageEvent):
    """No longer kept in view."""

    type = "message.unpinned"
    name: str
    """The name of who did it."""
