"""Commands for reactions."""

from typing import Literal

from hubbub.domain.commands.examples import Example
from hubbub.domain.commands.messages import MessageCommand
from hubbub.domain.emojis import Emoji
from hubbub.domain.errors import Conflict, NotFound


class AddReaction(MessageCommand):
    """React to a message with an emoji. Idempotent."""

    rest = ("PUT", "/api/rooms/{room}/messages/{message}/reactions/{emoji}")
    errors = (NotFound, Conflict)
    type: Literal["reaction.add"] = "reaction.add"
    emoji: Emoji
    """Exactly one Unicode emoji."""
    example = Example({"emoji": "👍"})


class RemoveReaction(MessageCommand):
    """Remove your reaction from a message. Idempotent."""

    rest = ("DELETE", "/api/rooms/{room}/messages/{message}/reactions/{emoji}")
    type: Literal["reaction.remove"] = "reaction.remove"
    emoji: Emoji
    """The emoji to remove."""
    example = Example({"emoji": "👍"}, after=AddReaction)
