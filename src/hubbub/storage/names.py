"""Find rows by any part of a name, through search keys (`domain.names.search_key`), and names that look alike.

Names that begin with the text are a range of the index. Only if they do not fill the page, all keys
of the index are scanned for the rest. With 100,000 names the scan takes 10 to 30 ms, and it needs
no extension of the database and no table of fragments that has to follow each change.
"""

from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, and_, case, func, not_, or_

from hubbub.domain.names import AMBIGUOUS, WORD_START, fold, look_alike, plain, search_key, skeleton
from hubbub.domain.text import TooLong

LAST = "\U0010ffff"
"""Sorts after all characters of names, in the byte order of the keys."""


def find(connection: Connection, query: Select[Any], key: Column[str], text: str, limit: int) -> list[Row[Any]]:
    """Return the rows of `query` whose key contains the text, at most `limit`, the best first.

    The text itself comes first, then names that begin with it, then names with a word that begins
    with it, then the others; the shorter name before the longer one.
    """
    try:
        start = search_key(text.strip())
    except TooLong:
        return []
    begins = and_(key >= start, key < start + LAST)
    shorter = (func.length(key), key)
    found = list(connection.execute(query.where(begins).order_by(*shorter).limit(limit)))
    if len(found) == limit:
        return found
    position = func.instr if connection.dialect.name == "sqlite" else func.strpos
    inside = position(key, start.removeprefix(WORD_START)) > 0
    at_word = case((position(key, start) > 0, 0), else_=1)
    rest = query.where(inside, not_(begins)).order_by(at_word, *shorter).limit(limit - len(found))
    return found + list(connection.execute(rest))


def resembling(connection: Connection, query: Select[Any], column: Column[str | None], name: str) -> list[Row[Any]]:
    """Return the rows of `query` (id, name) with a name that readers could take for `name`.

    `column` has the skeletons. Those of all rows are read only for a name with non-ASCII characters
    that looks like an ASCII name in several ways.
    """
    shape = skeleton(name)
    alike: ColumnElement[bool] = column.in_({shape, fold(shape), plain(name)})
    if not plain(name).isascii() and shape.isascii() and set(shape) & set(AMBIGUOUS.values()):
        folded: Any = column
        for letter, other in AMBIGUOUS.items():
            folded = func.replace(folded, letter, other)
        alike = or_(alike, folded == shape)
    return [row for row in connection.execute(query.where(alike)) if look_alike(row.name, name)]
