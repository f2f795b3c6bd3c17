"""Messages: say something, say it otherwise, take it back, keep it in view; and pages of what was said."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hubbub.domain.commands.base import Command, Id, MessageSeq, Seq
from hubbub.domain.model import Actor, Frozen, MaybePosition, Position, room_topic
from hubbub.domain.text import DEFAULT_PAGE, MAX_PAGE, Body, Key


class TextCommand(Command):
    """Something that is said in a room."""

    online: ClassVar[tuple[int, ...]] = ()
    """The ids of those who are connected, where the words may call them: the engine's to say, and no field, so that
    nothing a client sends becomes one."""

    def note_online(self, here: Iterable[int]) -> None:
        """Notes who is there, before the command is queued."""
        vars(self)["here"] = tuple(here)


class SendMessage(TextCommand):
    """Says something in a room. The same key and words get the first answer again, whatever has happened since."""

    answer = Position
    posts = True
    type: Literal["message.send"] = "message.send"
    room: Id
    key: Key
    """1 to 64 printable ASCII characters, unique among one's messages in the room, for ever."""
    body: Body
    """At most 8,000 characters and 16 KiB of UTF-8, and not blank."""
    reply_to: MessageSeq | None = None
    """The seq of the message in the same room that this one answers."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room),)

    def size(self) -> int:
        return 256 + len(self.body)


class ForwardMessage(Command):
    """Says in `room` what somebody said in another room that one is in; the copy is one's own message."""

    answer = Position
    posts = True
    type: Literal["message.forward"] = "message.forward"
    room: Id
    """Where to."""
    key: Key
    """As in `message.send`, and unique together with those."""
    from_room: Id
    """Where it was said."""
    message: MessageSeq
    """Its seq there."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), room_topic(self.from_room))


class MessageCommand(Command):
    """Something done to one message."""

    answer = MaybePosition
    room: Id
    message: MessageSeq
    """The message's seq."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room),)


class EditMessage(MessageCommand, TextCommand):
    """Says otherwise what one has said. The same words again change nothing."""

    posts = True
    type: Literal["message.edit"] = "message.edit"
    body: Body

    def size(self) -> int:
        return 256 + len(self.body)


class DeleteMessage(MessageCommand):
    """Takes a message back: one's own, or, for those who moderate the room, anybody's. Twice is fine."""

    type: Literal["message.delete"] = "message.delete"


class PinMessage(MessageCommand):
    """Keeps a message in view for everybody. Twice is fine."""

    type: Literal["message.pin"] = "message.pin"


class UnpinMessage(MessageCommand):
    """The message is no longer kept in view. Twice is fine."""

    type: Literal["message.unpin"] = "message.unpin"


class MessagePage(Frozen):
    """A page of a room's messages next to a seq; without one, the newest. At most one of the three may be given."""

    room: Id
    before: Seq | None = None
    after: Seq | None = None
    around: Seq | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE
