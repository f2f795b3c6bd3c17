"""Runs a statement in the transaction of a connection that the host application gives.

The connection is SQLAlchemy's (a Session or a Connection), or the driver's (sqlite3, psycopg). It is
recognised by the names of its classes, so that no package is imported that the host does not use.
"""

import re
from collections.abc import Mapping
from typing import Any, cast

from hubbub.outbox.table import DatabaseKind

Row = tuple[Any, ...]
SESSIONS = frozenset({"sqlalchemy.Session", "sqlalchemy.scoped_session"})
ASYNC_SQLALCHEMY = frozenset(
    {"sqlalchemy.AsyncSession", "sqlalchemy.async_scoped_session", "sqlalchemy.AsyncConnection"}
)
PSYCOPG_ASYNC = "psycopg.AsyncConnection"
KINDS = (
    SESSIONS | ASYNC_SQLALCHEMY | {"sqlalchemy.Connection", "sqlite3.Connection", "psycopg.Connection", PSYCOPG_ASYNC}
)
EXPECTED = "a Session or a Connection of SQLAlchemy, a sqlite3.Connection, or a psycopg.Connection"
PARAMETER = re.compile(r":(\w+)")


def kind_of(connection: object) -> str:
    """Return the name of the connection's class in KINDS. Raises TypeError for any other object."""
    for base in type(connection).__mro__:
        name = f"{base.__module__.partition('.')[0]}.{base.__name__}"
        if name in KINDS:
            return name
    raise TypeError(f"an outbox needs {EXPECTED}, not {type(connection).__name__}")


def database_kind(connection: Any) -> DatabaseKind:
    """Return the kind of database that a connection leads to. Raises TypeError, ValueError."""
    kind = _sync_kind(connection)
    if kind == "sqlite3.Connection":
        return "sqlite"
    if kind == "psycopg.Connection":
        return "postgresql"
    name = _connection(connection, kind).dialect.name
    if name not in ("postgresql", "sqlite"):
        raise ValueError(f"an outbox needs PostgreSQL or SQLite, not {name}")
    return cast("DatabaseKind", name)


def run(connection: Any, statement: str, parameters: Mapping[str, object]) -> tuple[list[Row], int]:
    """Execute a statement; return its rows, and how many rows it changed.

    Parameters are written `:name`. Raises TypeError for a connection that is async, and the driver's
    errors.
    """
    kind = _sync_kind(connection)
    if kind.startswith("sqlalchemy"):
        from sqlalchemy import text

        result = _connection(connection, kind).execute(text(statement), parameters)
        return [tuple(row) for row in result] if result.returns_rows else [], result.rowcount
    if kind == "sqlite3.Connection":
        cursor = connection.cursor()
        cursor.row_factory = None
        cursor.execute(statement, parameters)
    else:
        from psycopg.rows import tuple_row

        cursor = connection.cursor(row_factory=tuple_row)
        cursor.execute(for_psycopg(statement), parameters)
    rows = cursor.fetchall() if cursor.description is not None else []
    changed = cursor.rowcount
    cursor.close()
    return rows, changed


async def run_async(connection: Any, statement: str, parameters: Mapping[str, object]) -> None:
    """Execute a statement on an async connection. Raises TypeError for any other connection."""
    kind = kind_of(connection)
    if kind in ASYNC_SQLALCHEMY:
        await connection.run_sync(run, statement, parameters)
    elif kind == PSYCOPG_ASYNC:
        await connection.execute(for_psycopg(statement), parameters)
    else:
        raise TypeError(f"a {type(connection).__name__} is not async: use post()")


def for_psycopg(statement: str) -> bytes:
    """Return a statement with psycopg's parameters, as a type that psycopg takes from any code."""
    return PARAMETER.sub(r"%(\1)s", statement).encode()


def _sync_kind(connection: object) -> str:
    kind = kind_of(connection)
    if kind in ASYNC_SQLALCHEMY or kind == PSYCOPG_ASYNC:
        raise TypeError(
            f"an {type(connection).__name__} is async: use `await outbox.post_async(…)`, "
            "or `await session.run_sync(outbox.NAME, …)` for the other methods"
        )
    return kind


def _connection(given: Any, kind: str) -> Any:
    """Return SQLAlchemy's Connection, in the transaction of a Session if one is given."""
    return given.connection() if kind in SESSIONS else given
