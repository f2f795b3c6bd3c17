"""Limits and the one validator every string passes, whatever door it came through."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_BODY_CHARACTERS = 8_000
MAX_BODY_BYTES = 16 * 1024
MAX_KEY = 64
MAX_PAGE = 200
DEFAULT_PAGE = 50
MAX_HAVE = 2_000
MAX_DEPTH = 32
MAX_ID = 2**53 - 1
TOO_LARGE = "too_large"
"""The kind of a validation error that is told under the code of the same name."""


def check(text: str) -> str:
    """Returns `text` unchanged, or raises ValueError if a store or a client could choke on it.

    U+0000 poisons a PostgreSQL batch and truncates on SQLite; lone surrogates have no UTF-8 form (RFC 3629, section 3).
    """
    if "\x00" in text:
        raise ValueError("must not contain U+0000")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must not contain lone surrogates") from None
    return text


def check_body(text: str) -> str:
    """A message's text: not blank, at most 8,000 characters and 16 KiB of UTF-8."""
    check(text)
    if not text.strip():
        raise ValueError("must not be empty")
    if len(text) > MAX_BODY_CHARACTERS:
        raise PydanticCustomError(TOO_LARGE, "must have at most {limit} characters", {"limit": MAX_BODY_CHARACTERS})
    if len(text) * 4 > MAX_BODY_BYTES and len(text.encode()) > MAX_BODY_BYTES:
        raise PydanticCustomError(TOO_LARGE, "must have at most {limit} bytes of UTF-8", {"limit": MAX_BODY_BYTES})
    return text


def check_key(key: str) -> str:
    """An idempotency key: 1 to 64 printable ASCII characters; uniqueness is its only other rule."""
    if not 1 <= len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        raise ValueError(f"must be 1 to {MAX_KEY} printable ASCII characters")
    return key


def one_line(text: str) -> str:
    """`text` with control characters and line breaks as visible escapes, so that nobody can forge a line."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


Text = Annotated[str, AfterValidator(check)]
ShortText = Annotated[str, StringConstraints(max_length=256), AfterValidator(check)]
Body = Annotated[
    str,
    AfterValidator(check_body),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_BODY_CHARACTERS, "pattern": r"\S"}),
]
Key = Annotated[str, AfterValidator(check_key), WithJsonSchema({"type": "string", "pattern": "^[ -~]{1,64}$"})]


def timestamp(milliseconds: int) -> str:
    """Milliseconds since 1970 as RFC 3339 in UTC, e.g. ``2026-11-22T13:05:03.123Z``."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"
