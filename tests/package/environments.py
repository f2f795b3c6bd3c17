"""Clean environments with the wheel of this checkout, as `pip install hubbub[…]` makes them."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support import forked
from tests.support.server import Server

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300.0
"""Seconds. The first run on a machine downloads packages."""


class Environment:
    """A virtual environment in a folder. Nothing of this checkout is importable in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin/python"
        _uv("venv", "--quiet", "--python", sys.executable, str(folder))

    def install(self, *arguments: str) -> None:
        """Install with uv, which takes packages from its cache without copying them."""
        _uv("pip", "install", "--quiet", "--python", str(self.python), *arguments)

    def check(self) -> None:
        """Fail if the requirements of an installed package are not met."""
        _uv("pip", "check", "--python", str(self.python))

    def packages(self) -> dict[str, str]:
        """Return the installed packages and their versions."""
        listed = json.loads(_uv("pip", "list", "--format", "json", "--python", str(self.python)))
        return {each["name"]: each["version"] for each in listed}

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a Python program; return its result, also if it fails."""
        return self.execute("python", "-c", program, *arguments)

    def execute(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.folder / "bin" / command), *arguments],
            cwd=self.folder, env=surroundings(), capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip

    def output(self, program: str, *arguments: str) -> str:
        """Run a Python program that must succeed; return what it prints."""
        done = self.run(program, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout


class InstalledServer(Server):
    """`hubbub serve` of an environment, on its own defaults."""

    def __init__(self, environment: Environment, data: Path) -> None:
        super().__init__(data)
        self._command: Sequence[str] = (str(environment.folder / "bin/hubbub"), *self.where)
        self.settings = {}

    def launch(self) -> None:
        assert self.process is None, "the server runs already"
        with self.log_path.open("ab") as log:
            self.process = forked.start(
                self._command, env={**surroundings(), "PYTHONUNBUFFERED": "1"}, stdout=log, fork=False
            )


def surroundings() -> dict[str, str]:
    """Return the environment's variables without those of this checkout and its tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("HUBBUB_", "PYTHON"))}


def _uv(*arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("uv")), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
