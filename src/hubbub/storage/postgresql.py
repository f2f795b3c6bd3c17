"""PostgreSQL through psycopg: engines and their timeouts.

There are two kinds of timeouts. The server's own limits (`statement_timeout` and similar) cancel
slow statements and leave the connection usable. A server that hangs enforces nothing, so the driver
has a later timeout. When it expires, the socket is closed and the next caller opens another
connection. It does not expire because the whole machine stood still: only a limited part of the
time between two checks counts.
"""

from collections.abc import Callable, Generator
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import URL, Dialect, Engine, NullPool, create_engine, event

from hubbub.domain.errors import Unavailable
from hubbub.storage.active_time import ActiveClock

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.abc import PQGen

Y = TypeVar("Y")
S = TypeVar("S")
T = TypeVar("T")

CONNECT_TIMEOUT = 2  # seconds; libpq takes whole ones, and none below
ANSWER_TIMEOUT = 1.75
CHECK_INTERVAL = 0.1
POOL_TIMEOUT = 1.0
# Both ends detect a peer that has disappeared without closing the connection, even while the
# connection is idle. The server then releases what the session held, such as the lock that orders
# migrations.
SERVER_KEEPALIVE = {
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "5s",
}
CLIENT_KEEPALIVE = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
LIMITS = {
    "lock_timeout": "1250ms",  # more than deadlock_timeout (1 s), so that deadlocks are reported as deadlocks
    "statement_timeout": "1500ms",
    # A Hubbub server that stands still in the middle of a transaction must not block the others.
    "idle_in_transaction_session_timeout": "2s",
}
# The writer looks up rows by their keys only. With outdated statistics (the table was small a
# minute ago) the planner would otherwise scan the whole table with every batch.
BY_KEY = {"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_seqscan": "off"}


def engine(url: URL, size: int, *, writing: bool) -> Engine:
    """Return an engine whose connections never make a thread wait for long.

    Raises Unavailable if the driver is not installed.
    """
    made = _engine(
        url,
        {**LIMITS, **(BY_KEY if writing else {"default_transaction_read_only": "on"})},
        pool_size=size,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT,
        pool_pre_ping=not writing,
        isolation_level="READ COMMITTED" if writing else "REPEATABLE READ",
    )
    _make_impatient(made)
    return made


def _make_impatient(made: Engine) -> None:
    impatient = _impatient()

    def connect(_dialect: Dialect, _record: Any, arguments: list[Any], options: dict[str, Any]) -> "Connection[Any]":
        return impatient.connect(*arguments, **options)

    event.listen(made, "do_connect", connect)


def patient_engine(url: URL) -> Engine:
    """Return an engine for long operations: no timeouts, no pool."""
    return _engine(url, {}, poolclass=NullPool)


def lock_engine(url: URL, name: str) -> Engine:
    """Return an engine for one session that holds a lock, outside transactions.

    `name` is the `application_name` that other sessions see.
    """
    made = _engine(url, LIMITS, name=name, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    _make_impatient(made)
    return made


def bus_options() -> dict[str, Any]:
    """Return the options of the connection of the bus, which has no SQLAlchemy engine."""
    session = " ".join(f"-c {name}={value}" for name, value in SERVER_KEEPALIVE.items())
    return {
        "connect_timeout": CONNECT_TIMEOUT,
        "application_name": "hubbub-bus",
        "options": session,
        **CLIENT_KEEPALIVE,
    }


def _engine(url: URL, limits: dict[str, str], *, name: str = "hubbub", **options: Any) -> Engine:
    wanted = {"synchronous_commit": "on", **SERVER_KEEPALIVE, **limits}
    session = " ".join(f"-c {name}={value}" for name, value in wanted.items())
    arguments = {
        "connect_timeout": CONNECT_TIMEOUT,
        "application_name": name,
        "options": session,
        **CLIENT_KEEPALIVE,
    }
    try:
        return create_engine(
            url,
            connect_args=arguments,
            use_native_hstore=False,
            hide_parameters=True,  # they contain users' messages
            **options,
        )
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        raise Unavailable("PostgreSQL needs a driver. Install hubbub[postgresql] or psycopg.") from None


def _impatient() -> "type[Connection[Any]]":
    from psycopg import Connection, OperationalError, errors

    timeouts = TimeoutError, getattr(errors, "_WaitTimeout", TimeoutError)  # psycopg has the second one since 3.3.7

    class Impatient(Connection[Any]):
        """A connection that is closed if an answer takes longer than ANSWER_TIMEOUT."""

        def wait(self, gen: "PQGen[T]", interval: float = CHECK_INTERVAL, timeout: float | None = None) -> T:
            try:
                if timeout is not None:
                    return super().wait(gen, interval, timeout)
                return super().wait(within(gen, ANSWER_TIMEOUT), interval)
            except timeouts:
                self.close()
                raise OperationalError("the server does not answer") from None

    return Impatient


def within(gen: Generator[Y, S, T], seconds: float, clock: Callable[[], float] = monotonic) -> Generator[Y, S, T]:
    """Wrap the generator `gen` with a timeout; the waits and the result are unchanged.

    Raises TimeoutError after `seconds` in which this process was running.
    """
    waited = ActiveClock(2 * CHECK_INTERVAL, clock)
    try:
        wanted = next(gen)
        while waited.seconds < seconds:
            wanted = gen.send((yield wanted))  # before the check of the time, so that an answer that is there counts
            waited.elapsed()
    except StopIteration as end:
        result: T = end.value
        return result
    raise TimeoutError
