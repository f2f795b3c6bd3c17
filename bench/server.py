"""A server under test: a process tree with its CPU time and memory."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil

START_DEADLINE = 30.0


class StartError(Exception):
    """The server ended or did not respond; contains the end of its log."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of CPU time in user space and in the kernel."""

    user: float
    system: float

    @property
    def total(self) -> float:
        return self.user + self.system

    def __sub__(self, earlier: Cpu) -> Cpu:
        return Cpu(self.user - earlier.user, self.system - earlier.system)


class Server:
    """Starts on entering.

    Ready when `ready_path` answers 200 or, without one, when the port accepts.
    """

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        log: Path,
        cpus: str,
        environment: Mapping[str, str] | None = None,
        ready_path: str | None = None,
    ) -> None:
        self.port = port
        self.start_seconds = 0.0
        self._command = ["taskset", "-c", cpus, *command]
        self._log = log
        self._environment = {**os.environ, **(environment or {})}
        self._ready_path = ready_path

    def __enter__(self) -> Server:
        begin = time.monotonic()
        with self._log.open("wb") as log:
            self._process = psutil.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
            )
        try:
            while not self._answers():
                if self._process.poll() is not None or time.monotonic() - begin > START_DEADLINE:
                    raise StartError(self._log.read_text(errors="replace")[-2000:])
                time.sleep(0.005)
        except BaseException:
            self._stop()
            raise
        self.start_seconds = time.monotonic() - begin
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def cpu(self) -> Cpu:
        times = [process.cpu_times() for process in self._tree()]
        return Cpu(
            sum(t.user + t.children_user for t in times),
            sum(t.system + t.children_system for t in times),
        )

    def resident_bytes(self) -> int:
        """Return the resident memory of the whole tree.

        Shared pages count once per process.
        """
        return sum(process.memory_info().rss for process in self._tree())

    def proportional_bytes(self) -> int:
        """Return the memory with shared pages divided by their users (PSS).

        Kernel memory is not included.
        """
        return sum(process.memory_full_info().pss for process in self._tree())

    def _tree(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]

    def _answers(self) -> bool:
        try:
            if self._ready_path is None:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", self._ready_path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False

    def _stop(self) -> None:
        tree = self._tree() if self._process.poll() is None else []
        for process in tree[:1]:
            process.terminate()
        _, alive = psutil.wait_procs(tree, timeout=10)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
