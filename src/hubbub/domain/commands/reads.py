"""Commands for read positions: mark rooms as read or unread."""

from typing import Annotated, Literal

from pydantic import FailFast, Field

from hubbub.domain.commands.base import Command, Id, MessageSeq, Requires, Seq
from hubbub.domain.commands.examples import Example, Given
from hubbub.domain.model import Actor, Frozen, MaybePosition, room_topic, user_topic
from hubbub.domain.text import MAX_READ_ROOMS


class ReadRoom(Command[MaybePosition]):
    """Mark a room as read up to a seq. The read position only moves forward."""

    rest = ("POST", "/api/rooms/{room}/read")
    requires = (Requires.OPEN_ACCOUNT, Requires.MEMBER)
    type: Literal["room.read"] = "room.read"
    room: Id
    seq: Seq
    """The seq in the room's log up to which the user has read; not above its head."""
    example = Example()

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(actor.id))


class UnreadRoom(Command[MaybePosition]):
    """Mark a message and all later ones as unread."""

    rest = ("POST", "/api/rooms/{room}/unread")
    requires = (Requires.OPEN_ACCOUNT, Requires.MESSAGE)
    type: Literal["room.unread"] = "room.unread"
    room: Id
    message: MessageSeq
    """The seq of the first unread message."""
    example = Example()

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(actor.id))


class RoomRead(Frozen):
    """A read position in one of several rooms."""

    room: Id
    seq: Seq
    """The seq in the room's log up to which the user has read; not above its head."""


class ReadRooms(Command[MaybePosition]):
    """Mark several rooms as read. Rooms the user is not a member of are skipped."""

    rest = ("POST", "/api/reads")
    errors = ()
    type: Literal["rooms.read"] = "rooms.read"
    rooms: Annotated[tuple[RoomRead, ...], FailFast(), Field(min_length=1, max_length=MAX_READ_ROOMS, strict=False)]
    """At most 500."""
    example = Example({"rooms": ({"room": Given.ROOM, "seq": Given.SEQ},)})

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(actor.id), *(room_topic(each.room) for each in self.rooms))

    def size(self) -> int:
        return 256 + 64 * len(self.rooms)
