"""Waits for a PostgreSQL that is not up yet, as when a whole machine starts.

A server that does not answer, still starts or has no free connection is worth waiting for. A wrong
password or an unknown database is not. libpq has no SQLSTATE for a failed connection, so the text
decides: what is not known to be permanent is waited for, and reported at the end.
"""

import re
import threading
from collections.abc import Callable
from time import monotonic

import structlog
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from hubbub.storage import postgresql
from hubbub.storage.db_errors import words_of

RETRY_INTERVAL = 0.5
PROGRESS_INTERVAL = 10.0
"""Seconds between two lines in the log."""
PERMANENT = re.compile(
    r"(?:password|SASL|peer|ident|certificate|LDAP|PAM|GSSAPI|RADIUS) authentication failed"
    r'|no password supplied|(?:database|role) "[^"]*" does not exist|no such (?:database|user)\b'
    r"|no pg_hba\.conf entry|pg_hba\.conf rejects|is not permitted to log in|permission denied for database"
    r"|does not support SSL, but SSL was required|certificate verify failed|invalid \w+ value:",
    re.IGNORECASE,
)
"""What PostgreSQL, PgBouncer and libpq say when another attempt would not help."""

logger = structlog.get_logger(__name__)


class ConnectionRefused(Exception):
    """PostgreSQL refuses this address for good: the message is its reason."""


class NotUp(Exception):
    """PostgreSQL did not answer in time. The message is a sentence for the operator."""


def wait_until_up(url: URL, seconds: float, stop: threading.Event, clock: Callable[[], float] = monotonic) -> bool:
    """Wait until PostgreSQL accepts a connection; return False if `stop` was set before.

    Raises ConnectionRefused, at once; NotUp after `seconds`.
    """
    began = reported = clock()
    is_told = False
    while (reason := _try(url)) is not None:
        now = clock()
        if now - began >= seconds:
            waited = f" after {seconds:g} s" if seconds else ""
            raise NotUp(
                f"PostgreSQL at {_where(url)} does not accept connections{waited}: {reason}. "
                "Start it, or correct HUBBUB_DATABASE_URL."
            )
        if not is_told:
            advice = f"PostgreSQL at {_where(url)} is not up yet. The server waits up to {seconds:g} s for it."
            logger.warning("postgresql_not_up", advice=advice, reason=reason)
            is_told = True
        elif now - reported >= PROGRESS_INTERVAL:
            reported = now
            logger.info("postgresql_still_not_up", seconds=round(now - began), reason=reason)
        if stop.wait(min(RETRY_INTERVAL, max(0.0, began + seconds - now))):
            return False
    if is_told:
        logger.info("postgresql_is_up", seconds=round(clock() - began, 1))
    return not stop.is_set()


def _try(url: URL) -> str | None:
    """Connect once. Returns None on success, else why not yet. Raises ConnectionRefused."""
    engine = postgresql.lock_engine(url, "hubbub")
    try:
        engine.connect().close()
    except DBAPIError as error:
        reason = words_of(error.orig or error)
        if PERMANENT.search(reason) or not is_operational(error):
            raise ConnectionRefused(reason) from None
        return reason
    finally:
        engine.dispose()
    return None


def is_operational(error: DBAPIError) -> bool:
    return any(base.__name__ == "OperationalError" for base in type(error.orig or error).__mro__)


def _where(url: URL) -> str:
    """Return the host and the port of the address, without the password."""
    host = url.host or url.query.get("host") or "the default socket"
    return f"{host if isinstance(host, str) else ', '.join(host)}{f':{url.port}' if url.port else ''}"
