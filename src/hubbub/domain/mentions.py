"""Find the mentions in a text. Pure, and linear in the length of the text.

A mention is `@` and a run of name characters, except

* after a letter, digit, mark or underscore, as in an e-mail address, or after a backslash;
* in code: between backticks within a paragraph, or in a block fenced by three or more backticks or
  tildes;
* in a link, from `://` to its end (`hubbub.domain.links`).

The dots, dashes and underscores at the end of a run may belong to the name or to the sentence. Only
the names of the room's members decide that (`candidates`). `@room` and `@here` are special names.
The web client shows mentions by the same rules; `contract/fixtures/mentions.json` has the cases
that both must agree on.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from typing import Literal, NamedTuple

from hubbub.domain.links import end_of_link
from hubbub.domain.names import MAX_USER_NAME, is_name_character
from hubbub.domain.text import COMPOSED, MAX_MENTIONS, TooLong, normalise

Kind = Literal["name", "room", "here"]
LOUD: dict[str, Kind] = {"room": "room", "here": "here"}
PUNCTUATION = "._-"
TRIMMED = 3
"""How many punctuation characters at the end of a run may belong to the name. More of them belong
to the sentence."""
MAX_RUN = COMPOSED * MAX_USER_NAME
"""In characters, before normalisation. A longer run is not a name."""
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)
_BLANK = re.compile(r"\n[ \t]*(?=\n)")
_TOKEN = re.compile(r"\\[\\`@]|`+|(?<=[A-Za-z0-9])://|(?<!\w)@(?=[\w.-])")
_SIGN = re.compile(r"@(?<!\w@)[\w.-]")
"""The pattern starts with a literal `@`, so that the search skips quickly from one to the next."""
_HERE = re.compile("@(?i:here)")
_TICKS = re.compile("`+")
_PLAIN = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_RUN + 1}}}")


class Piece(NamedTuple):
    """A mention in a text: its start (at `@`), its end, and the run after `@`."""

    start: int
    end: int
    kind: Kind
    run: str


class MentionedNames(NamedTuple):
    """The mentions of a text: possible names, and whether `@room`, `@here` occur.

    The runs are distinct, in the order of the text, and at most 50.
    """

    names: tuple[str, ...] = ()
    room: bool = False
    here: bool = False


NO_NAMES = MentionedNames()


def may_mention(body: str) -> bool:
    """Return False if `find` would find nothing.

    Fast, because most texts have no mentions.
    """
    return _SIGN.search(body) is not None


def may_mention_here(body: str) -> bool:
    """Return False if the text cannot contain `@here`."""
    return _HERE.search(body) is not None


def find(body: str) -> MentionedNames:
    """Return the mentions in `body`. The names need not be those of members."""
    if not may_mention(body):
        return NO_NAMES
    names: dict[str, None] = {}
    special = set()
    for piece in pieces(body):
        if piece.kind != "name":
            special.add(piece.kind)
        elif len(names) < MAX_MENTIONS:
            names[piece.run] = None
    return MentionedNames(tuple(names), "room" in special, "here" in special)


def pieces(body: str) -> Iterator[Piece]:
    """Yield the mentions in `body` in order."""
    for start, end in _paragraphs(body):
        if body.find("@", start, end) >= 0:
            yield from _scan(body, start, end)


def candidates(run: str) -> list[str]:
    """Return the normalised names a run can stand for, the longest first."""
    bare = run.rstrip(PUNCTUATION)
    ends = [*range(len(run), max(len(run) - TRIMMED - 1, len(bare)), -1), len(bare)]
    forms = dict.fromkeys(_normalised(run[:end]) for end in ends)
    return [form for form in forms if form is not None]


def _normalised(run: str) -> str | None:
    """Return `run` as a normalised name, or None if it cannot be a name."""
    try:
        name = normalise(run, MAX_USER_NAME)
    except TooLong:
        return None
    return name if 1 <= len(name) <= MAX_USER_NAME else None


def _paragraphs(body: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the paragraphs outside of fenced blocks.

    CommonMark 0.31, sections 4.5 (fenced code) and 4.9 (blank lines).
    """
    start, fence = 0, ""
    for line in _FENCE.finditer(body):
        marks, rest = line[1], line[2]
        if fence:
            if marks[0] == fence[0] and len(marks) >= len(fence) and not rest.strip():
                start, fence = line.end(), ""
        elif marks[0] == "~" or "`" not in rest:
            yield from _split_at_blank_lines(body, start, line.start())
            fence = marks
    if not fence:
        yield from _split_at_blank_lines(body, start, len(body))


def _split_at_blank_lines(body: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for blank in _BLANK.finditer(body, start, end):
        yield start, blank.start()
        start = blank.end()
    yield start, end


def _scan(body: str, start: int, end: int) -> Iterator[Piece]:
    """Yield the mentions of one paragraph.

    Escapes, code and links are skipped as they come.
    """
    backticks = _backtick_runs(body, start, end)
    at = start
    while (token := _TOKEN.search(body, at, end)) is not None:
        at = token.end()
        if token[0][0] == "`":
            at = _after_code(backticks, token.start(), at)
        elif token[0][0] == ":":
            at = end_of_link(body, token.start(), end)
        elif token[0] == "@" and not _is_mark(body, at - 2, start):
            piece = _parse_mention(body, token.start(), end)
            if piece is not None:
                yield piece
                at = piece.end


def _backtick_runs(body: str, start: int, end: int) -> dict[int, list[int]]:
    """Return the starts of the runs of backticks, by the length of the run."""
    runs: dict[int, list[int]] = {}
    for ticks in _TICKS.finditer(body, start, end):
        runs.setdefault(len(ticks[0]), []).append(ticks.start())
    return runs


def _after_code(backticks: dict[int, list[int]], opened: int, inside: int) -> int:
    """Return the end of the code opened by the backticks from `opened` to `inside`.

    Returns `inside` if no run of the same length closes it, because then it is not code.
    """
    length = inside - opened
    starts = backticks.get(length, [])
    index = bisect_left(starts, inside)
    return starts[index] + length if index < len(starts) else inside


def _is_mark(body: str, at: int, start: int) -> bool:
    """Return True if the character is a mark, which belongs to the letter before."""
    return at >= start and not body[at].isascii() and unicodedata.category(body[at])[0] == "M"


def _parse_mention(body: str, at: int, end: int) -> Piece | None:
    """Return the mention whose `@` is at `at`, or None if there is none."""
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
