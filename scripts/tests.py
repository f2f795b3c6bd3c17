"""Run the tests of the server: `python -m scripts.tests [arguments of pytest]`.

Most tests run in parallel on WORKERS (an environment variable) workers; those that compare delays run alone afterwards.
Up to FEW failed tests run once more by themselves, since a busy machine may stop for seconds. A test that passes only
then is listed at the end, and fails `make prove` (HUBBUB_PROVE=1), which runs the long forms. With arguments no test is
repeated.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FEW = 12
"""Of more than six thousand. If more tests fail, the machine is not the reason."""
FAILED, NONE = 1, 5
"""Exit codes of pytest: some tests failed; no tests were collected."""
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
    print(f"\nRepeating failed tests: {', '.join(failed)}", flush=True)
    end = _pytest("--last-failed", "--last-failed-no-failures", "none")
    left = _failed()
    for name in failed:
        if name not in left:
            print(f"PASSED ONLY ON THE SECOND RUN: {name}", flush=True)
    return FAILED if os.environ.get("HUBBUB_PROVE") else end


def _alone() -> list[str]:
    """Return the files of the second phase, so that pytest does not collect the others."""
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
