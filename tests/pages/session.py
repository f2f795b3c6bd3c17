"""Run a page from top to bottom, as a reader does: its files in one folder, its commands in one shell.

Servers that a page starts run in the background until the page ends. The ports 8000 and 8001 are
replaced by free ones. A `text` block after a `sh` block is what it prints; `…` stands for anything.

What is not run is listed in OUTSIDE, and why.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.support.documents import ROOT, Block, blocks_in
from tests.support.ports import free_port

OUTSIDE = {
    "pip": "installs into the reader's environment; tests/house/test_wheel.py builds and installs the wheel",
    "python3 -m venv": "the same",
    "sudo": "changes the machine",
    "| sudo": "changes the machine",
}
SERVES = re.compile(r"(?:\w+=(?:'[^']*'|\S+) )*(?:hubbub serve|uvicorn|gunicorn|hypercorn|granian)\b")
STOP = "# Ctrl+C"
"""A comment that tells readers, at the start of a block, to stop the servers of the page."""
MARK = "-- end of block --"
DEADLINE = 150

PRELUDE = """
set -eu -o pipefail
stops() {
    kill $(jobs -p) 2>/dev/null || true
    wait
}
trap stops EXIT
serves() {
    local port=$1
    shift
    "$@" >>server.log 2>&1 &
    for _ in $(seq 600); do
        if curl --silent --output /dev/null "http://127.0.0.1:$port/"; then return; fi
        kill -0 $! 2>/dev/null || break
        sleep 0.1
    done
    cat server.log >&2
    exit 1
}
"""


def lines(block: str) -> list[str]:
    """Return the commands of a shell block: lines, with continued ones joined."""
    found: list[str] = []
    for line in re.sub(r"\\\n\s*", "", block).splitlines():
        text = line.strip()
        if found and _is_open(found[-1]):
            found[-1] += f"\n{line}"
        elif text and not text.startswith("#"):
            found.append(text)
    return found


def _is_open(line: str) -> bool:
    """Return whether a command goes on in the next line: after a pipe, or in a quotation."""
    if re.search(r"(\||&&)\s*$", line):
        return True
    try:
        shlex.split(line, comments=True)
    except ValueError:
        return True
    return False


def is_outside(command: str) -> bool:
    """Return whether a command is not run here."""
    return any(command.startswith(name) or (name.startswith("|") and name in command) for name in OUTSIDE)


class Ports:
    """Free ports for the two that pages use."""

    def __init__(self) -> None:
        self.first, self.second = str(free_port()), str(free_port())

    def free(self, text: str) -> str:
        return text.replace("8000", self.first).replace("8001", self.second)

    def shown(self, text: str) -> str:
        return text.replace(self.first, "8000").replace(self.second, "8001")


def script(blocks: list[Block], ports: Ports) -> str:
    """Return the shell script of a page."""
    parts = [PRELUDE]
    for block in blocks:
        if block.language != "sh":
            continue
        if block.text.startswith(STOP):
            parts.append("stops")
        for line in lines(ports.free(block.text)):
            if is_outside(line):
                continue
            port = ports.second if ports.second in line else ports.first
            parts.append(f"serves {port} env {line}" if SERVES.match(line) else line)
        parts.append(f"echo {shlex.quote(MARK)}")
    return "\n".join(parts) + "\n"


def run(page: Path, folder: Path) -> tuple[list[Block], list[str]]:
    """Run a page in an empty folder; return its blocks, and the output of each `sh` block.

    Fails with what the shell printed if a command fails.
    """
    name = page.relative_to(ROOT).as_posix() if page.is_relative_to(ROOT) else page.name
    blocks, ports = blocks_in(page.read_text(), name), Ports()
    for block in blocks:
        if block.name:
            (folder / block.name).write_text(ports.free(block.text))
    environment = {
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HUBBUB_PORT": ports.first,
        "UVICORN_PORT": ports.first,
    }
    shell = subprocess.Popen(
        ["bash", "-c", script(blocks, ports)], cwd=folder, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        printed, errors = shell.communicate(timeout=DEADLINE)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)  # the shell of a page that does not end, and its servers
    log = folder / "server.log"
    said = printed + errors + (log.read_text() if log.exists() else "")
    assert shell.returncode == 0, said
    assert "Traceback" not in said, said
    return blocks, [ports.shown(part.strip("\n")) for part in printed.split(MARK)[:-1]]


def differences(blocks: list[Block], outputs: list[str]) -> list[str]:
    """Return what the `text` blocks say that the block before them did not print."""
    found, shells = [], iter(outputs)
    printed = ""
    for block in blocks:
        if block.language == "sh":
            printed = next(shells)
        elif block.language == "text":
            expected = ".*".join(re.escape(part) for part in block.text.strip("\n").split("…"))
            if not re.search(expected, printed, re.DOTALL):
                found.append(f"{block}: the page says {block.text!r}, the program {printed!r}")
    return found
