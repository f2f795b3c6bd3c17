"""Emoji: what counts as one, and how it is written down so that the same one is always the same text."""

from typing import Annotated

import emoji
from pydantic import AfterValidator, StringConstraints

from hubbub.domain.text import TooLong, normalise

MAX_EMOJI = 64
"""Characters; the longest sequence of Unicode has ten or so."""
_SELECTOR = "\ufe0f"


def check_emoji(text: str) -> str:
    """One emoji in its fully qualified form (UTS #51, ED-18a); raises ValueError for anything else."""
    try:
        text = normalise(text, MAX_EMOJI, "NFC")
    except TooLong:
        raise ValueError("must be one emoji") from None
    if emoji.is_emoji(text) and emoji.EMOJI_DATA[text]["status"] == emoji.STATUS["fully_qualified"]:
        return text
    bare = text.replace(_SELECTOR, "")
    found = _QUALIFIED.get(bare)
    if found is None:
        raise ValueError("must be one emoji")
    return found


_QUALIFIED = {
    text.replace(_SELECTOR, ""): text
    for text, facts in emoji.EMOJI_DATA.items()
    if facts["status"] == emoji.STATUS["fully_qualified"]
}

Emoji = Annotated[str, StringConstraints(max_length=MAX_EMOJI), AfterValidator(check_emoji)]
