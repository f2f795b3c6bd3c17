"""The errors clients may see: a code, a safe message, and whether to retry.

    HubbubError
    ├── BadRequest        the input is malformed; a retry fails again
    ├── Unauthenticated   no valid credential
    ├── Forbidden         the user lacks the permission
    ├── NotFound          absent, or hidden from the caller: both look the same
    ├── Conflict          contradicts the stored state
    ├── TooLarge          over a size limit
    ├── RateLimited       over a rate limit; retry after `retry_after`
    ├── Busy              a bounded queue is full; retry after `retry_after`
    ├── Unavailable       the database did not answer; a retry with the same key tells the outcome.
    │                     Without a key the outcome is unknown if the message says so
    └── Internal          a bug, logged under an id

Each gateway maps every `code` to its own status in one table.
"""

from typing import ClassVar, Literal

from hubbub.domain.model import Absent, Wire


class HubbubError(Exception):
    """The base class of all errors sent to clients.

    `message` never contains an id, a token or a body from the request.
    """

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    sentence: ClassVar[str] = "Something went wrong on our side."

    def __init__(self, message: str | None = None, *, retry_after: float | None = None) -> None:
        self.message = message or self.sentence
        self.retry_after = retry_after
        super().__init__(self.message)

    def body(self) -> dict[str, object]:
        """Return the inner object of ``{"error": …}``; `retry_after` is in seconds."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.retry_after is not None:
            error["retry_after"] = round(self.retry_after, 3)
        return error


class BadRequest(HubbubError):
    code = "bad_request"
    sentence = "The request is malformed."


class Unauthenticated(HubbubError):
    code = "unauthenticated"
    sentence = "Log in to continue."


class Forbidden(HubbubError):
    code = "forbidden"
    sentence = "You don't have permission to do that."


class NotFound(HubbubError):
    code = "not_found"
    sentence = "This does not exist, or you don't have access to it."


class Conflict(HubbubError):
    code = "conflict"
    sentence = "This conflicts with the current state."


class TooLarge(HubbubError):
    code = "too_large"
    sentence = "This is too large."


class RateLimited(HubbubError):
    code = "rate_limited"
    retryable = True
    sentence = "Too many requests. Wait a moment."


class Busy(HubbubError):
    code = "busy"
    retryable = True
    sentence = "The server is busy. Try again in a moment."


class Unavailable(HubbubError):
    code = "unavailable"
    retryable = True
    sentence = "The database is temporarily unavailable. Try again in a moment."


OUTCOME_UNKNOWN = (
    "The database did not answer in time, and this may have been done or not. Look whether it was before you try again."
)
OUTCOME_BY_KEY = (
    "The database did not answer in time, and this may have been done or not. Try again with the same key: "
    "it is done once."
)


class Internal(HubbubError):
    code = "internal"


class NeedsTopics(Exception):
    """A handler needs topics its command did not declare.

    The journal locks them as well and runs the command again, alone.
    """

    def __init__(self, *topics: str) -> None:
        self.topics = frozenset(topics)
        super().__init__(*topics)


class DirtyRefusal(Exception):
    """A handler refused its command after it had written.

    The transaction cannot be kept for the other commands. The refusal is the cause.
    """


ERRORS: tuple[type[HubbubError], ...] = (
    BadRequest, Unauthenticated, Forbidden, NotFound, Conflict, TooLarge, RateLimited, Busy, Unavailable, Internal,
)  # fmt: skip


class Refusal(Wire):
    """An error as sent to clients: a code for programs, a message for people."""

    code: Literal[
        "bad_request", "unauthenticated", "forbidden", "not_found", "conflict", "too_large", "rate_limited", "busy",
        "unavailable", "internal",
    ]  # fmt: skip
    message: str
    """For people; it may change at any time."""
    retry_after: float | Absent = None
    """Seconds to wait before a retry."""
