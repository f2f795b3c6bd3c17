"""Find rows by any part of a name, through search keys (`domain.names.search_key`).

Names that begin with the text are a range of the index. Only if they do not fill the page, all keys
of the index are scanned for the rest. With 100,000 names the scan takes 10 to 30 ms, and it needs
no extension of the database and no table of fragments that has to follow each change.
"""

from typing import Any

from sqlalchemy import Column, Connection, Row, Select, and_, case, func, not_

from hubbub.domain.names import WORD_START, search_key
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
