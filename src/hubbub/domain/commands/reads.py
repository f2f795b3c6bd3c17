"""Read positions: how far somebody has read."""

from typing import Annotated, Literal

from pydantic import FailFast, Field

from hubbub.domain.commands.base import Command, Id, MessageSeq, Seq
from hubbub.domain.model import Actor, Frozen, MaybePosition, room_topic, user_topic
from hubbub.domain.text import MAX_READ_ROOMS


class ReadRoom(Command):
    """Moves one's read position forward."""

    answer = MaybePosition
    type: Literal["room.read"] = "room.read"
    room: Id
    seq: Seq
    """Up to which seq of the room's log one has read; not above its head."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(actor.id))


class UnreadRoom(Command):
    """Moves one's read position back to just before a message."""

    answer = MaybePosition
    type: Literal["room.unread"] = "room.unread"
    room: Id
    message: MessageSeq
    """The seq of the first message that is to be unread."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(actor.id))


class RoomRead(Frozen):
    """How far one has read in one of several rooms."""

    room: Id
    seq: Seq
    """Up to which seq of the room's log; not above its head."""


class ReadRooms(Command):
    """Moves several read positions forward; a room one is not in is passed over."""

    answer = MaybePosition
    type: Literal["rooms.read"] = "rooms.read"
    rooms: Annotated[tuple[RoomRead, ...], FailFast(), Field(min_length=1, max_length=MAX_READ_ROOMS, strict=False)]
    """At most 500."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(actor.id), *(room_topic(each.room) for each in self.rooms))

    def size(self) -> int:
        return 256 + 64 * len(self.rooms)
