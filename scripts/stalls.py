"""Run a command on a machine that stands still now and then: `python -m scripts.stalls [options] COMMAND …`.

All processes of the command are stopped for some seconds, again and again, also those in sessions of their own. The
tests must pass: `python -m scripts.stalls .venv/bin/python -m pytest tests/faults`. Linux only.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import psutil

MARK = "PYTEST_STALLS"
"""An environment variable by which a process is found whose parents have ended."""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Run a command, and stop all its processes now and then.")
    parser.add_argument("--every", type=float, default=15, help="seconds from one stop to the next (15)")
    parser.add_argument("--seconds", type=float, default=3, help="duration of a stop (3)")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    wanted = parser.parse_args(arguments)
    mark = f"{os.getpid()}-{time.time_ns()}"
    command = subprocess.Popen(wanted.command, env={**os.environ, MARK: mark})
    count = 0
    while not _ended(command, wanted.every - wanted.seconds):
        stopped = _stop_all(mark)
        time.sleep(wanted.seconds)
        for process in reversed(stopped):
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGCONT)
        count += 1
    print(f"Stopped all processes {count} times for {wanted.seconds:g} s.")
    return command.returncode


def _ended(command: "subprocess.Popen[bytes]", within: float) -> bool:
    with contextlib.suppress(subprocess.TimeoutExpired):
        command.wait(within)
    return command.returncode is not None


def _stop_all(mark: str) -> list[psutil.Process]:
    """Stop all marked processes, except those that a test has stopped; return them."""
    stopped = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_STOPPED:
                process.send_signal(signal.SIGSTOP)
                stopped.append(process)
    return stopped


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
