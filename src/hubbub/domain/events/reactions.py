"""Events of reactions."""

from hubbub.domain.events.messages import MessageEvent


class ReactionEvent(MessageEvent):
    """An event of a reaction."""

    name: str
    """The actor's name."""
    emoji: str
    """In its fully qualified form, so that one emoji always has the same text."""


class ReactionAdded(ReactionEvent):
    """A user reacted to a message."""

    type = "reaction.added"


class ReactionRemoved(ReactionEvent):
    """A user removed their reaction."""

    type = "reaction.removed"
