"""How far a person has read."""

from hubbub.domain.events.base import PersonalEvent


class ReadMoved(PersonalEvent):
    """The person has read on, on whatever device, or has marked something as unread; it says how it is now."""

    type = "read.moved"
    room: int
    """The room's id."""
    read: int
    """The seq in the room's log up to which the person has read."""
    unread: int
    """How many messages came after it."""
    mentions: int = 0
    """How many of those mention the person; counted up to 100."""
