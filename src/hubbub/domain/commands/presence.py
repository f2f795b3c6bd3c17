"""Presence: what somebody chooses to be; and signals, which nobody stores and the journal never sees."""

from typing import Annotated, ClassVar, Literal

from pydantic import FailFast, Field, TypeAdapter

from hubbub.domain.commands.base import Command, Id
from hubbub.domain.emojis import Emoji
from hubbub.domain.model import Actor, Appearances, Chosen, Frozen, MaybePosition, Wire, user_topic
from hubbub.domain.text import MAX_WATCHED, Moment, StatusText


class SetPresence(Command):
    """Chooses how one appears to others. It replaces all that was chosen before."""

    answer = MaybePosition
    type: Literal["presence.set"] = "presence.set"
    status: Chosen = "online"
    """`dnd` is "do not disturb"; `invisible` looks like offline to everybody else."""
    text: StatusText = ""
    """A line about it; empty for none."""
    emoji: Emoji | None = None
    """Any one emoji of Unicode."""
    until: Moment | None = None
    """When one is plainly online again; RFC 3339."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (user_topic(actor.id),)


class Signal(Frozen):
    """Something that is true for a moment and not worth a place in a log. `answer` is None for an empty object."""

    answer: ClassVar[type[Wire] | None] = None


class Typing(Signal):
    """One is writing in a room. To be said every three seconds while it is so, not more often."""

    type: Literal["typing"] = "typing"
    room: Id


class SetIdle(Signal):
    """Whether nobody is at this device any more."""

    type: Literal["presence.idle"] = "presence.idle"
    idle: bool
    """True once nobody has touched it for a while, false with the first touch."""


class WatchPresence(Signal):
    """Whose presence this connection shows from here on, instead of those it showed before."""

    answer = Appearances
    type: Literal["presence.watch"] = "presence.watch"
    users: Annotated[tuple[Id, ...], FailFast(), Field(max_length=MAX_WATCHED, strict=False)]
    """The ids of the people, at most 200."""


AnySignal = Typing | SetIdle | WatchPresence
SIGNALS: TypeAdapter[AnySignal] = TypeAdapter(Annotated[AnySignal, Field(discriminator="type")])
SIGNAL_TYPES = ("typing", "presence.idle", "presence.watch")
"""No set: what is asked whether it is one of these may be anything, also what has no hash."""
