"""Servers of several processes: which process serves a connection, and their end."""

import contextlib
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.support.client import OPENING_ERRORS, ClosedError, Connection
from tests.support.server import STOP_DEADLINE, Server
from tests.support.waiting import eventually_async, eventually_blocking

ATTEMPTS = 300
DEADLINE = 60.0


class Workers(Server):
    """`hubbub serve` with several workers."""

    def __init__(
        self, data: Path, settings: dict[str, str], count: int = 2, launcher: Sequence[str] = ("-m", "hubbub")
    ) -> None:
        super().__init__(data, {**settings, "HUBBUB_WORKERS": str(count)}, launcher)
        self.count = count

    def processes(self) -> list[psutil.Process]:
        """Return the running workers."""
        return psutil.Process(self.pid).children()

    def wait_serving(self) -> None:
        """Wait until all workers serve for the first time."""
        eventually_blocking(lambda: self.log_lines("workers_serving"), DEADLINE, "all workers serve")

    def _end(self, how: signal.Signals) -> None:
        """End the server. Killed alone, the parent would leave workers that drain."""
        workers = self.processes() if self.process is not None and self.process.poll() is None else []
        super()._end(how)
        if how is signal.SIGKILL:
            for worker in workers:
                with contextlib.suppress(psutil.NoSuchProcess):
                    worker.kill()
        eventually_blocking(lambda: not any(map(runs, workers)), STOP_DEADLINE, "the workers have ended")


def runs(process: psutil.Process) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def process_of(server: Server, connection: Connection) -> psutil.Process:
    """Return the process of the server at the other end of a connection."""
    port = connection.socket.local_address[1]
    for process in psutil.Process(server.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if any(each.raddr and each.raddr.port == port for each in process.net_connections("tcp")):
                return process
    raise AssertionError("no worker has the connection")


async def connect_to_each(server: Server, token: str, count: int = 2) -> dict[int, Connection]:
    """Open connections until so many processes have one; return one of each by process id."""
    found: dict[int, Connection] = {}
    spare: list[Connection] = []

    async def connected() -> bool:
        try:
            connection = await Connection.open(server.websocket_url, token)
        except (*OPENING_ERRORS, ClosedError):  # a worker that was killed, until the kernel knows
            return False
        pid = process_of(server, connection).pid
        if found.setdefault(pid, connection) is not connection:
            spare.append(connection)
        return len(found) == count

    await eventually_async(connected, DEADLINE, f"{count} processes have a connection")
    for connection in spare:
        await connection.abort()
    return found
