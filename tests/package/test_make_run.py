"""`make run` in a fresh checkout: the packages of a server alone, and the owner's link as the last line."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from tests.house.test_wheel import project_in
from tests.package.environments import PATIENCE, ROOT, surroundings
from tests.support.waiting import eventually_blocking

STEPS = [
    "Creating a Python environment in .venv-run …",
    "Installing the 41 packages that a server needs …",
    "Starting the server. Ctrl-C ends it.",
]
PINNED = re.compile(r"^([\w.-]+)==", re.MULTILINE)
BESIDE = {"pip", "setuptools", "wheel"}


def test_make_run_installs_a_server_alone_and_prints_the_link_last(tmp_path: Path) -> None:
    project = project_in(tmp_path / "checkout")
    shutil.copy(ROOT / "Makefile", project)
    shutil.copytree(ROOT / "requirements", project / "requirements")
    log = tmp_path / "output.log"
    command = ["make", "run", f"ARGS=--port 0 --data {tmp_path / 'data'}"]
    environment = {**surroundings(), "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=project, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:

        def is_greeted() -> bool:
            assert process.poll() is None, log.read_text()
            return "/setup#" in log.read_text()

        eventually_blocking(is_greeted, PATIENCE, "the owner's link is printed")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
    printed = [line for line in log.read_text().splitlines() if not line.startswith(("{", "WARNING: "))]
    wanted = {name.lower() for name in PINNED.findall((ROOT / "requirements/runtime.txt").read_text())}
    assert [line for line in printed if line.endswith(("…", "it."))] == [
        step.replace("41", str(len(wanted))) for step in STEPS
    ]
    link = next(index for index, line in enumerate(printed) if "/setup#" in line)
    assert [line for line in printed[link + 1 :] if not line.startswith("make: ")] == [], "the link is the last line"
    assert installed(project / ".venv-run") == wanted - NOT_HERE
    assert not (project / ".venv").exists()


NOT_HERE = {"colorama", "greenlet", "tzdata"}
"""Packages for other systems. SQLAlchemy before 2.1 alone brings greenlet."""


def installed(environment: Path) -> set[str]:
    """Return the names of the packages in an environment, without pip and its own."""
    found = {path.name.partition("-")[0].lower() for path in environment.glob("lib/python*/site-packages/*.dist-info")}
    return {name.replace("_", "-") for name in found} - BESIDE
