"""The event of a read position."""

from hubbub.domain.events.base import PersonalEvent


class ReadMoved(PersonalEvent):
    """The user's read position moved, on any device and in either direction.
    It holds the new state."""

    type = "room.read_moved"
    room: int
    """The room's id."""
    read_seq: int
    """The seq in the room's log up to which the user has read."""
    unread_count: int
    """The number of messages of other users after it, without deleted ones."""
    mention_count: int = 0
    """The number of those messages that mention the user, counted up to 100."""
