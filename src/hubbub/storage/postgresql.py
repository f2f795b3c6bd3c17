"""PostgreSQL through psycopg: who waits for how long.

Two clocks run. The server's own limits (`statement_timeout` and its like) end what is slow and leave the connection
as good as new. A server that hangs enforces nothing, so the driver has a later one, after which the connection is
given up: the socket is closed and the next caller opens another. Where the whole machine stood still it is not: of
the time between two looks only so much counts.
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
LOOK = 0.1
POOL_TIMEOUT = 1.0
# A peer that vanished without a word is noticed by either end, also where nobody asks it anything: what it held is let
# go of, the lock that orders migrations among it.
PRESENCE = {
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "5s",
}
OWN_PRESENCE = {"keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 30_000}
LIMITS = {
    "lock_timeout": "1250ms",  # more than deadlock_timeout (1 s), so that deadlocks are told as such
    "statement_timeout": "1500ms",
    # A server of ours that stands still in the middle of a transaction must not hold up the others.
    "idle_in_transaction_session_timeout": "2s",
}
# The writer looks rows up by their keys and nothing else. Where the planner's idea of a table is old (it was small a
# minute ago), it would rather read all of it with every batch.
BY_KEY = {"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_seqscan": "off"}


def engine(url: URL, size: int, *, writing: bool) -> Engine:
    """An engine whose connections never make a thread wait for long. Raises Unavailable without the driver."""
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
    """An engine for work that takes its time: no limits, no pool."""
    return _engine(url, {}, poolclass=NullPool)


def lock_engine(url: URL, name: str) -> Engine:
    """An engine for one session that holds a lock, outside transactions; `name` is what others see of it."""
    made = _engine(url, LIMITS, name=name, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    _make_impatient(made)
    return made


def _engine(url: URL, limits: dict[str, str], *, name: str = "hubbub", **options: Any) -> Engine:
    wanted = {"synchronous_commit": "on", **PRESENCE, **limits}
    session = " ".join(f"-c {name}={value}" for name, value in wanted.items())
    arguments = {
        "connect_timeout": CONNECT_TIMEOUT,
        "application_name": name,
        "options": session,
        **OWN_PRESENCE,
    }
    try:
        return create_engine(
            url,
            connect_args=arguments,
            use_native_hstore=False,
            hide_parameters=True,  # they are what people said
            **options,
        )
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        raise Unavailable("PostgreSQL needs its driver: install hubbub[postgresql], or psycopg") from None


def _impatient() -> "type[Connection[Any]]":
    from psycopg import Connection, OperationalError
    from psycopg.errors import _WaitTimeout

    class Impatient(Connection[Any]):
        """A connection that is closed when the server has not answered within ANSWER_TIMEOUT."""

        def wait(self, gen: "PQGen[T]", interval: float = LOOK, timeout: float | None = None) -> T:
            try:
                if timeout is not None:
                    return super().wait(gen, interval, timeout)
                return super().wait(within(gen, ANSWER_TIMEOUT), interval)
            except (TimeoutError, _WaitTimeout):
                self.close()
                raise OperationalError("the server does not answer") from None

    return Impatient


def within(gen: Generator[Y, S, T], seconds: float, clock: Callable[[], float] = monotonic) -> Generator[Y, S, T]:
    """The same waits and the same result. Raises TimeoutError after so many seconds in which both were running."""
    waited = ActiveClock(2 * LOOK, clock)
    try:
        wanted = next(gen)
        while waited.seconds < seconds:
            wanted = gen.send((yield wanted))  # before the time is looked at: what is there already counts
            waited.elapsed()
    except StopIteration as end:
        result: T = end.value
        return result
    raise TimeoutError
