"""Validation of emoji.

One emoji always has one spelling, its fully qualified form.
"""

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from hubbub.domain import unicode_data
from hubbub.domain.text import TooLong, normalise

MAX_EMOJI = 64
"""In characters. The longest emoji sequence in Unicode has about ten."""
_SELECTOR = "\ufe0f"


def check_emoji(text: str) -> str:
    """Return a single emoji in its fully qualified form (UTS #51, ED-18a).

    Raises ValueError for any other text.
    """
    try:
        text = normalise(text, MAX_EMOJI, "NFC")
    except TooLong:
        raise ValueError("must be a single emoji") from None
    qualified = _QUALIFIED.get(text.replace(_SELECTOR, ""))
    if qualified is None:
        raise ValueError("must be a single emoji")
    return qualified


_QUALIFIED = {text.replace(_SELECTOR, ""): text for text in unicode_data.EMOJI.split(" ")}
"""Fully qualified emoji by their text without variation selectors."""

Emoji = Annotated[str, StringConstraints(max_length=MAX_EMOJI), AfterValidator(check_emoji)]
