"""What people are told about themselves."""

from hubbub.domain.events.base import PersonalEvent
from hubbub.domain.model import Session, Status


class StatusChanged(PersonalEvent):
    """The person has chosen how to appear."""

    type = "status.changed"
    chosen: Status


class SessionOpened(PersonalEvent):
    """The person has logged in somewhere."""

    type = "session.opened"
    session: Session


class SessionClosed(PersonalEvent):
    """One of the person's sessions has ended; its connections close with 4503."""

    type = "session.closed"
    session: str
    """The session's id."""
