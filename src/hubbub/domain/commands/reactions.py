"""Reactions: an emoji at a message."""

from typing import Literal

from hubbub.domain.commands.messages import OneMessage
from hubbub.domain.emojis import Emoji


class AddReaction(OneMessage):
    """Reacts to a message. The same emoji twice is once."""

    type: Literal["reaction.add"] = "reaction.add"
    emoji: Emoji
    """Any one emoji of Unicode."""


class RemoveReaction(OneMessage):
    """Takes one's reaction back. Twice is fine."""

    type: Literal["reaction.remove"] = "reaction.remove"
    emoji: Emoji
    """The one to take back."""
