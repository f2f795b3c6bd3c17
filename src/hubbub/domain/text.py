"""Limits, and the validators of all strings from clients.

The length of a string is checked before all else. Only `normalise` normalises: ruff rejects
`unicodedata.normalize` elsewhere.
"""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Literal
from unicodedata import category

from pydantic import AfterValidator, BeforeValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_BODY_CHARACTERS = 8_000
MAX_BODY_BYTES = 16 * 1024
MAX_KEY = 64
MAX_PAGE = 200
DEFAULT_PAGE = 50
MAX_PAGE_BYTES = 256 * 1024
"""A page ends before it exceeds this, so that an answer always fits into a connection's outbox. One
item may be larger."""
MAX_HAVE = 2_000
MAX_TOPIC = 250
MAX_DESCRIPTION = 1_000
MAX_REASON = 200
MAX_STATUS = 100
MAX_DIRECT = 10
"""Members of a direct room, the creator included."""
MAX_INVITED = 50
"""Users who are added to a room when it is created."""
MAX_ROOMS = 1_000
"""Rooms that a user has joined or created, and as many into which others have put the user. Direct rooms
do not count, because others create them and no user can leave them."""
MAX_ADDED = 100
"""Rooms into which one user can put the same other user. They do not count towards MAX_ROOMS of that user."""
MAX_DIRECT_MADE = 1_000
"""Direct rooms created by one user."""
MAX_DIRECT_WITH = 100
"""Direct rooms created by one user that share the same other member."""
MAX_PINS = 100
"""Pinned messages in a room. Only those visible to the user who pins another message count."""
MAX_REACTIONS = 50
"""Different emoji on one message."""
MAX_OWN_REACTIONS = 20
"""Different emoji of one user on one message."""
MAX_MENTIONS = 50
"""Names in one message that can be mentions."""
MAX_HERE = 500
"""If more users are online, `@here` mentions the whole room: an event does not list them all."""
MENTIONS_COUNTED = 100
"""Unread mentions are counted exactly up to this number."""
LOUD_MEMBERS = 20
"""The largest number of members of a room in which every member may use `@room` and `@here`."""
MAX_WATCHED = 200
"""Users whose presence one connection can watch."""
MAX_READ_ROOMS = 500
"""Read positions moved by one command."""
MAX_SEARCH = 500
"""Characters of a search."""
MAX_FOUND = 50
"""Messages on a page of search results."""
MAX_WEBHOOK_NAME = 64
MAX_WEBHOOK_URL = 2_048
"""Characters of the URL of a webhook."""
MAX_ATTEMPTS_KEPT = 50
"""Attempts of one webhook that are stored, the last ones."""
MAX_ROOM_WEBHOOKS = 10
"""Webhooks of one room."""
MAX_SITE_WEBHOOKS = 20
"""Webhooks of the whole site. Each has a position in every room."""
MAX_WEBHOOKS = 1_000
"""Webhooks of all rooms and of the site. The server looks at each of them every 15 seconds."""
MAX_SETTING = 256
"""Characters of a setting's value, before it is compared with what the setting allows."""
MAX_DEPTH = 32
MAX_PATH = 2 * 1024
"""Characters of a request's path. Each route compares the whole path with its pattern."""
MAX_QUERY = 8 * 1024
"""Bytes of a URL's query; 200 ids take half of it."""
COMPOSED = 4
"""The most code points that normalisation composes into one: α with three marks (Unicode 15)."""
_BEGINNING = 16
"""Characters that are normalised first to detect text that grows: U+FDFA becomes 18 characters."""
MAX_ID = 2**53 - 1
TOO_LARGE = "too_large"
"""The type of validation errors that clients get as the error code `too_large`."""
_EPOCH = datetime.fromtimestamp(0, UTC)
_BIDI_CONTROLS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Controls that change the direction of the text after them, even outside of their field."""
_UNSAFE_IN_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u065f\u0670]"
)
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")


class TooLong(ValueError):
    """The string exceeds its limit in every normal form."""


def normalise(text: str, most: int, form: Literal["NFC", "NFKC", "NFKD"] = "NFKC") -> str:
    """Return `text` in a normal form (UAX #15).

    The result does not change when it is normalised again.
    Raises TooLong before the work is done if more than `most` characters would surely be left. The
    result may still be longer. The early check is needed because sorting marks takes time quadratic
    in their number: 64 KiB of marks take a second.
    """
    if len(text) > COMPOSED * most:
        raise TooLong(f"must have at most {most} characters")
    # Text after the beginning composes only with its last characters; the rest keeps its length.
    if len(text) > _BEGINNING and len(unicodedata.normalize(form, text[:_BEGINNING])) > most + _BEGINNING:
        raise TooLong(f"must have at most {most} characters")
    for _ in range(4):
        normalised = unicodedata.normalize(form, text)
        if normalised == text:
            break
        text = normalised
    return text


def decompose(text: str) -> str:
    """Return normalised text decomposed, without the accents of Latin, Greek, Cyrillic, Hebrew and
    Arabic letters.

    Marks of other scripts stay: in those of India, vowels are marks.
    """
    return _ACCENTS.sub("", unicodedata.normalize("NFKD", text))


def at_most(entries: int) -> BeforeValidator:
    """Return a validator that rejects longer lists and objects.

    It runs before the entries are validated, because each invalid entry costs an error object.
    """

    def check_length(value: object) -> object:
        if isinstance(value, list | tuple | dict) and len(value) > entries:
            raise PydanticCustomError("too_long", "must have at most {limit} entries", {"limit": entries})
        return value

    return BeforeValidator(check_length)


def check(text: str) -> str:
    """Return `text` unchanged.

    Raises ValueError for text that a database or a client cannot handle.

    U+0000 fails a whole batch on PostgreSQL and truncates text on SQLite. Lone surrogates have no
    UTF-8 form (RFC 3629, section 3).
    """
    if "\x00" in text:
        raise ValueError("must not contain U+0000")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must not contain lone surrogates") from None
    return text


def check_body(text: str) -> str:
    """Return a message's text: not blank, at most 8,000 characters and 16 KiB."""
    if len(text) > MAX_BODY_CHARACTERS:
        raise PydanticCustomError(TOO_LARGE, "must have at most {limit} characters", {"limit": MAX_BODY_CHARACTERS})
    if not check(text).strip():
        raise ValueError("must not be empty")
    if len(text) * 4 > MAX_BODY_BYTES and len(text.encode()) > MAX_BODY_BYTES:
        raise PydanticCustomError(TOO_LARGE, "must have at most {limit} bytes of UTF-8", {"limit": MAX_BODY_BYTES})
    return text


def check_line(text: str) -> str:
    """Return a single line, stripped, without control characters and bidi controls."""
    if any(category(character) in ("Cc", "Zl", "Zp") for character in check(text)):
        raise ValueError("must be a single line")
    return _check_direction(text).strip()


def check_lines(text: str) -> str:
    """Return text of several lines, stripped, without control and bidi characters.

    A bidi control ends with its line (UAX #9, P1), but it can still forge what the line says.
    """
    if any(category(character) == "Cc" and character not in "\n\r\t" for character in check(text)):
        raise ValueError("must not contain control characters")
    return _check_direction(text).strip()


def _check_direction(text: str) -> str:
    if _BIDI_CONTROLS.search(text):
        raise ValueError("must not contain characters that change the direction of text")
    return text


def check_moment(text: str) -> str:
    """Return a date and time of RFC 3339, section 5.6, in capitals and with an offset.

    ISO 8601 allows many more forms.
    """
    try:
        if _MOMENT.fullmatch(text) is None:
            raise ValueError
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a date and time with a UTC offset, as in 2026-11-22T13:05:03Z") from None
    return text


def check_place(text: str) -> str:
    """Return where a page ordered by time ended: date and time, comma, id."""
    moment, _, name = check(text).partition(",")
    check_moment(moment)
    if not name:
        raise ValueError("must be a date and time, a comma and an id")
    return text


def check_key(key: str) -> str:
    """Return an idempotency key: 1 to 64 printable ASCII characters."""
    if not 1 <= len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        raise ValueError(f"must be 1 to {MAX_KEY} printable ASCII characters")
    return key


def one_line(text: str) -> str:
    """Return `text` as one line, so that it cannot forge lines or act on a terminal.

    Escapes control characters, line and paragraph separators, lone surrogates and bidi controls. Blanks of all widths,
    the joiners of scripts and emoji, and characters that this version of Unicode does not know stay.
    """
    if text.isprintable():
        return text
    return _UNSAFE_IN_LINE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


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
    """Return a `Moment` as milliseconds since 1970."""
    return (datetime.fromisoformat(moment) - _EPOCH) // timedelta(milliseconds=1)


def timestamp(milliseconds: int) -> str:
    """Return milliseconds since 1970 in RFC 3339: ``2026-11-22T13:05:03.123Z``."""
    minutes, rest = divmod(milliseconds, 60_000)
    seconds, rest = divmod(rest, 1_000)
    return f"{_minute(minutes)}{seconds:02d}.{rest:03d}Z"


@lru_cache(maxsize=4_096)
def _minute(minutes: int) -> str:
    """Return the part of a timestamp up to the minute. A page of messages has few different ones."""
    return f"{datetime.fromtimestamp(minutes * 60, UTC):%Y-%m-%dT%H:%M:}"
