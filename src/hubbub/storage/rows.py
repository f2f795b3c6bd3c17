"""Many rows as one JSON parameter, for bulk statements on both databases."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    FromClause,
    Integer,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal_column,
)
from sqlalchemy.types import TypeEngine

from hubbub.storage.db_errors import StatementRejected

Columns = Mapping[str, TypeEngine[Any]]
BIG = BigInteger()
TEXT = Text()


class Rows:
    """A FROM clause over a JSON parameter with many rows.

    The parameter `name` is an array of arrays in the order of `columns`.
    """

    def __init__(self, dialect: Dialect, columns: Columns, name: str = "rows") -> None:
        self.source: FromClause
        self._columns: dict[str, ColumnElement[Any]] = {}
        if dialect.name == "sqlite":
            each = func.json_each(bindparam(name, type_=TEXT)).table_valued("value", name=name)
            self.source = each
            for index, (key, kind) in enumerate(columns.items()):
                path = literal_column(f"'$[{index}]'", TEXT)  # if bound, it would be parsed again for each row
                self._columns[key] = func.json_extract(each.c.value, path, type_=kind)
        else:
            array = func.jsonb_array_elements(cast(bindparam(name, type_=TEXT), _jsonb()))
            each = array.table_valued(column("value", _jsonb()), name=name).render_derived()
            self.source = each
            for index, (key, kind) in enumerate(columns.items()):
                self._columns[key] = cast(each.c.value.op("->>")(literal_column(str(index), Integer())), kind)

    def __getitem__(self, key: str) -> ColumnElement[Any]:
        return self._columns[key]

    def columns(self) -> list[ColumnElement[Any]]:
        return [element.label(key) for key, element in self._columns.items()]


def encode(rows: Sequence[Sequence[Any]]) -> str:
    """Encode rows as the parameter.

    Raises StatementRejected for U+0000, which PostgreSQL refuses in any text and SQLite truncates
    at in JSON.
    """
    text = orjson.dumps(rows).decode()
    if "\\u0000" in text:  # may also be an escaped backslash before "u0000"; checked exactly, since it is rare
        refuse_nul(cell for row in rows for cell in row if isinstance(cell, str))
    return text


def refuse_nul(texts: Iterable[str]) -> None:
    """Raise StatementRejected for U+0000.

    The gateways refuse it; this keeps it out of the store on every other path.
    """
    if any("\x00" in text for text in texts):
        raise StatementRejected(ValueError("U+0000 in a text"))


def _jsonb() -> TypeEngine[Any]:
    from sqlalchemy.dialects.postgresql import JSONB

    return JSONB()
