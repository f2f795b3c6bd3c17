"""Reactions to messages."""

from hubbub.domain.events.messages import MessageEvent


class ReactionEvent(MessageEvent):
    """Something happened to a reaction."""

    name: str
    """That person's name."""
    emoji: str
    """Fully qualified, so that the same one is always the same text."""


class ReactionAdded(ReactionEvent):
    """Somebody reacted to a message."""

    type = "reaction.added"


class ReactionRemoved(ReactionEvent):
    """Somebody took his reaction back."""

    type = "reaction.removed"
