"""Many rows as one JSON parameter: the set-based form of a bulk statement, on both databases."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    FromClause,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal_column,
)
from sqlalchemy.types import TypeEngine

Columns = Mapping[str, TypeEngine[Any]]
BIG = BigInteger()
TEXT = Text()


class Rows:
    """A FROM clause over the JSON parameter `name`, an array of arrays in the order of `columns`."""

    def __init__(self, dialect: Dialect, columns: Columns, name: str = "rows") -> None:
        self.source: FromClause
        self._columns: dict[str, ColumnElement[Any]] = {}
        if dialect.name == "sqlite":
            each = func.json_each(bindparam(name, type_=TEXT)).table_valued("value", name=name)
            self.source = each
            for index, (key, kind) in enumerate(columns.items()):
                path = literal_column(f"'$[{index}]'", TEXT)  # bound, it would be parsed anew for each row
                self._columns[key] = func.json_extract(each.c.value, path, type_=kind)
        else:
            array = func.jsonb_array_elements(cast(bindparam(name, type_=TEXT), _jsonb()))
            each = array.table_valued(column("value", _jsonb()), name=name).render_derived()
            self.source = each
            for index, (key, kind) in enumerate(columns.items()):
                self._columns[key] = cast(each.c.value.op("->>")(index), kind)

    def __getitem__(self, key: str) -> ColumnElement[Any]:
        return self._columns[key]

    def columns(self) -> list[ColumnElement[Any]]:
        return [element.label(key) for key, element in self._columns.items()]


def encode(rows: Sequence[Sequence[Any]]) -> str:
    return orjson.dumps(rows).decode()


def _jsonb() -> TypeEngine[Any]:
    from sqlalchemy.dialects.postgresql import JSONB

    return JSONB()
