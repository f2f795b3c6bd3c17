"""Failed tests run a second time.

A test that fails twice fails, and no pass is silent.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scripts.tests import FEW

ROOT = Path(__file__).resolve().parents[2]

ALONE = "import pytest\n@pytest.mark.alone\ndef test_alone(): pass\n"
PASSES = "def test_passes(): pass\n"
FAILS = "def test_{n}(): assert False\n"
BUSY = """
from pathlib import Path
def test_busy():
    been = Path("been")
    if not been.exists():
        been.touch()
        assert False
"""
LOUD = "PASSED ONLY ON THE SECOND RUN: test_planted.py::test_busy"


@pytest.mark.parametrize(
    ("planted", "arguments", "prove", "passed", "repeated"),
    [
        (PASSES + BUSY, [], "", True, True),
        (PASSES + BUSY, [], "1", False, True),
        (BUSY, ["-k", "busy or alone"], "", False, False),
        (BUSY + FAILS.format(n=0), [], "", False, True),
        (BUSY + "".join(FAILS.format(n=n) for n in range(FEW)), [], "", False, False),
    ],
    ids=["passes later", "passes later in make prove", "chosen by hand", "fails twice", "too many"],
)
def test_few_failed_tests_run_again_and_are_reported(
    planted: str, arguments: list[str], prove: str, passed: bool, repeated: bool, tmp_path: Path
) -> None:
    (tmp_path / "test_planted.py").write_text(planted)
    (tmp_path / "test_alone.py").write_text(ALONE)
    quick = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin", "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-m", "scripts.tests", *arguments],
        cwd=tmp_path,
        env={**os.environ, **quick, "WORKERS": "1", "HUBBUB_PROVE": prove},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode == 0) == passed, ended.stdout
    assert ("Repeating failed tests" in ended.stdout) == repeated
    assert (LOUD in ended.stdout) == repeated
