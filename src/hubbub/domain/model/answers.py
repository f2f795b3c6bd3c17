"""The answers to commands."""

from hubbub.domain.model.base import Absent, Wire
from hubbub.domain.model.rooms import Room


class Position(Wire):
    """The position of the change in the log."""

    topic: str
    seq: int
    """The seq of the event of this change."""


class MaybePosition(Wire):
    """The position of the change in the log; empty if nothing changed."""

    topic: str | Absent = None
    seq: int | Absent = None
    """The seq of the event of this change."""


class RoomPosition(Position):
    """The room as the user sees it now, and the position of the change in its log."""

    room: Room
