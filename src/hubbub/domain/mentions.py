"""Mentions: which names a text calls, and whether it calls everybody. Pure, and linear in the length of the text.

`@` and a run of name characters, unless

* a letter, digit, mark or underscore stands before it, as in an address, or a backslash;
* it is in code: between backticks within a paragraph, or in a block fenced by three or more backticks or tildes;
* it is in a link, from `://` to the next blank.

A run is somebody's name as it is, or without the dots, dashes and underscores at its end: which, only the members of
the room tell (`candidates`). `@room` and `@here` are words of their own. The web client shows mentions by the same
rules; what both must agree on stands in `contract/fixtures/mentions.json`.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from typing import Literal, NamedTuple

from hubbub.domain.names import MAX_USER_NAME, is_name_character
from hubbub.domain.text import COMPOSED, MAX_MENTIONS, TooLong, normalise

Kind = Literal["name", "room", "here"]
LOUD: dict[str, Kind] = {"room": "room", "here": "here"}
PUNCTUATION = "._-"
TRIMMED = 3
"""Signs at the end of a run that may belong to a name or to the sentence, beyond which they are the sentence's."""
MAX_RUN = COMPOSED * MAX_USER_NAME
"""Characters, before they are normalised; a longer run is no name."""
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)
_BLANK = re.compile(r"\n[ \t]*(?=\n)")
_TOKEN = re.compile(r"\\[\\`@]|`+|(?<=[A-Za-z0-9])://\S+|(?<!\w)@(?=[\w.-])")
_SIGN = re.compile(r"@(?<!\w@)[\w.-]")
"""The sign comes first, so that the search leaps from one to the next."""
_HERE = re.compile("@(?i:here)")
_TICKS = re.compile("`+")
_PLAIN = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_RUN + 1}}}")


class Piece(NamedTuple):
    """A mention in a text: its place, `@` included, and the run behind it."""

    start: int
    end: int
    kind: Kind
    run: str


class MentionedNames(NamedTuple):
    """What a text calls: runs that may be names, in the order of the text, each once and at most 50; and the words."""

    names: tuple[str, ...] = ()
    room: bool = False
    here: bool = False


NO_NAMES = MentionedNames()


def may_mention(body: str) -> bool:
    """Whether it is worth while to `find`; quick, since most texts call nobody."""
    return _SIGN.search(body) is not None


def may_mention_here(body: str) -> bool:
    """The same for those who are there."""
    return _HERE.search(body) is not None


def find(body: str) -> MentionedNames:
    """What `body` calls, were everybody there whom it names."""
    if not may_mention(body):
        return NO_NAMES
    names: dict[str, None] = {}
    loud = set()
    for piece in pieces(body):
        if piece.kind != "name":
            loud.add(piece.kind)
        elif len(names) < MAX_MENTIONS:
            names[piece.run] = None
    return MentionedNames(tuple(names), "room" in loud, "here" in loud)


def pieces(body: str) -> Iterator[Piece]:
    """The mentions in `body`, one after the other."""
    for start, end in _paragraphs(body):
        if body.find("@", start, end) >= 0:
            yield from _scan(body, start, end)


def candidates(run: str) -> list[str]:
    """The names a run can stand for, the longest first, normalised."""
    bare = run.rstrip(PUNCTUATION)
    ends = [*range(len(run), max(len(run) - TRIMMED - 1, len(bare)), -1), len(bare)]
    forms = dict.fromkeys(_normalised(run[:end]) for end in ends)
    return [form for form in forms if form is not None]


def _normalised(run: str) -> str | None:
    """The name a run is, if it is one."""
    try:
        name = normalise(run, MAX_USER_NAME)
    except TooLong:
        return None
    return name if 1 <= len(name) <= MAX_USER_NAME else None


def _paragraphs(body: str) -> Iterator[tuple[int, int]]:
    """Where text is that is not in fenced blocks, cut at blank lines (CommonMark 0.31, sections 4.5 and 4.9)."""
    start, fence = 0, ""
    for line in _FENCE.finditer(body):
        marks, rest = line[1], line[2]
        if fence:
            if marks[0] == fence[0] and len(marks) >= len(fence) and not rest.strip():
                start, fence = line.end(), ""
        elif marks[0] == "~" or "`" not in rest:
            yield from _cut(body, start, line.start())
            fence = marks
    if not fence:
        yield from _cut(body, start, len(body))


def _cut(body: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for blank in _BLANK.finditer(body, start, end):
        yield start, blank.start()
        start = blank.end()
    yield start, end


def _scan(body: str, start: int, end: int) -> Iterator[Piece]:
    """The mentions of one paragraph, by what comes first: an escape, code, a link, a sign."""
    closing = _closing(body, start, end)
    at = start
    while (token := _TOKEN.search(body, at, end)) is not None:
        at = token.end()
        if token[0][0] == "`":
            at = _after_code(closing, token.start(), at)
        elif token[0] == "@" and not _is_marked(body, at - 2, start):
            piece = _piece(body, token.start(), end)
            if piece is not None:
                yield piece
                at = piece.end


def _closing(body: str, start: int, end: int) -> dict[int, list[int]]:
    """By length, where the runs of backticks begin."""
    found: dict[int, list[int]] = {}
    for ticks in _TICKS.finditer(body, start, end):
        found.setdefault(len(ticks[0]), []).append(ticks.start())
    return found


def _after_code(closing: dict[int, list[int]], opened: int, inside: int) -> int:
    """Where code ends that is opened by the backticks from `opened` to `inside`, or `inside` if it is none."""
    length = inside - opened
    places = closing.get(length, [])
    index = bisect_left(places, inside)
    return places[index] + length if index < len(places) else inside


def _is_marked(body: str, at: int, start: int) -> bool:
    """Whether a mark stands there, which belongs to the letter before it."""
    return at >= start and not body[at].isascii() and unicodedata.category(body[at])[0] == "M"


def _piece(body: str, at: int, end: int) -> Piece | None:
    """The mention that begins at `at`, if one does."""
    first = last = at + 1
    plain = _PLAIN.match(body, first, end)
    if plain is not None:
        last = plain.end()
    if last < end and not body[last].isascii():
        while last < end and last - first <= MAX_RUN and is_name_character(body[last]):
            last += 1
    run = body[first:last]
    bare = run.rstrip(PUNCTUATION)
    if not bare.lstrip(PUNCTUATION) or len(run) > MAX_RUN:
        return None
    kind = LOUD.get(bare.lower())
    if kind is not None:
        return Piece(at, first + len(bare), kind, bare)
    fits = len(bare) <= MAX_USER_NAME if bare.isascii() else _normalised(bare) is not None
    return Piece(at, last, "name", run) if fits else None
