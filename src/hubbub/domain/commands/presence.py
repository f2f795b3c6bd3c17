"""The command that sets a status, and signals, which are not stored."""

from typing import Annotated, ClassVar, Literal

from pydantic import FailFast, Field

from hubbub.domain.commands.base import Command, Id
from hubbub.domain.commands.examples import Example, Given
from hubbub.domain.emojis import Emoji
from hubbub.domain.model import Actor, Chosen, Frozen, MaybePosition, Presences, Wire, user_topic
from hubbub.domain.text import MAX_WATCHED, Moment, StatusText


class SetStatus(Command[MaybePosition]):
    """Set your status. It replaces the previous status completely."""

    rest = ("PUT", "/api/users/me/status")
    errors = ()
    type: Literal["status.set"] = "status.set"
    status: Chosen = "online"
    """`dnd` is "do not disturb"; other users see `invisible` as offline."""
    text: StatusText = ""
    """One line of text; empty for none."""
    emoji: Emoji | None = None
    """Exactly one Unicode emoji."""
    until: Moment | None = None
    """When the status returns to plain `online`; RFC 3339, within a year."""
    example = Example({"status": "dnd", "text": "Lunch{new}", "emoji": "🍜"})

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(actor.id),)


class Signal(Frozen):
    """A command that is not stored. `answer` is None if the answer is an empty object."""

    answer: ClassVar[type[Wire] | None] = None
    example: ClassVar[Example | None] = None


class Typing(Signal):
    """Tell the members of a room that you are typing.
    Clients repeat it every three seconds while the user types, not more often."""

    type: Literal["typing"] = "typing"
    room: Id
    example = Example()


class SetIdle(Signal):
    """Tell the server whether the user is idle on this device."""

    type: Literal["presence.idle"] = "presence.idle"
    idle: bool
    """True when the user has not touched the device for a while, false at the next touch."""
    example = Example({"idle": True})


class WatchPresence(Signal):
    """Replace the list of users whose presence this connection receives."""

    answer = Presences
    type: Literal["presence.watch"] = "presence.watch"
    users: Annotated[tuple[Id, ...], FailFast(), Field(max_length=MAX_WATCHED, strict=False)]
    """The ids of the users, at most 200."""
    example = Example({"users": (Given.MEMBER,)})
