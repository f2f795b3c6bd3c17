"""Measure the branch coverage of the tests by ring: `python -m scripts.rings [arguments of pytest]`.

It runs the short form of all tests without a browser that do not measure time, since measuring makes the server
slower. Servers under test are measured too, and end by SIGTERM instead of SIGKILL where a test does not choose. The
command fails if a ring in LEAST has less than its percentage. Failed tests are printed only: they have passed without
the measurement before, which may make them miss a deadline.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SOURCES = "src/hubbub/"
RINGS = ("domain", "features", "protocol", "engine", "storage", "gateways", "client", "cli")
REST = "others"
LEAST = dict.fromkeys(("domain", "features", "protocol", "engine", "storage"), 90.0)
"""The least percentage of lines and branches that the tests must execute."""
WORST = 12
"""How many files are listed with the lines that no test executes."""
PYTEST = ("-m", "pytest", "-q", "-m", "not alone and not browser", "--dist", "loadfile", "--no-loadscope-reorder")


def main(chosen: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="coverage-") as folder:
        environment = {name: value for name, value in os.environ.items() if name != "HUBBUB_PROVE"}
        environment |= {"COVERAGE_FILE": f"{folder}/data", "PYTEST_COVERAGE": "1"}

        def coverage(*arguments: str) -> int:
            command = [sys.executable, "-m", "coverage", *arguments]
            return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode

        workers = ("--numprocesses", os.environ.get("WORKERS", "2"))
        coverage("run", *PYTEST, *workers, *chosen)
        coverage("combine", "--quiet")
        report = Path(folder) / "report.json"
        coverage("json", "--quiet", "-o", str(report))
        files = json.loads(report.read_text())["files"]
    print_worst(files)
    found = percentages((name, one["summary"]) for name, one in files.items())
    print("\nBranch coverage by ring:")
    for ring in (*RINGS, REST):
        least = f"  at least {LEAST[ring]:.0f} %" if ring in LEAST else ""
        print(f"  {ring:<10} {found.get(ring, 0):5.1f} %{least}")
    low = [ring for ring, least in LEAST.items() if found.get(ring, 0) < least]
    if low and not chosen:
        print(f"Too few lines and branches are tested in: {', '.join(low)}")
        return 1
    return 0


def ring_of(name: str) -> str:
    """Return the ring of a source file: the folder or module below `src/hubbub`."""
    first = name.partition(SOURCES)[2].partition("/")[0].removesuffix(".py")
    return first if first in RINGS else REST


def percentages(files: Iterable[tuple[str, Mapping[str, int]]]) -> dict[str, float]:
    """Return the percentage of executed lines and branches of each ring."""
    done, total = Counter[str](), Counter[str]()
    for name, summary in files:
        done[ring_of(name)] += summary["covered_lines"] + summary["covered_branches"]
        total[ring_of(name)] += summary["num_statements"] + summary["num_branches"]
    return {ring: 100 * done[ring] / count for ring, count in total.items() if count}


def print_worst(files: Mapping[str, Any]) -> None:
    print("\nFiles with the most lines and branches that no test executes:")
    worst = sorted(files.items(), key=lambda one: -_missing(one[1]["summary"]))[:WORST]
    for name, one in worst:
        lines = ", ".join(map(str, one["missing_lines"][:WORST]))
        print(f"  {_missing(one['summary']):4}  {name.partition(SOURCES)[2]}: {lines}")


def _missing(summary: Mapping[str, int]) -> int:
    return summary["missing_lines"] + summary["missing_branches"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
