"""What a client is refused, as the domain's errors; and what a closed connection means for coming back."""

import json
from typing import Any

from hubbub.domain.errors import ERRORS, Forbidden, HubbubError, Unauthenticated
from hubbub.protocol import close_codes

_BY_CODE = {error.code: error for error in ERRORS}
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
AGAIN = frozenset({"busy", "unavailable"})
"""Refusals after which the same thing is simply tried again: the server is in need, not the client at fault."""
PATIENCE = 1.0
"""Seconds to wait with that where the server does not say it."""


class Interrupted(HubbubError):
    """For commands that are not repeated by themselves; those with a key are."""

    code = "interrupted"
    sentence = "The connection ended before the answer came: whether it was done is not known."


class Ended(HubbubError):
    code = "ended"
    sentence = "This client was closed."


def refusal(error: dict[str, Any]) -> HubbubError:
    """The inner object of ``{"error": …}`` as an exception; a code that is not known is told in the message."""
    code, message, retry_after = str(error.get("code")), str(error.get("message")), error.get("retry_after")
    kind = _BY_CODE.get(code)
    if kind is None:
        return HubbubError(f"{code}: {message}", retry_after=retry_after)
    return kind(message, retry_after=retry_after)


def farewell(code: int | None, reason: str) -> HubbubError | None:
    """Why to stay away after a Close with this code; None where one may come back."""
    if code is None or not 4500 <= code < 4600:
        return None
    if code in (close_codes.NOT_AUTHENTICATED, close_codes.SESSION_ENDED):
        return Unauthenticated(reason or None)
    return Forbidden(reason or None)


def asked_to_wait(reason: str) -> float | None:
    """Seconds after which the server wants us back, out of a Close's reason."""
    try:
        wait = json.loads(reason)["retry_after"]
    except (ValueError, KeyError, TypeError):
        return None
    return min(max(float(wait), 0.0), LONGEST_PAUSE) if isinstance(wait, int | float) else None


def backoff(attempt: int, chance: float, first: float = FIRST_PAUSE, longest: float = LONGEST_PAUSE) -> float:
    """Seconds before the attempt after `attempt` failures: full jitter; `chance` is from 0 to 1."""
    ceiling: float = min(longest, first * 2.0 ** min(attempt, 32))
    return chance * ceiling
