"""PostgreSQL: connection settings, translation of errors, and creation."""

import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from itertools import accumulate

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from hubbub.domain.errors import Unavailable
from hubbub.storage import log, migrate, postgresql
from hubbub.storage.accounts import OPEN
from hubbub.storage.database import Database, Statement, driver_cursor
from hubbub.storage.db_errors import Contended, StatementRejected, translate_errors
from hubbub.storage.facts import MESSAGES, POSTED, ROOMS
from hubbub.storage.messages import INSERT
from hubbub.storage.reads import MOVE
from hubbub.storage.schema import metadata
from hubbub.storage.transaction import HEADS, INSERT_LOG, LOCK
from tests.support.postgres import START, Postgres

NOBODY = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"


@pytest.fixture
def empty(postgres_server: Postgres) -> Iterator[str]:
    address = postgres_server.empty()
    yield address
    postgres_server.drop(address)


@pytest.fixture
def store(postgres_server: Postgres) -> Iterator[Database]:
    address = postgres_server.fresh()
    with closing(Database(address)) as database:
        yield database
    postgres_server.drop(address)


def test_commits_are_durable_and_every_wait_has_a_timeout(store: Database) -> None:
    wanted = {
        "synchronous_commit": "on",
        "statement_timeout": "1500ms",
        "lock_timeout": "1250ms",
        "idle_in_transaction_session_timeout": "2s",
        "transaction_isolation": "read committed",
    }
    with store.writer.connect() as connection:
        assert {name: connection.exec_driver_sql(f"SHOW {name}").scalar() for name in wanted} == wanted


@pytest.mark.parametrize("hot", [POSTED, MESSAGES, ROOMS, INSERT, MOVE, LOCK, INSERT_LOG, HEADS, OPEN])
def test_statements_of_the_writer_never_scan_a_table(store: Database, hot: Statement) -> None:
    """This also holds with outdated statistics.

    These tables are empty, and all rows would fit on one page.
    """
    with store.writer.connect() as connection:
        text, order, constants = hot.compiled(connection.dialect)
        assert order is None
        cursor = driver_cursor(connection)
        plan = cursor.execute(f"EXPLAIN {text}", {**constants, "rows": "[]", "user": 1, "at": 1, "tx": 1}).fetchall()
    assert "Seq Scan" not in str(plan), plan


def test_readers_cannot_write(store: Database) -> None:
    with pytest.raises(Unavailable):
        store.read(lambda connection: connection.execute(text("DELETE FROM meta")))


def test_a_slow_statement_times_out_and_the_connection_stays_usable(store: Database) -> None:
    with store.writer.connect() as connection:
        with pytest.raises(Unavailable), translate_errors():
            connection.execute(text("SELECT pg_sleep(5)"))
        connection.rollback()
        assert connection.scalar(text("SELECT 1")) == 1


@pytest.mark.parametrize(
    ("statement", "meaning"),
    [
        ("INSERT INTO meta VALUES ('epoch', 'again')", StatementRejected),
        ("SELECT nonsense", StatementRejected),
        ("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$", Contended),
        ("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$", Contended),
        ("DO $$ BEGIN RAISE SQLSTATE '53100'; END $$", Unavailable),  # Disk full.
        ("DO $$ BEGIN RAISE SQLSTATE '57P01'; END $$", Unavailable),  # Shutting down.
    ],
)
def test_rejected_statements_are_distinguished_from_unavailability(
    store: Database, statement: str, meaning: type[Exception]
) -> None:
    with pytest.raises(meaning) as caught, translate_errors(), store.writer.connect() as connection, connection.begin():
        connection.exec_driver_sql(statement)
    assert type(caught.value) is meaning
    if isinstance(caught.value, StatementRejected):
        assert caught.value.by_constraint == statement.startswith("INSERT")


def test_an_unreachable_server_is_unavailable_at_once() -> None:
    with closing(Database(NOBODY)) as database, pytest.raises(Unavailable):
        database.read(log.epoch)


def asking(looks: int) -> Generator[str, int, str]:
    for _ in range(looks):
        yield "wait"
    return "answered"


def played(looks: int, *gaps: float) -> str:
    """Return the outcome if the answer comes at that look.

    The gaps are the seconds between looks.
    """
    times = iter(accumulate((0.0, *gaps, *[0.1] * looks)))
    waits = postgresql.within(asking(looks), 1.75, lambda: next(times))
    with suppress(TimeoutError):
        next(waits)
        while True:
            try:
                waits.send(0)
            except StopIteration as end:
                return str(end.value)
    return "given up"


def test_a_late_answer_is_abandoned_unless_the_machine_stood_still() -> None:
    assert played(17) == "answered"
    assert played(25) == "given up"
    assert played(3, 2.5) == "answered"
    assert played(3, 0.1, 3600.0) == "answered"
    assert played(25, 2.5) == "given up"


def test_without_the_driver_the_error_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from hubbub.domain.errors import Unavailable\n"
        "from hubbub.storage.database import Database\n"
        "try:\n"
        f"    Database({NOBODY!r})\n"
        "except Unavailable as error:\n"
        "    sys.exit(error.message)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == "PostgreSQL needs a driver. Install hubbub[postgresql] or psycopg.\n"


def test_the_scripts_create_the_schema_of_the_code(empty: str) -> None:
    with closing(Database(empty)) as store, store.migrating() as connection:
        migrate.run_scripts(connection)
        assert migrate.current(connection) == migrate.HEAD
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_nodes_that_start_at_once_on_an_empty_database_create_one_site(empty: str) -> None:
    together = threading.Barrier(4)

    def start(number: int) -> str | None:
        with closing(Database(empty)) as store:
            together.wait(10)
            before, _, _ = migrate.upgrade(store, epoch=f"epoch {number}", now=START)
            return before

    with ThreadPoolExecutor(4) as threads:
        before = sorted(threads.map(start, range(4)), key=str)
    assert before == [migrate.HEAD, migrate.HEAD, migrate.HEAD, None]
    with closing(Database(empty)) as store:
        assert store.read(log.epoch).startswith("epoch ")
