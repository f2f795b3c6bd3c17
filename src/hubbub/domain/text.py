"""Limits and the one validator every string passes, whatever door it came through.

The length of a string is checked before anything else is done to it. `normalise` is the only place that normalises:
ruff refuses `unicodedata.normalize` anywhere else.
"""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from unicodedata import category

from pydantic import AfterValidator, BeforeValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_BODY_CHARACTERS = 8_000
MAX_BODY_BYTES = 16 * 1024
MAX_KEY = 64
MAX_PAGE = 200
DEFAULT_PAGE = 50
MAX_HAVE = 2_000
MAX_TOPIC = 250
MAX_DESCRIPTION = 1_000
MAX_REASON = 200
MAX_STATUS = 100
MAX_DIRECT = 10
"""People in a direct room, oneself included."""
MAX_INVITED = 50
"""People who are put into a room when it is made."""
MAX_ROOMS = 1_000
"""Rooms one person is in, direct ones aside: those others make, and nobody leaves them."""
MAX_DIRECT_MADE = 1_000
"""Direct rooms one person has made."""
MAX_DIRECT_WITH = 100
"""Those of them that have the same other person in them."""
MAX_PINS = 100
"""Pinned messages in a room, of those that whoever pins another one sees."""
MAX_REACTIONS = 50
"""Different emoji at one message."""
MAX_MENTIONS = 50
"""Names that count in one message."""
MENTIONS_COUNTED = 100
"""Mentions are counted exactly up to here."""
LOUD_MEMBERS = 20
"""In a room of at most so many members everybody may call all of them."""
MAX_WATCHED = 200
"""People whose presence a connection can look at."""
MAX_READ_ROOMS = 500
"""Read positions moved by one command."""
MAX_DEPTH = 32
MAX_QUERY = 8 * 1024
"""Bytes of a query: 200 ids take half of it."""
COMPOSED = 4
"""Code points that normalisation makes one of, at most, such as α with three marks (Unicode 15)."""
_BEGINNING = 16
"""Characters that are normalised first: U+FDFA becomes 18, so they tell a text that grows."""
MAX_ID = 2**53 - 1
TOO_LARGE = "too_large"
"""The kind of a validation error that is told under the code of the same name."""
_EPOCH = datetime.fromtimestamp(0, UTC)
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Controls that make what follows them read the other way round, beyond the line they are in."""
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")


class TooLong(ValueError):
    """The string cannot fit its limit, however it is normalised."""


def normalise(text: str, most: int, form: Literal["NFC", "NFKC"] = "NFKC") -> str:
    """`text` in a normal form (UAX #15) that does not change when it is normalised again.

    Raises TooLong, before the work is done, where more than `most` characters would be left; what is returned may
    still be longer. Marks are sorted in a time that is quadratic in their number: 64 KiB of them take a second.
    """
    if len(text) > COMPOSED * most:
        raise TooLong(f"must have at most {most} characters")
    # What follows composes with the last characters only, so that the rest of the beginning stays as long as it is.
    if len(text) > _BEGINNING and len(unicodedata.normalize(form, text[:_BEGINNING])) > most + _BEGINNING:
        raise TooLong(f"must have at most {most} characters")
    for _ in range(4):
        done = unicodedata.normalize(form, text)
        if done == text:
            break
        text = done
    return text


def at_most(entries: int) -> BeforeValidator:
    """Refuses a longer list or object before any of it is validated: each wrong entry costs an error of its own."""

    def look(value: object) -> object:
        if isinstance(value, list | tuple | dict) and len(value) > entries:
            raise PydanticCustomError("too_long", "must have at most {limit} entries", {"limit": entries})
        return value

    return BeforeValidator(look)


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
    if len(text) > MAX_BODY_CHARACTERS:
        raise PydanticCustomError(TOO_LARGE, "must have at most {limit} characters", {"limit": MAX_BODY_CHARACTERS})
    if not check(text).strip():
        raise ValueError("must not be empty")
    if len(text) * 4 > MAX_BODY_BYTES and len(text.encode()) > MAX_BODY_BYTES:
        raise PydanticCustomError(TOO_LARGE, "must have at most {limit} bytes of UTF-8", {"limit": MAX_BODY_BYTES})
    return text


def check_line(text: str) -> str:
    """A line of text: without line breaks, other control characters and bidi overrides, blanks only inside."""
    if any(category(character) in ("Cc", "Zl", "Zp") for character in check(text)):
        raise ValueError("must be one line")
    return _straight(text).strip()


def check_lines(text: str) -> str:
    """The same in several lines: what turns the direction ends with its line (UAX #9, P1), but forges what it says."""
    if any(category(character) == "Cc" and character not in "\n\r\t" for character in check(text)):
        raise ValueError("must not contain control characters")
    return _straight(text).strip()


def _straight(text: str) -> str:
    if _TURNS.search(text):
        raise ValueError("must not turn the direction of what is around it")
    return text


def check_moment(text: str) -> str:
    """A moment as RFC 3339 gives it, with its offset (section 5.6, in capitals); ISO 8601 knows many more forms."""
    try:
        if _MOMENT.fullmatch(text) is None:
            raise ValueError
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a date and time with its offset, as in 2026-11-22T13:05:03Z") from None
    return text


def check_place(text: str) -> str:
    """Where a page of what is listed by its time ended: a moment and an id, with a comma between them."""
    moment, _, name = check(text).partition(",")
    check_moment(moment)
    if not name:
        raise ValueError("must be a moment and an id, with a comma between them")
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


RoomTopicLine = Annotated[str, StringConstraints(max_length=MAX_TOPIC), AfterValidator(check_line)]
RoomDescription = Annotated[str, StringConstraints(max_length=MAX_DESCRIPTION), AfterValidator(check_lines)]
Reason = Annotated[str, StringConstraints(max_length=MAX_REASON), AfterValidator(check_line)]
StatusText = Annotated[str, StringConstraints(max_length=MAX_STATUS), AfterValidator(check_line)]
Moment = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(check_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]

Place = Annotated[
    str,
    StringConstraints(max_length=256),
    AfterValidator(check_place),
    WithJsonSchema({"type": "string", "maxLength": 256, "pattern": r"^[0-9:.TZ+-]+,.+$"}),
]


def milliseconds(moment: str) -> int:
    """A `Moment` as milliseconds since 1970."""
    return (datetime.fromisoformat(moment) - _EPOCH) // timedelta(milliseconds=1)


def timestamp(milliseconds: int) -> str:
    """Milliseconds since 1970 as RFC 3339 in UTC, e.g. ``2026-11-22T13:05:03.123Z``."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"
