"""What the authors of commands are told."""

from hubbub.domain.model.base import Absent, Wire
from hubbub.domain.model.rooms import Room


class Position(Wire):
    """Where in which topic the change stands."""

    topic: str
    seq: int
    """The position of the event that tells of it."""


class MaybePosition(Wire):
    """Where the change stands; empty where nothing moved."""

    topic: str | Absent = None
    seq: int | Absent = None
    """The position of the event that tells of it."""


class RoomPosition(Position):
    """The room as one sees it now, and where in its topic the change stands."""

    room: Room
