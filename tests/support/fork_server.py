"""A process with the server's modules imported that forks on request.

Starts from it need no imports. `python -m tests.support.fork_server FD` answers on that socket;
`forked.py` is its client. A child runs a module as `python -m MODULE` would, with its own
arguments, environment, folder, standard streams and resource limits. It is an ordinary process: it
has a session, it can be killed, and it ends as the interpreter ends. This process has one thread
and no event loop, and must not get any: a fork would copy them broken.
"""

import gc
import importlib
import json
import os
import resource
import runpy
import signal
import socket
import sys
from typing import Any

WARM = (
    "alembic.command",
    "alembic.runtime.migration",
    "hubbub.cli",
    "hubbub.control",
    "hubbub.main",
    "hubbub.mounted",
    "psycopg",
    "anyio._backends._asyncio",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "uvicorn.main",
    "uvloop",
    "tests.support.quick_passwords",
)
"""These modules start no thread, keep no file open and read no environment."""

PATIENT_DATABASE = "PYTEST_PATIENT_DATABASE"
"""A variable that gives a child the limits PATIENT on PostgreSQL."""
PATIENT = {"statement_timeout": "20s", "idle_in_transaction_session_timeout": "20s"}
"""PostgreSQL's own timeouts continue while the machine stalls; tests in `storage/` cover the product's values."""

LARGEST = 1_000_000
"""Maximum bytes of a request."""


def serve(channel: socket.socket) -> str:
    """Answer requests until the other end closes, then exit.

    In a child, return the module to run.
    """
    gc.disable()
    for name in WARM:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    gc.enable()
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208
    assert threads == 1, f"a fork server must have one thread, and has {threads}"
    children: set[int] = set()
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, LARGEST, 3)
        if not message:
            break
        request = json.loads(message)
        if "module" in request:
            pid = os.fork()
            if pid == 0:
                channel.detach()
                return become(request, descriptors)
            children.add(pid)
            for descriptor in descriptors:
                os.close(descriptor)
            answer: dict[str, int | None] = {"pid": pid}
        else:
            answer = {"code": ended(request["ended"], children)}
        channel.send(json.dumps(answer).encode())
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    for pid in children:
        os.waitpid(pid, 0)
    sys.exit()


def ended(pid: int, children: set[int]) -> int | None:
    """Return the exit code of a child, negative for a signal; None while it runs.

    The process id is free only after this.
    """
    found, status = os.waitpid(pid, os.WNOHANG)
    if not found:
        return None
    children.remove(pid)
    return os.waitstatus_to_exitcode(status)


def become(request: dict[str, Any], descriptors: list[int]) -> str:
    """Give the child what a new process would have; return the module to run."""
    if request["session"]:
        os.setsid()
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    for kind, limits in request["limits"]:
        if resource.getrlimit(kind) != tuple(limits):
            resource.setrlimit(kind, limits)
    if PATIENT_DATABASE in os.environ:
        importlib.import_module("hubbub.storage.postgresql").LIMITS.update(PATIENT)
    if os.environ.get("PYTEST_QUICK_PASSWORDS"):
        importlib.import_module("tests.support.quick_passwords").use()
    importlib.invalidate_caches()
    sys.path[0] = request["folder"]
    sys.argv = ["-m", *request["arguments"]]
    module: str = request["module"]
    return module


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the tests, and the tests end the servers
    # `python -m` uses this function. A child leaves this file here, and ends as the interpreter
    # ends.
    runpy._run_module_as_main(serve(socket.socket(fileno=int(sys.argv[1]))))  # type: ignore[attr-defined]
