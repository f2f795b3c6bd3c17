"""Normalise, validate and compare names of users and rooms.

A name is in NFKC (UAX #15), in one script plus digits (UTS #39, section 5), without invisible
characters. Names are compared by a skeleton like that of UTS #39, section 4. It replaces every non-
ASCII character by the ASCII letter it looks like. In names with such a character, i, l and 1 count
as one letter, and o and 0. Two plain ASCII names never collide.
"""

import unicodedata
from bisect import bisect_right
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator

from hubbub.domain import unicode_data
from hubbub.domain.text import TooLong, decompose, normalise

MAX_USER_NAME = 32
MAX_ROOM_NAME = 64
MAX_MARKS = 3
"""Combining marks on one letter of a name. Hebrew with accents and Tibetan have three."""
RESERVED = frozenset(
    {"all", "everyone", "here", "hubbub", "me", "nobody", "null", "room", "system", "undefined", "you"}
)
"""Words that have a meaning of their own in a chat. Titles users may want (admin, owner) are free."""
NEUTRAL = "deleted-"
"""The prefix of the names of deleted accounts, whose messages stay."""
_PUNCTUATION = frozenset("._-")
_SHAPELESS = frozenset(
    chr(code)
    for first, last in ((0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800),
                        (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF))
    for code in range(first, last + 1)
)  # fmt: skip
"""Invisible letters, marks and symbols: Default_Ignorable_Code_Point (UAX #44) and the empty
Braille pattern."""
JOINER = "\u200d"
"""Joins several emoji into one; it is left out of the skeleton."""
_NEUTRAL = frozenset({"COMMON", "INHERITED"})
WORD_START = "\x1f"
"""Stands before each word of a search key. No name contains it."""
_PLAIN = str.maketrans({"æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ŧ": "t"})
"""Letters that users type without their stroke, although Unicode does not decompose them."""


def check_user_name(name: str) -> str:
    """Return a user's name, normalised: 1 to 32 letters, digits and ``._-``.

    Raises ValueError.
    """
    name = _normalise(name, MAX_USER_NAME, f"names must have 1 to {MAX_USER_NAME} characters")
    if not all(map(is_name_character, name)):
        raise ValueError("names can only contain letters, digits, dots, dashes and underscores")
    if not any(c.isalnum() for c in name):
        raise ValueError("names must contain at least one letter or digit")
    _check_one_script(name)
    return name


def check_room_name(name: str) -> str:
    """Return a room's name, normalised and stripped: 1 to 64 printable characters.

    Raises ValueError.
    """
    name = _normalise(name, MAX_ROOM_NAME, f"room names must have 1 to {MAX_ROOM_NAME} characters", trim=True)
    if not name.replace(JOINER, "").isprintable() or all(c in _SHAPELESS or c in (" ", JOINER) for c in name):
        raise ValueError("room names can only contain printable characters")
    return name


def _normalise(name: str, most: int, message: str, *, trim: bool = False) -> str:
    try:
        name = normalise(name, most)
    except TooLong:
        raise TooLong(message) from None
    name = name.strip() if trim else name
    if not 1 <= len(name) <= most:
        raise ValueError(message)
    if not name.isascii() and _has_tower(name):
        raise ValueError(f"names can have at most {MAX_MARKS} marks on a letter")
    return name


def _has_tower(name: str) -> bool:
    """Return True if marks are stacked so high that they cover the lines above or below."""
    height = 0
    for character in name:
        height = height + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if height > MAX_MARKS:
            return True
    return False


def is_name_character(character: str) -> bool:
    """Return True if a user's name may contain the character."""
    return (_is_punctuation_or_letter(character) or _is_mark(character)) and character not in _SHAPELESS


def is_reserved(name: str) -> bool:
    """Return True for names that look like a part of the system.

    Only the command line assigns them.
    """
    shape = skeleton(name)
    return is_neutral(name) or shape in (RESERVED if plain(name).isascii() else _RESERVED_SHAPES)


def is_neutral(name: str) -> bool:
    """Return True for names that look like those of deleted accounts."""
    return skeleton(name).startswith(NEUTRAL if plain(name).isascii() else fold(NEUTRAL))


@lru_cache(maxsize=4096)
def skeleton(name: str) -> str:
    """Return the form that names which look alike share.

    It is unique among users and public rooms. A name without non-ASCII characters is not folded:
    `look_alike` compares it with the others.

    Raises TooLong if the text is too long for a name.
    """
    name = plain(name)
    return name if name.isascii() else fold("".join(map(_look_alike, name)))


def plain(name: str) -> str:
    """Return a name in its normal form, without case and invisible characters. Raises TooLong."""
    name = normalise(name, MAX_ROOM_NAME).casefold()
    return name if name.isascii() else name.translate(_INVISIBLE)


def fold(shape: str) -> str:
    """Return a skeleton in which the letters that look like l are l, and those like o are o."""
    return shape.translate(_FOLDED)


def search_key(name: str) -> str:
    """Return the form in which a name is searched for.

    Case, accents and look-alike letters are folded, and WORD_START stands before each word. A key
    contains the key of each of the name's parts; a part within a word has no WORD_START.

    Raises TooLong if the text is too long for a name.
    """
    plain = decompose(normalise(name, MAX_ROOM_NAME).casefold()).translate(_PLAIN)
    key, within = [], False
    for letter in "".join(map(_look_alike, plain)):
        is_word = unicodedata.category(letter)[0] in "LNM"
        if is_word and not within:
            key.append(WORD_START)
        within = is_word
        key.append(letter)
    return "".join(key)


def look_alike(first: str, second: str) -> bool:
    """Return True if readers could confuse the two names.

    A text too long for a name never matches.
    """
    try:
        one, other = skeleton(first), skeleton(second)
        if one == other:
            return True
        return fold(one) == fold(other) and not (plain(first).isascii() and plain(second).isascii())
    except TooLong:
        return False


def _is_punctuation_or_letter(character: str) -> bool:
    return character in _PUNCTUATION or unicodedata.category(character)[0] in "LN"


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Mc")


def _check_one_script(name: str) -> None:
    scripts = set(map(_script, name)) - _NEUTRAL
    # Japanese uses three scripts at once (UTS #39, section 5.2, "highly restrictive").
    if len(scripts) > 1 and not scripts <= {"HAN", "HIRAGANA", "KATAKANA"}:
        raise ValueError("names can't mix scripts, such as Latin and Cyrillic letters")


def _script(character: str) -> str:
    run = bisect_right(unicode_data.SCRIPT_STARTS, ord(character)) - 1
    return unicode_data.SCRIPT_NAMES[unicode_data.SCRIPTS[run]]


def _look_alike(character: str) -> str:
    return _LOOK_ALIKES.get(character, character)


_LOOK_ALIKES = {letter: shape for shape, letters in unicode_data.LOOK_ALIKES.items() for letter in letters}
AMBIGUOUS = {"i": "l", "1": "l", "0": "o"}
"""What `fold` replaces."""
_FOLDED = str.maketrans(AMBIGUOUS)
_INVISIBLE = dict.fromkeys(map(ord, (*_SHAPELESS, JOINER)))
_RESERVED_SHAPES = frozenset(map(fold, RESERVED))
_LOOK_ALIKES |= dict.fromkeys((*_SHAPELESS, JOINER), "")


UserName = Annotated[str, AfterValidator(check_user_name)]
RoomName = Annotated[str, AfterValidator(check_room_name)]
