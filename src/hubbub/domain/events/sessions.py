"""Events of a user's sessions, for that user alone."""

from hubbub.domain.events.base import PersonalEvent
from hubbub.domain.model import Session


class SessionOpened(PersonalEvent):
    """The user logged in on a device."""

    type = "session.opened"
    session: str
    """The session's id."""
    details: Session


class SessionClosed(PersonalEvent):
    """One of the user's sessions ended. Its connections close with 4503."""

    type = "session.closed"
    session: str
    """The session's id."""
