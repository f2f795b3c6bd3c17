"""Split a text into the tokens of the search index.

There is one tokeniser for messages and queries, and for both databases, so that a query has the
same hits everywhere. Its rules:

* Text is compared in NFKC and case-folded, without accents and points (`Ä`, `ä` and `a` are the
  same), with all decimal digits as ASCII.
* A word is a run of letters, marks and digits (Unicode categories). Everything else separates
  words, so that links, e-mail addresses and `snake_case` are found by their parts.
* Scripts that put no spaces between words (Han, kana, Thai, Lao, Khmer, Burmese; Hangul too,
  because of its suffixes) are split into pairs of neighbouring characters, with their marks. The
  last character of a run is a token of its own.
* An emoji is a token.

Change VERSION with every change of the tokens of any text: servers then rebuild their index.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple

from hubbub.domain.text import TooLong, normalise

VERSION = 1
MAX_TOKEN_CHARACTERS = 40
"""A longer word is found by its beginning."""
MAX_TOKENS = 8_000
"""Tokens of one text. What follows them is not found."""
MAX_CLUSTER = 16
"""Characters of a letter with its marks that are compared. Further marks are ignored."""

_RUN = re.compile(r"(?:[A-Za-z0-9]|[^\x00-\x7f])+")
_ASCII_RUN = re.compile(r"[a-z0-9]+")
_PLAIN_LETTERS = re.compile("[A-Za-z\u00c0-\u024f\u0386-\u0481\u048a-\u052f]{1,64}")
"""Latin, Greek and Cyrillic letters, which do not change their neighbours when they are folded."""
_IGNORED_MARKS = (range(1, 2), range(10, 37), range(200, 241))
"""The combining classes of accents and points. Others belong to the letter: the voicing of kana,
the vowels and tones of Indic scripts and Thai."""
_LETTERS = str.maketrans({
    "ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ſ": "s",
})  # fmt: skip
"""Letters that look accented but have no decomposition in Unicode."""
_UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1100, 0x11FF), (0x1780, 0x17FF), (0x2E80, 0x2FDF), (0x3005, 0x3007),
    (0x3021, 0x3035), (0x3038, 0x303C), (0x3041, 0x3096), (0x3099, 0x309F), (0x30A1, 0x30FA), (0x30FC, 0x31BF),
    (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA960, 0xA97F), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F),
    (0xAC00, 0xD7FF), (0xF900, 0xFAFF), (0xFF66, 0xFFDC), (0x16FE0, 0x1B2FF), (0x20000, 0x3FFFF),
)  # fmt: skip
_STARTS = [first for first, _ in _UNSPACED]
_SPACE = "\u200b"
"""The zero-width space separates words, unlike the other invisible characters."""


Form = Literal["word", "pair", "last", "only"]
"""A word or emoji; two neighbouring characters of a script without spaces; the last character of
such a run; a run of one character."""


class Token(NamedTuple):
    """A token and its place: [start, end) in code points of the text.

    Tokens of neighbouring words or characters have neighbouring positions. `first_end` is the end
    of the token's first character if the token is a pair, else its end.
    """

    text: str
    start: int
    end: int
    position: int
    first_end: int
    form: Form = "word"


class _Character(NamedTuple):
    """A folded character: its kind, and where it comes from."""

    text: str
    kind: str
    start: int
    end: int


def tokenise(text: str) -> list[Token]:
    """Return the tokens of `text` in order, at most MAX_TOKENS of them."""
    found: list[Token] = []
    position = 0
    for run in _RUN.finditer(text):
        word = _as_word(run[0])
        if word is not None:
            start, end = run.span()
            found.append(Token(word[:MAX_TOKEN_CHARACTERS], start, end, position, end))
            position += 1
        else:
            for token in _of_run(text, run.start(), run.end(), position):
                found.append(token)
                position = token.position + 1
        if len(found) >= MAX_TOKENS:
            return found[:MAX_TOKENS]
    return found


def words(text: str) -> set[str]:
    """Return the distinct tokens of `text`."""
    if text.isascii():  # most texts; their places cost more than their tokens
        return {word[:MAX_TOKEN_CHARACTERS] for word in _ASCII_RUN.findall(text.lower())[:MAX_TOKENS]}
    return {token.text for token in tokenise(text)}


def _as_word(run: str) -> str | None:
    """Return the token of a run that is surely a single word, None for all others.

    Only a shortcut: `_of_run` returns the same token, in twenty times the time.
    """
    if run.isascii():
        return run.lower()
    return _fold(run) if _PLAIN_LETTERS.fullmatch(run) and run.isalpha() else None


def _of_run(text: str, start: int, end: int, position: int) -> Iterator[Token]:
    """Yield the tokens of a run that is not ASCII alone."""
    group: list[_Character] = []
    for character in _characters(text, start, end):
        if group and (character.kind != group[0].kind or character.kind == "symbol"):
            yield from (made := _tokens(group, position))
            position += len(made)
            group = []
        if character.kind != "space":
            group.append(character)
    if group:
        yield from _tokens(group, position)


def _tokens(group: list[_Character], position: int) -> list[Token]:
    """Return the tokens of neighbouring characters of one kind."""
    first, last = group[0], group[-1]
    if first.kind != "unspaced":
        word = "".join(character.text for character in group)[:MAX_TOKEN_CHARACTERS]
        return [Token(word, first.start, last.end, position, last.end)]
    units = _units(group)
    pairs = [
        Token(one.text + other.text, one.start, other.end, position + index, one.end, "pair")
        for index, (one, other) in enumerate(pairwise(units))
    ]
    last = units[-1]
    form: Form = "last" if pairs else "only"
    return [*pairs, Token(last.text, last.start, last.end, position + len(pairs), last.end, form)]


def _units(group: list[_Character]) -> list[_Character]:
    """Join marks with the character before them."""
    units: list[_Character] = []
    for each in group:
        if units and unicodedata.category(each.text)[0] == "M" and len(units[-1].text) < MAX_CLUSTER:
            units[-1] = units[-1]._replace(text=units[-1].text + each.text, end=each.end)
        else:
            units.append(each)
    return units


def _characters(text: str, start: int, end: int) -> Iterator[_Character]:
    """Yield the folded characters of a run. One character of the text may become several."""
    while start < end:
        after = start + 1
        while after < end and _extends(text[after]):
            after += 1
        for folded in fold(text[start : min(after, start + MAX_CLUSTER)]):
            yield _Character(folded, kind_of(folded), start, after)
        start = after


@lru_cache(4_096)
def fold(cluster: str) -> str:
    """Return a character with its marks as it is compared. Several characters, or none."""
    try:
        return _fold(cluster)
    except TooLong:
        return ""


def _fold(cluster: str) -> str:
    text = normalise(normalise(cluster, MAX_CLUSTER * 18, "NFKC").casefold(), MAX_CLUSTER * 18, "NFKD")
    kept = "".join(c for c in text if not _is_ignored(c)).casefold().translate(_LETTERS)
    digits = "".join(str(unicodedata.decimal(c)) if unicodedata.category(c) == "Nd" else c for c in kept)
    return normalise(digits, MAX_CLUSTER * 18, "NFKC")


@lru_cache(4_096)
def kind_of(character: str) -> str:
    """Return "unspaced", "symbol" (an emoji), "word" or "space" for a folded character."""
    code = ord(character)
    category = unicodedata.category(character)
    if category[0] in "LMN":
        index = bisect_right(_STARTS, code) - 1
        return "unspaced" if index >= 0 and code <= _UNSPACED[index][1] else "word"
    return "symbol" if category == "So" else "space"


@lru_cache(4_096)
def _extends(character: str) -> bool:
    """Return whether a character belongs to the one before: marks, joiners and halves of letters."""
    if character.isascii() or character == _SPACE:
        return False
    code = ord(character)
    return (
        unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf")
        or 0x1160 <= code <= 0x11FF  # the vowels and final consonants of decomposed Hangul
        or 0xD7B0 <= code <= 0xD7FF
        or code in (0xFF9E, 0xFF9F)  # the voicing marks of half-width kana
    )


def _is_ignored(character: str) -> bool:
    if unicodedata.category(character) == "Cf" and character != _SPACE:
        return True
    if 0xFE00 <= ord(character) <= 0xFE0F or 0xE0100 <= ord(character) <= 0xE01EF:  # variation selectors
        return True
    combining = unicodedata.combining(character)
    return any(combining in ignored for ignored in _IGNORED_MARKS)
