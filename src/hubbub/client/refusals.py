"""The server's errors as exceptions, and what a close code means for reconnecting."""

import json
from typing import Any

from hubbub.domain.errors import ERRORS, Forbidden, HubbubError, Unauthenticated
from hubbub.protocol import close_codes

_BY_CODE = {error.code: error for error in ERRORS}
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
AGAIN = frozenset({"busy", "unavailable"})
"""Errors after which the same command is sent again.

The cause is the server, not the command.
"""
PATIENCE = 1.0
"""Seconds to wait before that if the server does not say."""


class Interrupted(HubbubError):
    """The outcome of a command without a key is unknown.

    Commands with a key are repeated.
    """

    code = "interrupted"
    sentence = "The connection ended before the answer arrived. The command may have been executed."


class Ended(HubbubError):
    code = "ended"
    sentence = "This client was closed."


def refusal(error: dict[str, Any]) -> HubbubError:
    """Return the exception for the inner object of ``{"error": …}``.

    An unknown code becomes part of the message.
    """
    code, message, retry_after = str(error.get("code")), str(error.get("message")), error.get("retry_after")
    kind = _BY_CODE.get(code)
    if kind is None:
        return HubbubError(f"{code}: {message}", retry_after=retry_after)
    return kind(message, retry_after=retry_after)


def farewell(code: int | None, reason: str) -> HubbubError | None:
    """Return why to stay away after a Close; None if the client may reconnect."""
    if code is None or not 4500 <= code < 4600:
        return None
    if code in (close_codes.NOT_AUTHENTICATED, close_codes.SESSION_ENDED):
        return Unauthenticated(reason or None)
    return Forbidden(reason or None)


def asked_to_wait(reason: str) -> float | None:
    """Return the `retry_after` in a Close's reason, in seconds; None without one."""
    try:
        wait = json.loads(reason)["retry_after"]
    except (ValueError, KeyError, TypeError):
        return None
    return min(max(float(wait), 0.0), LONGEST_PAUSE) if isinstance(wait, int | float) else None


def backoff(attempt: int, chance: float, first: float = FIRST_PAUSE, longest: float = LONGEST_PAUSE) -> float:
    """Return the seconds before the attempt after `attempt` failures.

    The backoff has full jitter; `chance` is from 0 to 1.
    """
    ceiling: float = min(longest, first * 2.0 ** min(attempt, 32))
    return chance * ceiling
