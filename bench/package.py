"""What an installation costs: packages, disk, the import of the class, and the way to the first message.

`python -m bench.package [RUNS]`: builds a wheel and installs it with pip into new environments, the
packages coming from pip's cache. It prints medians.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.house.test_wheel import hatchling, project_in
from tests.package.environments import Environment, InstalledServer, surroundings
from tests.package.test_class import cost
from tests.package.test_install import first_message

from bench.load import BUILD

RUNS = 3
IMPORTS = 9


class PipEnvironment(Environment):
    """Made by `python -m venv` and pip, as users make it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin/python"
        _call(sys.executable, "-m", "venv", str(folder))

    def install(self, *arguments: str) -> None:
        _call(str(self.python), "-m", "pip", "install", "--quiet", *arguments)

    def megabytes(self) -> float:
        """Return the size of the installed packages, without pip's own."""
        (packages,) = self.folder.glob("lib/python*/site-packages")
        left_out = {"pip", "setuptools", "pkg_resources", "_distutils_hack"}
        files = (path for path in packages.rglob("*") if path.is_file())
        return sum(path.stat().st_size for path in files if path.relative_to(packages).parts[0] not in left_out) / 1e6


def _call(*command: str) -> None:
    subprocess.run(command, env=surroundings(), check=True, stderr=subprocess.DEVNULL)


def main(runs: int = RUNS) -> None:
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        wheel, output = hatchling(project_in(Path(folder) / "checkout"), "wheel")
        assert wheel is not None, output
        imports = [cost() for _ in range(IMPORTS)]
        print(f"import of the class beside FastAPI: {median(each[0] for each in imports):.0f} ms of processor time, "
              f"{median(each[1] for each in imports):.1f} MB")  # fmt: skip
        for extra in ("", "[client]", "[uvicorn]", "[server]", "[cluster]"):
            made = PipEnvironment(Path(folder) / f"size{extra}")
            made.install(f"hubbub{extra} @ {wheel.as_uri()}")
            count = len(made.packages().keys() - {"pip", "setuptools"})
            print(f"hubbub{extra}: {count} packages, {made.megabytes():.0f} MB", flush=True)
        steps = [_first_message(Path(folder) / f"run{run}", wheel) for run in range(runs)]
        installed, ready, answered = (median(each) for each in zip(*steps, strict=True))
        print(f"new environment and hubbub[server]: {installed:.1f} s; start to ready: {ready:.1f} s")
        print(f"owner, log-in and first message: {answered:.1f} s; in all {installed + ready + answered:.1f} s")


def _first_message(folder: Path, wheel: Path) -> tuple[float, float, float]:
    """Return the seconds of the installation, of the start, and to the first message."""
    folder.mkdir()
    times = [time.monotonic()]
    environment = PipEnvironment(folder / "venv")
    environment.install(f"hubbub[server] @ {wheel.as_uri()}")
    times.append(time.monotonic())
    server = InstalledServer(environment, folder / "data")
    try:
        server.start()
        times.append(time.monotonic())
        first_message(server)
        times.append(time.monotonic())
    finally:
        server.end()
    before, installed, ready, answered = times
    return installed - before, ready - installed, answered - ready


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
