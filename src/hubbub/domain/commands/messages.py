"""Commands for messages (send, forward, edit, delete, pin), and pages of them."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hubbub.domain.commands.base import Command, Id, MessageSeq, Seq
from hubbub.domain.errors import Conflict, NotFound
from hubbub.domain.model import Actor, Frozen, MaybePosition, Position, room_topic
from hubbub.domain.text import DEFAULT_PAGE, MAX_PAGE, Body, Key


class TextCommand(Command):
    """A command that carries a message's text."""

    online: ClassVar[tuple[int, ...]] = ()
    """The ids of connected members, where the text may contain `@here`. The engine sets it. It is
    no field, so that a client cannot send it."""

    def note_online(self, members: Iterable[int]) -> None:
        """Set the ids of the connected members, before the command is queued."""
        vars(self)["online"] = tuple(members)


class SendMessage(TextCommand):
    """Send a message to a room. The answer follows after the message is on disk.
    A retry with the same key and text gets the first answer again, whatever has happened since."""

    answer = Position
    posts = True
    creates = True
    rest = ("POST", "/api/rooms/{room}/messages")
    errors = (NotFound, Conflict)
    type: Literal["message.send"] = "message.send"
    room: Id
    key: Key = Field(examples=["01KAN3M6R4T2"])
    """1 to 64 printable ASCII characters, unique among the author's messages in the room, for ever."""
    body: Body = Field(examples=["hello"])
    """At most 8,000 characters and 16 KiB of UTF-8, and not blank."""
    reply_to: MessageSeq | None = None
    """The seq of the message in the same room that this message replies to."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room),)

    def size(self) -> int:
        return 256 + len(self.body)


class ForwardMessage(Command):
    """Copy a message from another room you are a member of into `room`.
    You are the author of the copy."""

    answer = Position
    posts = True
    creates = True
    rest = ("POST", "/api/rooms/{room}/forwards")
    errors = (NotFound, Conflict)
    type: Literal["message.forward"] = "message.forward"
    room: Id
    """The id of the room that gets the copy."""
    key: Key = Field(examples=["01KAN3M6R4T3"])
    """As in `message.send`. Both commands share one set of keys."""
    from_room: Id = Field(examples=[1])
    """The id of the original message's room."""
    message: MessageSeq = Field(examples=[1])
    """The seq of the original message in its room."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), room_topic(self.from_room))


class MessageCommand(Command):
    """A command about an existing message."""

    answer = MaybePosition
    room: Id
    message: MessageSeq
    """The message's seq."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room),)


class EditMessage(MessageCommand, TextCommand):
    """Change the text of your own message. The same text changes nothing."""

    posts = True
    rest = ("PATCH", "/api/rooms/{room}/messages/{message}")
    errors = (NotFound, Conflict)
    type: Literal["message.edit"] = "message.edit"
    body: Body = Field(examples=["hello again"])

    def size(self) -> int:
        return 256 + len(self.body)


class DeleteMessage(MessageCommand):
    """Delete a message for everyone. Idempotent.
    Authors delete their own messages; moderators delete any message, except in direct rooms."""

    rest = ("DELETE", "/api/rooms/{room}/messages/{message}")
    type: Literal["message.delete"] = "message.delete"


class PinMessage(MessageCommand):
    """Pin a message for all members. Idempotent."""

    rest = ("PUT", "/api/rooms/{room}/pins/{message}")
    errors = (NotFound, Conflict)
    type: Literal["message.pin"] = "message.pin"


class UnpinMessage(MessageCommand):
    """Unpin a message. Idempotent."""

    rest = ("DELETE", "/api/rooms/{room}/pins/{message}")
    type: Literal["message.unpin"] = "message.unpin"


class MessagePage(Frozen):
    """A page of a room's messages next to a seq, or of the newest messages.

    At most one of `before`, `after` and `around` may be given.
    """

    room: Id
    before: Seq | None = None
    after: Seq | None = None
    around: Seq | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE
