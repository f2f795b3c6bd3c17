"""Run a page from top to bottom, as a reader does: its files in one folder, its commands in one shell.

Servers that a page starts run in the background until the page ends. Port 8000 is replaced by a
free one. A `text` block after a `sh` block is what it prints; `…` stands for anything.

What is not run is listed in OUTSIDE, and why.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.support.documents import ROOT, Block, blocks_in
from tests.support.ports import free_port

OUTSIDE = {
    "pip": "installs into the reader's environment; tests/house/test_wheel.py builds and installs the wheel",
    "python3 -m venv": "the same",
    "sudo": "changes the machine",
    "| sudo": "changes the machine",
}
SERVES = re.compile(r"(?:\w+=\S+ )*(?:hubbub serve|uvicorn|gunicorn|hypercorn|granian)\b")
MARK = "-- end of block --"
DEADLINE = 300

PRELUDE = """
set -eu -o pipefail
trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT
serves() {
    "$@" >>server.log 2>&1 &
    for _ in $(seq 600); do
        if curl --silent --output /dev/null "http://127.0.0.1:$PORT/"; then return; fi
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


def script(blocks: list[Block], port: int) -> str:
    """Return the shell script of a page."""
    parts = [PRELUDE]
    for block in blocks:
        if block.language != "sh":
            continue
        for line in lines(block.text.replace("8000", str(port))):
            if is_outside(line):
                continue
            parts.append(f"serves env {line}" if SERVES.match(line) else line)
        parts.append(f"echo {shlex.quote(MARK)}")
    return "\n".join(parts) + "\n"


def run(page: Path, folder: Path) -> tuple[list[Block], list[str]]:
    """Run a page in an empty folder; return its blocks, and the output of each `sh` block.

    Fails with what the shell printed if a command fails.
    """
    name = page.relative_to(ROOT).as_posix() if page.is_relative_to(ROOT) else page.name
    blocks, port = blocks_in(page.read_text(), name), free_port()
    for block in blocks:
        if block.name:
            (folder / block.name).write_text(block.text.replace("8000", str(port)))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PATH": path,
        "PORT": str(port),
        "HUBBUB_PORT": str(port),
        "UVICORN_PORT": str(port),
    }
    done = subprocess.run(
        ["bash", "-c", script(blocks, port)],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    log = folder / "server.log"
    said = done.stdout + done.stderr + (log.read_text() if log.exists() else "")
    assert done.returncode == 0, said
    assert "Traceback" not in said, said
    return blocks, [part.strip("\n").replace(str(port), "8000") for part in done.stdout.split(MARK)[:-1]]


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
