"""Commands for messages (send, forward, edit, delete, pin), and pages of them."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hubbub.domain.commands.base import Command, Id, MessageSeq, Requires, Seq
from hubbub.domain.commands.examples import Example, Given
from hubbub.domain.errors import Conflict, NotFound
from hubbub.domain.model import LOBBY, Actor, Frozen, MaybePosition, Position, room_topic
from hubbub.domain.text import DEFAULT_PAGE, MAX_PAGE, Body, Key


class TextCommand(Frozen):
    """A command that carries a message's text."""

    online: ClassVar[tuple[int, ...]] = ()
    """The ids of connected members, where the text may contain `@here`. The engine sets it. It is
    no field, so that a client cannot send it."""
    elsewhere: ClassVar[tuple[int, ...]] = ()
    """The ids of users connected to other nodes, who need not be members."""

    def note_online(self, members: Iterable[int], elsewhere: Iterable[int] = ()) -> None:
        """Set the ids of the connected members, before the command is queued."""
        vars(self)["online"] = tuple(members)
        if elsewhere:
            vars(self)["elsewhere"] = tuple(elsewhere)


class PostCommand(Command[Position]):
    """A command that posts a message, once for each key."""

    posts = True
    creates = True
    requires = (Requires.OPEN_ACCOUNT, Requires.MEMBER, Requires.NOT_ARCHIVED)

    def digest(self) -> int:
        """Return a digest of what the key stands for."""
        raise NotImplementedError


class SendMessage(TextCommand, PostCommand):
    """Send a message to a room. The answer follows after the message is on disk.
    A retry with the same key and text gets the first answer again, whatever has happened since."""

    rest = ("POST", "/api/rooms/{room}/messages")
    errors = (NotFound, Conflict)
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

    def digest(self) -> int:
        """Return a digest of the text and `reply_to`.

        A text never contains U+0000, so that no other command has the same input.
        """
        reply = "" if self.reply_to is None else f"\0reply {self.reply_to}"
        return _digest(f"{self.body}{reply}")


class ForwardMessage(PostCommand):
    """Copy a message from another room you are a member of into `room`.
    You are the author of the copy."""

    rest = ("POST", "/api/rooms/{room}/forwards")
    errors = (NotFound, Conflict)
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

    def digest(self) -> int:
        return _digest(f"\0forward {self.from_room} {self.message}")


def _digest(text: str) -> int:
    """Return the first 64 bits of SHA-256, signed.

    They need not withstand attacks: only authors themselves can make two commands that share one.
    """
    return int.from_bytes(sha256(text.encode()).digest()[:8], signed=True)


class MessageCommand(Command[MaybePosition]):
    """A command about an existing message."""

    requires: ClassVar[tuple[Requires, ...]] = (Requires.OPEN_ACCOUNT, Requires.MESSAGE, Requires.NOT_ARCHIVED)
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
    body: Body
    example = Example({"body": "Hello again, @{name}"})

    def size(self) -> int:
        return 256 + len(self.body)


class DeleteMessage(MessageCommand):
    """Delete a message for everyone. Idempotent.
    Authors delete their own messages; moderators delete any message, except in direct rooms."""

    rest = ("DELETE", "/api/rooms/{room}/messages/{message}")
    requires = (Requires.OPEN_ACCOUNT, Requires.MESSAGE)
    type: Literal["message.delete"] = "message.delete"
    example = Example()


class PinMessage(MessageCommand):
    """Pin a message for all members. Idempotent."""

    rest = ("PUT", "/api/rooms/{room}/pins/{message}")
    requires = (*MessageCommand.requires, Requires.PINS)
    errors = (NotFound, Conflict)
    type: Literal["message.pin"] = "message.pin"
    example = Example()


class UnpinMessage(MessageCommand):
    """Unpin a message. Idempotent."""

    rest = ("DELETE", "/api/rooms/{room}/pins/{message}")
    requires = (*MessageCommand.requires, Requires.PINS)
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
