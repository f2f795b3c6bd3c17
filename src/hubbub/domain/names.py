"""User and room names: how they are normalised, and what makes two of them the same.

NFKC (UAX #15), then one script plus digits (UTS #39, section 5), no invisible characters; compared by a skeleton in the
manner of UTS #39, section 4, in which only characters outside ASCII are replaced by the ASCII letter they look like:
two plain ASCII names are never confused with each other.
"""

import unicodedata
from functools import lru_cache
from typing import Annotated

from confusable_homoglyphs import categories, confusables
from pydantic import AfterValidator

from hubbub.domain.text import TooLong, normalise

MAX_USER_NAME = 32
MAX_ROOM_NAME = 64
RESERVED = frozenset(
    {"all", "everyone", "here", "hubbub", "me", "nobody", "null", "room", "system", "undefined", "you"}
)
"""Words that mention or mean somebody else. What people would call themselves (admin, owner) is not among them."""
NEUTRAL = "deleted-"
"""How the names begin under which stays what people said whose accounts are gone."""
_PUNCTUATION = frozenset("._-")
_SHAPELESS = frozenset(
    chr(code)
    for first, last in ((0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800),
                        (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xE0100, 0xE01EF))
    for code in range(first, last + 1)
)  # fmt: skip
"""Letters, marks and signs that nobody sees (Default_Ignorable_Code_Point, UAX #44; the empty Braille pattern)."""
JOINER = "\u200d"
"""Makes one emoji of several; drops out of the skeleton."""
_NEUTRAL = frozenset({"COMMON", "INHERITED"})


def check_user_name(name: str) -> str:
    """A user's name, normalised: 1 to 32 letters, digits and ``._-``, no blanks; raises ValueError otherwise."""
    name = _normalised(name, MAX_USER_NAME, f"a name has 1 to {MAX_USER_NAME} characters")
    if not all(map(is_name_character, name)):
        raise ValueError("a name has letters, digits, dots, dashes and underscores only")
    if not any(c.isalnum() for c in name):
        raise ValueError("a name has at least one letter or digit")
    _check_one_script(name)
    return name


def check_room_name(name: str) -> str:
    """A room's name, normalised: 1 to 64 printable characters, blanks only inside; raises ValueError otherwise."""
    name = _normalised(name, MAX_ROOM_NAME, f"a room's name has 1 to {MAX_ROOM_NAME} characters", trim=True)
    if not name.replace(JOINER, "").isprintable() or all(c in _SHAPELESS or c in (" ", JOINER) for c in name):
        raise ValueError("a room's name has printable characters only")
    return name


def _normalised(name: str, most: int, sentence: str, *, trim: bool = False) -> str:
    try:
        name = normalise(name, most)
    except TooLong:
        raise TooLong(sentence) from None
    name = name.strip() if trim else name
    if not 1 <= len(name) <= most:
        raise ValueError(sentence)
    return name


def is_name_character(character: str) -> bool:
    """Whether a user's name may have it."""
    return (_is_punctuation_or_letter(character) or _is_mark(character)) and character not in _SHAPELESS


def is_reserved(name: str) -> bool:
    """True for names that would pass for a part of the system; the command line may still give them to somebody."""
    return skeleton(name) in RESERVED or skeleton(name).startswith(NEUTRAL)


@lru_cache(maxsize=4096)
def skeleton(name: str) -> str:
    """What two names that look alike have in common; unique among users, and among public rooms.

    Raises TooLong for what is no name of either.
    """
    return "".join(_look_alike(c) for c in normalise(name, MAX_ROOM_NAME).casefold())


def look_alike(one: str, other: str) -> bool:
    """Whether two names are the same to those who read them; never where one is too long to be a name."""
    try:
        return skeleton(one) == skeleton(other)
    except TooLong:
        return False


def _is_punctuation_or_letter(character: str) -> bool:
    return character in _PUNCTUATION or unicodedata.category(character)[0] in "LN"


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Mc")


def _check_one_script(name: str) -> None:
    scripts = {categories.alias(c) for c in name} - _NEUTRAL
    # Japanese is written in three scripts at once (UTS #39, section 5.2, "highly restrictive").
    if len(scripts) > 1 and not scripts <= {"HAN", "HIRAGANA", "KATAKANA"}:
        raise ValueError("a name uses one script only")


@lru_cache(maxsize=8192)
def _look_alike(character: str) -> str:
    if character.isascii():
        return character
    if character in _SHAPELESS or character == JOINER:
        return ""
    found = confusables.is_confusable(character, greedy=True, preferred_aliases=["latin"])
    for entry in found or ():
        for other in entry["homoglyphs"]:
            if other["c"].isascii() and other["c"].isalnum():
                return str(other["c"]).casefold()
    return character


UserName = Annotated[str, AfterValidator(check_user_name)]
RoomName = Annotated[str, AfterValidator(check_room_name)]
