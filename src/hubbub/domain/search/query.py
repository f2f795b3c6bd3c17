"""The query language of the search. Every text is a valid query.

* `word`: the message contains the word. Several words: it contains all of them.
* `"some words"`: it contains the words next to each other. A link, an e-mail address or `don't`
  consists of several words, and counts as if it was quoted.
* `wor*`: it contains a word that begins so.
* `from:NAME`, `in:ROOM`: the author or the room. Several of a kind match any of them.
* `before:DATE`, `after:DATE`: sent before that day, or on that day or later (UTC).
  A date is `2026`, `2026-11` or `2026-11-30`.
* `has:link`, `is:pinned`, `mentions:me`.

A value may be quoted. A filter that does not exist, or whose value is not valid, is read as words.
"""

import re
from datetime import UTC, datetime
from typing import NamedTuple

from hubbub.domain.search.tokens import Token, tokenise
from hubbub.domain.text import MAX_SEARCH

NAMED = ("from", "in")
DATES = ("after", "before")
FLAGS = {("has", "link"), ("is", "pinned"), ("mentions", "me")}
_PIECE = re.compile(
    r'(?P<name>[A-Za-z]+):(?P<value>"[^"]+"(?=\s|$)|[^\s"]+)(?=\s|$)'
    r'|"(?P<phrase>[^"]*)"(?P<phrase_star>\*?)'
    r'|(?P<word>[^\s"]+)'
)
_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?(?:-([0-9]{2}))?")


class TermToken(NamedTuple):
    """A token of a term, at a distance from the first one.

    With `prefix` it is the beginning of the message's token.
    """

    text: str
    distance: int
    prefix: bool


class Term(NamedTuple):
    """Tokens that a message contains at these distances from each other."""

    tokens: tuple[TermToken, ...]


class Filter(NamedTuple):
    """A filter by its name and value, as written."""

    name: str
    value: str


class Query(NamedTuple):
    """A parsed query. `words` are its words and phrases as written, for display."""

    terms: tuple[Term, ...] = ()
    words: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()

    def values(self, name: str) -> list[str]:
        return [each.value for each in self.filters if each.name == name]

    def has(self, name: str, value: str) -> bool:
        return Filter(name, value) in self.filters

    @property
    def is_empty(self) -> bool:
        return not self.terms and not self.filters

    def sent_between(self) -> tuple[int | None, int | None]:
        """Return [after, before) in milliseconds; None is open."""
        after, before = (
            [moment for value in self.values(name) if (moment := _milliseconds(value)) is not None] for name in DATES
        )
        return max(after) if after else None, min(before) if before else None


def parse(text: str, *, typing: bool = False) -> Query:
    """Parse a query of at most MAX_SEARCH characters.

    With `typing` the last word is a beginning, unless a blank follows it.
    """
    assert len(text) <= MAX_SEARCH
    terms: dict[Term, None] = {}
    words: dict[str, None] = {}
    filters: dict[Filter, None] = {}
    for piece in _PIECE.finditer(text):
        found = _filter(piece)
        if found is not None:
            filters[found] = None
            continue
        phrase = piece["phrase"]
        written = piece[0] if phrase is None else phrase
        prefix = written.endswith("*") if phrase is None else piece["phrase_star"] == "*"
        if typing and phrase is None and piece.end() == len(text):
            prefix = True
        term = _term(written, prefix=prefix)
        if term.tokens:
            terms[term] = None
            words[written] = None
    return Query(tuple(terms), tuple(words), tuple(filters))


def _filter(piece: re.Match[str]) -> Filter | None:
    """Return the filter that a piece of the query is, None if it is none."""
    if piece["name"] is None:
        return None
    name, value = piece["name"].lower(), piece["value"].strip('"').strip()
    if (name in NAMED and value) or (name in DATES and _milliseconds(value) is not None):
        return Filter(name, value)
    flag = (name, value.lower())
    return Filter(*flag) if flag in FLAGS else None


def _term(written: str, *, prefix: bool) -> Term:
    """Return the tokens of a word or phrase.

    A single character of a script without spaces is the beginning of a pair.
    """
    tokens = [token for token in tokenise(written) if token.form != "last"]
    if not tokens:
        return Term(())
    first, last = tokens[0].position, tokens[-1]
    return Term(
        tuple(
            TermToken(token.text, token.position - first, _is_beginning(token, last if prefix else None))
            for token in tokens
        )
    )


def _is_beginning(token: Token, prefix: Token | None) -> bool:
    return token.form == "only" or (token is prefix and token.form == "word")


def _milliseconds(value: str) -> int | None:
    """Return the beginning of a day, month or year, None if it is not a date."""
    match = _DATE.fullmatch(value)
    if match is None:
        return None
    try:
        moment = datetime(int(match[1]), int(match[2] or 1), int(match[3] or 1), tzinfo=UTC)
    except ValueError:
        return None
    return round(moment.timestamp() * 1000)
