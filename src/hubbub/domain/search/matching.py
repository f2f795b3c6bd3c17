"""Find the terms of a query in a text."""

from bisect import bisect_right
from collections import defaultdict

from hubbub.domain.links import links
from hubbub.domain.search.query import Term
from hubbub.domain.search.tokens import Token, tokenise

Range = tuple[int, int]


def has_link(text: str) -> bool:
    return next(links(text), None) is not None


def highlights(text: str, terms: tuple[Term, ...]) -> list[Range] | None:
    """Return where `text` contains the terms, None if it does not contain all of them.

    Ranges are [start, end) in UTF-16 code units, ascending, and do not overlap or touch.
    """
    tokens = tokenise(text)
    at: dict[int, Token] = {token.position: token for token in tokens}
    places: dict[str, list[int]] = defaultdict(list)
    for token in tokens:
        places[token.text].append(token.position)
    found: list[Range] = []
    for term in terms:
        ranges = _of_term(term, at, places)
        if not ranges:
            return None
        found += ranges
    return _in_utf16(text, _merged(found))


def _of_term(term: Term, at: dict[int, Token], places: dict[str, list[int]]) -> list[Range]:
    """Return the ranges of a term, one for each of its tokens and places."""
    first = term.tokens[0]
    if first.prefix:
        starts = sorted(position for text, some in places.items() if text.startswith(first.text) for position in some)
    else:
        starts = places.get(first.text, [])
    found: list[Range] = []
    for start in starts:
        matched: list[Range] = []
        for text, distance, prefix in term.tokens:
            token = at.get(start + distance)
            if token is None or not (token.text.startswith(text) if prefix else token.text == text):
                break
            matched.append((token.start, token.first_end if prefix else token.end))
        else:
            found += matched
    return found


def _merged(ranges: list[Range]) -> list[Range]:
    merged: list[Range] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _in_utf16(text: str, ranges: list[Range]) -> list[Range]:
    """Convert from code points to UTF-16 code units."""
    wide = [index for index, character in enumerate(text) if character > "\uffff"] if not text.isascii() else []
    if not wide:
        return ranges
    return [(start + bisect_right(wide, start - 1), end + bisect_right(wide, end - 1)) for start, end in ranges]
