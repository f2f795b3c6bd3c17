"""The event of a user's status, for that user alone."""

from hubbub.domain.events.base import PersonalEvent
from hubbub.domain.model import Status


class StatusChanged(PersonalEvent):
    """The user's status changed."""

    type = "status.changed"
    status: Status
