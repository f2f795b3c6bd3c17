"""Commands for read positions: mark rooms as read or unread."""

from typing import Annotated, Literal

from pydantic import FailFast, Field

from hubbub.domain.commands.base import Command, Id, MessageSeq, Seq
from hubbub.domain.model import Actor, Frozen, MaybePosition, room_topic, user_topic
from hubbub.domain.text import MAX_READ_ROOMS


class ReadRoom(Command):
    """Mark a room as read up to a seq. The read position only moves forward."""

    answer = MaybePosition
    rest = ("POST", "/api/rooms/{room}/read")
    type: Literal["room.read"] = "room.read"
    room: Id
    seq: Seq = Field(examples=[1])
    """The seq in the room's log up to which the user has read; not above its head."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(actor.id))


class UnreadRoom(Command):
    """Mark a message and all later ones as unread."""

    answer = MaybePosition
    rest = ("POST", "/api/rooms/{room}/unread")
    type: Literal["room.unread"] = "room.unread"
    room: Id
    message: MessageSeq = Field(examples=[2])
    """The seq of the first unread message."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(actor.id))


class RoomRead(Frozen):
    """A read position in one of several rooms."""

    room: Id
    seq: Seq
    """The seq in the room's log up to which the user has read; not above its head."""


class ReadRooms(Command):
    """Mark several rooms as read. Rooms the user is not a member of are skipped."""

    answer = MaybePosition
    rest = ("POST", "/api/rooms/read")
    errors = ()
    type: Literal["rooms.read"] = "rooms.read"
    rooms: Annotated[tuple[RoomRead, ...], FailFast(), Field(min_length=1, max_length=MAX_READ_ROOMS, strict=False)]
    """At most 500."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(actor.id), *(room_topic(each.room) for each in self.rooms))

    def size(self) -> int:
        return 256 + 64 * len(self.rooms)
