"""The tree of refusals: what went wrong, whether trying again helps, and a sentence that is safe for strangers.

    HubbubError
    ├── BadRequest        the input breaks a rule of form; sending it again changes nothing
    ├── Unauthenticated   nobody, or nobody any more
    ├── Forbidden         somebody, but not allowed
    ├── NotFound          absent, or not to be known by the asker: both look the same
    ├── Conflict          contradicts what is stored
    ├── TooLarge          over a size limit
    ├── RateLimited       too often; retry_after says when
    ├── Busy              a bounded queue is full; retry_after says when
    ├── Unavailable       the store did not answer; the outcome is unknown until a retry with the same key
    └── Internal          a bug, logged under an id

Each gateway has one total table from `code` to its own numbers.
"""

from typing import ClassVar, Literal

from hubbub.domain.model import Absent, Wire


class HubbubError(Exception):
    """Root of everything a client may be told. `message` never echoes an id, a token or a body."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    sentence: ClassVar[str] = "Something went wrong on our side."

    def __init__(self, message: str | None = None, *, retry_after: float | None = None) -> None:
        self.message = message or self.sentence
        self.retry_after = retry_after
        super().__init__(self.message)

    def body(self) -> dict[str, object]:
        """The inner object of ``{"error": …}``; `retry_after` is in seconds."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.retry_after is not None:
            error["retry_after"] = round(self.retry_after, 3)
        return error


class BadRequest(HubbubError):
    code = "bad_request"
    sentence = "That request is not well formed."


class Unauthenticated(HubbubError):
    code = "unauthenticated"
    sentence = "Log in first."


class Forbidden(HubbubError):
    code = "forbidden"
    sentence = "You are not allowed to do that."


class NotFound(HubbubError):
    code = "not_found"
    sentence = "There is no such thing, or it is not yours to see."


class Conflict(HubbubError):
    code = "conflict"
    sentence = "That contradicts what is already there."


class TooLarge(HubbubError):
    code = "too_large"
    sentence = "That is too large."


class RateLimited(HubbubError):
    code = "rate_limited"
    retryable = True
    sentence = "Too many requests. Wait a moment."


class Busy(HubbubError):
    code = "busy"
    retryable = True
    sentence = "The server has more to do than it can take. Try again in a moment."


class Unavailable(HubbubError):
    code = "unavailable"
    retryable = True
    sentence = "The database does not answer. Nothing is lost: try again in a moment."


class Internal(HubbubError):
    code = "internal"


class NeedsTopics(Exception):
    """A handler found out about topics it did not declare; the journal runs it alone with all of them."""

    def __init__(self, *topics: str) -> None:
        self.topics = frozenset(topics)
        super().__init__(*topics)


ERRORS: tuple[type[HubbubError], ...] = (
    BadRequest, Unauthenticated, Forbidden, NotFound, Conflict, TooLarge, RateLimited, Busy, Unavailable, Internal,
)  # fmt: skip


class Refusal(Wire):
    """What went wrong, as a client is told: a code for programs, a sentence for people."""

    code: Literal[
        "bad_request", "unauthenticated", "forbidden", "not_found", "conflict", "too_large", "rate_limited", "busy",
        "unavailable", "internal",
    ]  # fmt: skip
    message: str
    """For people; it may change at any time."""
    retry_after: float | Absent = None
    """Seconds after which trying again makes sense."""
