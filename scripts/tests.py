"""Runs the tests of the server: `python -m scripts.tests [arguments of pytest]`, on WORKERS (of the environment) first.

Most tests run side by side; those that compare delays run alone afterwards. Up to FEW failed tests run once more by
themselves, since a busy machine may stand still for seconds. A test that passes only then is named at the end, and
fails `make prove` (HUBBUB_PROVE=1), which runs the long forms. With arguments there is no second time.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FEW = 5
"""If more have failed, it is not the machine."""
FAILED, NONE = 1, 5
"""What pytest ends with: some failed; there were none."""
TESTS = Path("tests")
CACHE = Path(".pytest_cache/v/cache/lastfailed")
PYTEST = (sys.executable, "-m", "pytest", "-p", "tests.house.noskip")


def main(chosen: Sequence[str]) -> int:
    workers = os.environ.get("WORKERS", "2")
    phases = (
        ("-m", "not alone", "--numprocesses", workers, "--dist", "loadfile", "--no-loadscope-reorder"),
        ("-m", "alone", *(() if chosen else _alone())),
    )
    if not chosen:
        CACHE.unlink(missing_ok=True)
    ends = {_pytest(*phase, *chosen) for phase in phases} - {0}
    if chosen:
        return max(ends - {NONE}, default=0)
    failed = _failed()
    if ends != {FAILED} or not 1 <= len(failed) <= FEW:
        return max(ends, default=0)
    print(f"\nOnce more, by themselves: {', '.join(failed)}", flush=True)
    end = _pytest("--last-failed", "--last-failed-no-failures", "none")
    left = _failed()
    for name in failed:
        if name not in left:
            print(f"PASSED ONLY AT THE SECOND TIME, BY ITSELF: {name}", flush=True)
    return FAILED if os.environ.get("HUBBUB_PROVE") else end


def _alone() -> list[str]:
    """The files of the second phase, so that it does not collect all others."""
    if not TESTS.exists():
        return []
    from tests.conftest import ALONE

    return [str(TESTS / name) for name in ALONE]


def _pytest(*arguments: str) -> int:
    return subprocess.run([*PYTEST, *arguments], check=False).returncode


def _failed() -> list[str]:
    return sorted(json.loads(CACHE.read_text())) if CACHE.exists() else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
