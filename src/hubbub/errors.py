"""The errors that the Python interface raises.

HubbubError is the base class of all of them but PositionLost. `message` is a sentence for people,
`code` is for programs, `retryable` says whether the same call may succeed later, and `retry_after`
is in seconds or None.
"""

from hubbub.domain.errors import (
    BadRequest,
    Busy,
    Conflict,
    Forbidden,
    HubbubError,
    Internal,
    NotFound,
    TooLarge,
    Unavailable,
)
from hubbub.host.events import PositionLost

__all__ = [
    "BadRequest",
    "Busy",
    "Conflict",
    "Forbidden",
    "HubbubError",
    "Internal",
    "NotFound",
    "PositionLost",
    "TooLarge",
    "Unavailable",
]
