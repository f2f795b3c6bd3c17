"""Reactions: an emoji at a message."""

from typing import Literal

from hubbub.domain.commands.messages import MessageCommand
from hubbub.domain.emojis import Emoji


class AddReaction(MessageCommand):
    """Reacts to a message. The same emoji twice is once."""

    type: Literal["reaction.add"] = "reaction.add"
    emoji: Emoji
    """Any one emoji of Unicode."""


class RemoveReaction(MessageCommand):
    """Takes one's reaction back. Twice is fine."""

    type: Literal["reaction.remove"] = "reaction.remove"
    emoji: Emoji
    """The one to take back."""
