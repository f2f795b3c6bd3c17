"""Translates database errors: retry the transaction, or a statement is wrong.

The former are `Unavailable` and `Contended`, the latter is `StatementRejected`. Both drivers report
errors by exception classes (PEP 249), PostgreSQL also by SQLSTATE.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from hubbub.domain.errors import Unavailable
from hubbub.domain.text import one_line

CONTENDED = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected: rolled back, may be repeated
QUERY_CANCELED = "57014"
NO_RIGHTS = frozenset({"42501", "3F000"})  # insufficient_privilege, invalid_schema_name: no schema to create tables in
STANDBY = frozenset({"25006"})  # read_only_sql_transaction: a standby, until it is promoted to primary
MAX_REASON = 300
"""Characters of PostgreSQL's message that are shown."""
RIGHTS = (
    "The database user must own Hubbub's tables and may create more in its schema: make it the owner of the database, "
    "or run GRANT USAGE, CREATE ON SCHEMA public TO the user."
)


class StatementRejected(Exception):
    """The store refused a statement.

    The transaction is lost, and one of its commands is the cause. `by_constraint` is True if a
    constraint was violated. Otherwise the statement itself is wrong, which is a bug.
    """

    def __init__(self, error: BaseException) -> None:
        self.by_constraint = _is_a(error, "IntegrityError")
        super().__init__(f"{type(error).__name__}: {error}")


class NotPermitted(Exception):
    """The database user lacks rights. The message is a sentence for the operator."""


class Contended(Unavailable):
    """The store rolled this transaction back in favour of another one.

    It can be run again at once.
    """


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn the database's exceptions into Unavailable, Contended, NotPermitted or StatementRejected.

    Hubbub's own exceptions pass unchanged.
    """
    try:
        yield
    except (PoolTimeout, PendingRollbackError) as error:
        raise Unavailable(retry_after=1.0) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable(retry_after=1.0) from error
        raise _translate(error.orig or error) from error
    except Exception as error:
        if isinstance(error, sqlite3.Error) or type(error).__module__.startswith("psycopg"):
            raise _translate(error) from error
        raise


def _translate(error: BaseException) -> Exception:
    state = getattr(error, "sqlstate", None)
    if state in CONTENDED:
        return Contended(retry_after=1.0)
    if state in NO_RIGHTS:
        reason = one_line(str(error).partition("\n")[0])[:MAX_REASON]
        return NotPermitted(f"PostgreSQL refuses: {reason}. {RIGHTS}")
    if state in STANDBY or _is_a(error, "OperationalError"):
        return Unavailable(retry_after=1.0)
    if isinstance(error, sqlite3.Error):
        # The plain class means a damaged or unreadable file (SQLITE_CORRUPT, SQLITE_NOTADB,
        # SQLITE_IOERR).
        return Unavailable(retry_after=5.0) if type(error) is sqlite3.DatabaseError else StatementRejected(error)
    # psycopg raises InterfaceError for a connection that is already closed.
    return Unavailable(retry_after=1.0) if _is_a(error, "InterfaceError") else StatementRejected(error)


def timed_out(error: BaseException) -> bool:
    """Return whether PostgreSQL ended a statement after its `statement_timeout`."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) == QUERY_CANCELED


def disk_is_full(error: BaseException) -> bool:
    """Return whether a full disk is among the causes of an SQLite error."""
    cause: BaseException | None = error
    while cause is not None:
        found = getattr(cause, "orig", cause)  # as the driver raised it, or in SQLAlchemy's wrapping
        if isinstance(found, sqlite3.Error) and found.sqlite_errorcode == sqlite3.SQLITE_FULL:
            return True
        cause = cause.__cause__
    return False


def reason_of(error: BaseException) -> str | None:
    """Return what the driver said, in one line; None if no database is among the causes.

    It can name the host, the port and the user, but no password.
    """
    cause = error.__cause__
    while cause is not None:
        found = getattr(cause, "orig", None) or cause
        if isinstance(found, sqlite3.Error) or type(found).__module__.startswith("psycopg"):
            return words_of(found)
        cause = cause.__cause__
    return None


def words_of(error: BaseException) -> str:
    """Return the driver's message in one line, without the stop at its end."""
    text = one_line(re.sub(r"\s+", " ", str(error)[: 4 * MAX_REASON])).removeprefix("connection failed: ").strip(" .?")
    return text if len(text) <= MAX_REASON else text[:MAX_REASON] + "…"


def _is_a(error: BaseException, name: str) -> bool:
    return any(base.__name__ == name for base in type(error).__mro__)
