"""Commands for messages (send, forward, edit, delete, pin), and pages of them."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hubbub.domain.commands.base import Command, Id, MessageSeq, Seq
from hubbub.domain.commands.examples import Example, Given
from hubbub.domain.model import LOBBY, Actor, Frozen, MaybePosition, Position, room_topic
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
    """Send a message to a room.
    A retry with the same key and text gets the first answer again, whatever has happened since."""

    answer = Position
    posts = True
    rest = ("POST", "/api/rooms/{room}/messages")
    type: Literal["message.send"] = "message.send"
    room: Id
    key: Key
    """1 to 64 printable ASCII characters, unique among the author's messages in the room, for ever."""
    body: Body
    """At most 8,000 characters and 16 KiB of UTF-8, and not blank."""
    reply_to: MessageSeq | None = None
    """The seq of the message in the same room that this message replies to."""
    example = Example({"body": "Hello, @{name}", "reply_to": Given.SEQ})

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room),)

    def size(self) -> int:
        return 256 + len(self.body)


class ForwardMessage(Command):
    """Copy a message from another room you are a member of into `room`.
    You are the author of the copy."""

    answer = Position
    posts = True
    rest = ("POST", "/api/rooms/{room}/forwards")
    type: Literal["message.forward"] = "message.forward"
    room: Id
    """The id of the room that gets the copy."""
    key: Key
    """As in `message.send`. Both commands share one set of keys."""
    from_room: Id
    """The id of the original message's room."""
    message: MessageSeq
    """The seq of the original message in its room."""
    example = Example({"room": LOBBY, "from_room": Given.ROOM})

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
    type: Literal["message.edit"] = "message.edit"
    body: Body
    example = Example({"body": "Hello again, @{name}"})

    def size(self) -> int:
        return 256 + len(self.body)


class DeleteMessage(MessageCommand):
    """Delete a message for everyone. Idempotent.
    Authors delete their own messages; moderators delete any message, except in direct rooms."""

    rest = ("DELETE", "/api/rooms/{room}/messages/{message}")
    type: Literal["message.delete"] = "message.delete"
    example = Example()


class PinMessage(MessageCommand):
    """Pin a message for all members. Idempotent."""

    rest = ("PUT", "/api/rooms/{room}/pins/{message}")
    type: Literal["message.pin"] = "message.pin"
    example = Example()


class UnpinMessage(MessageCommand):
    """Unpin a message. Idempotent."""

    rest = ("DELETE", "/api/rooms/{room}/pins/{message}")
    type: Literal["message.unpin"] = "message.unpin"
    example = Example(after=PinMessage)


class MessagePage(Frozen):
    """A page of a room's messages next to a seq, or of the newest messages.

    At most one of `before`, `after` and `around` may be given.
    """

    room: Id
    before: Seq | None = None
    after: Seq | None = None
    around: Seq | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = DEFAULT_PAGE
