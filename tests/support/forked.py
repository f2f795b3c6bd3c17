"""Start Python modules out of a warmed process: the client of `fork_server.py`, with the manner of `subprocess`.

A start by fork takes a quarter of the processor time of one by exec. What a fork cannot do is started by exec: code
(`-c`), flags of the interpreter, and an environment that is read when modules are imported.
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
OWN_VARIABLES = ("APP_", "BROKEN", "HUBBUB_", "PYTEST_", "PYTHONUNBUFFERED", "WEBSOCKETS_MAX_")
"""Nothing that is warmed reads these when it is imported, or the product sets them itself (WEBSOCKETS_MAX_).

The fork server's own streams are never buffered."""


class Forked:
    """A child of the fork server: what tests use of `subprocess.Popen`."""

    def __init__(self, server: "ForkServer", pid: int, args: Sequence[str]) -> None:
        self.args = list(args)
        self.pid = pid
        self.returncode: int | None = None
        self._server = server
        self._handle = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """The exit code; None while the process runs."""
        if self.returncode is None:
            with self._server.lock:
                if self.returncode is None:
                    self.returncode = self._server.ask({"ended": self.pid})["code"]
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
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
    """One warmed process, started when it is first needed; it takes its children with it."""

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
        """One answer to one request; the caller holds the lock."""
        socket.send_fds(self._channel, [json.dumps(request).encode()], list(streams))
        answer = self._channel.recv(65_536)
        assert answer, f"the fork server has ended with {self._process.wait()}"
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        self._channel.close()
        self._process.wait()

    def can(self, args: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Whether a fork is the same as a process that is started anew."""
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
    """Start a program, by fork where that is the same. `stderr` goes to `stdout` unless given; `stdin` is empty."""
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
    """`subprocess.run` with captured text, by fork where that is the same. Raises subprocess.TimeoutExpired."""
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
