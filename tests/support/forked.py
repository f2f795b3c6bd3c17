"""Start Python modules from a preloaded process.

The client of `fork_server.py`, similar to `subprocess`. A start by fork takes a quarter of the
processor time of a start by exec. Exec is used where a fork would differ: code (`-c`), interpreter
flags, and environment variables that are read on import.
"""

import atexit
import contextlib
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

LIMITS = [value for name, value in vars(resource).items() if name.startswith("RLIMIT_")]
OWN_VARIABLES = ("APP_", "BROKEN", "HUBBUB_", "IDIOMS_", "PYTEST_", "PYTHONUNBUFFERED", "WEBSOCKETS_MAX_")
"""Variables that preloaded modules do not read, or that the product sets itself.

The product sets WEBSOCKETS_MAX_ itself. The fork server's own streams are never buffered.
"""


class Forked:
    """A child of the fork server, with the parts of `subprocess.Popen` that tests use."""

    def __init__(self, server: "ForkServer", pid: int, args: Sequence[str]) -> None:
        self.args = list(args)
        self.pid = pid
        self.returncode: int | None = None
        self._server = server
        self._handle = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Return the exit code; None while the process runs."""
        if self.returncode is None:
            with self._server.lock:
                if self.returncode is None:
                    self.returncode = self._server.ask({"ended": self.pid})["code"]
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the exit code. Raises subprocess.TimeoutExpired."""
        watch = select.poll()
        watch.register(self._handle, select.POLLIN)
        watch.poll(None if timeout is None else timeout * 1_000)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):
            os.close(self._handle)


Process = subprocess.Popen[bytes] | Forked


class ForkServer:
    """A preloaded process, started on first use; its children end with it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self._channel, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fork_server", str(other.fileno())],
                cwd=Path(__file__).resolve().parents[2],
                env=self.environment,
                pass_fds=[other.fileno()],
                start_new_session=True,
            )
        atexit.register(self.close)

    def start(
        self, args: Sequence[str], streams: Sequence[int], environment: Mapping[str, str], folder: str, session: bool
    ) -> Forked:
        request = {
            "module": args[2],
            "arguments": args[3:],
            "environment": dict(environment),
            "folder": folder,
            "session": session,
            "limits": [(kind, resource.getrlimit(kind)) for kind in LIMITS],
        }
        with self.lock:
            return Forked(self, self.ask(request, streams)["pid"], args)

    def ask(self, request: dict[str, Any], streams: Sequence[int] = ()) -> dict[str, Any]:
        """Send a request and return the answer; the caller holds the lock."""
        socket.send_fds(self._channel, [json.dumps(request).encode()], list(streams))
        answer = self._channel.recv(65_536)
        assert answer, f"the fork server has ended with {self._process.wait()}"
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        self._channel.close()
        self._process.wait()

    def can(self, args: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Return True if a fork is equivalent to a newly started process."""
        names = environment.keys() ^ self.environment.keys() | {
            name for name, value in environment.items() if self.environment.get(name) != value
        }
        return args[0] == sys.executable and args[1] == "-m" and all(name.startswith(OWN_VARIABLES) for name in names)


_servers: list[ForkServer] = []


def start(
    args: Sequence[str],
    *,
    env: Mapping[str, str],
    stdout: IO[Any],
    stderr: IO[Any] | None = None,
    stdin: IO[Any] | None = None,
    cwd: str | Path | None = None,
    session: bool = True,
    fork: bool = True,
) -> Process:
    """Start a program, by fork where that is equivalent.

    `stderr` goes to `stdout` unless given; `stdin` is empty by default.
    """
    folder = str(cwd or Path.cwd())
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        streams = (stdin or nothing, stdout, stderr or stdout)
        if fork and sys.platform == "linux":
            if not _servers:
                _servers.append(ForkServer())
            if _servers[0].can(args, env):
                return _servers[0].start(args, [stream.fileno() for stream in streams], env, folder, session)
        return subprocess.Popen(
            args, stdin=streams[0], stdout=streams[1], stderr=streams[2], env=env, cwd=cwd, start_new_session=session
        )


def run(
    args: Sequence[str],
    *,
    env: Mapping[str, str],
    input: str = "",  # noqa: A002  as subprocess.run names it
    cwd: str | Path | None = None,
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run a program and capture its text, by fork where that is equivalent.

    Raises subprocess.TimeoutExpired.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(input.encode())
        given.seek(0)
        process = start(args, env=env, stdin=given, stdout=out, stderr=err, cwd=cwd)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
            process.wait()
        said = []
        for stream in (out, err):
            stream.seek(0)
            said.append(stream.read().decode())
    return subprocess.CompletedProcess(list(args), code, *said)
