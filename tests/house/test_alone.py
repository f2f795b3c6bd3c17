"""A test run has two parts.

Timing tests have the machine to themselves, all others run in parallel.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ALONE, HERE

RUN = "pytest -p xdist.plugin -p tests.house.noskip -c /dev/null --rootdir . --numprocesses 2 --dist loadfile ."


def test_tests_listed_to_run_alone_exist() -> None:
    assert [name for name in ALONE if not (HERE / name).exists()] == []


@pytest.mark.parametrize(("ci", "code"), [("1", pytest.ExitCode.TESTS_FAILED), ("", pytest.ExitCode.OK)])
def test_a_skipped_test_or_file_fails_a_run_on_two_workers_in_ci(tmp_path: Path, ci: str, code: int) -> None:
    (tmp_path / "test_good.py").write_text("def test_it() -> None:\n    pass\n")
    (tmp_path / "test_file.py").write_text("import pytest\npytest.skip('none', allow_module_level=True)\n")
    (tmp_path / "test_test.py").write_text("import pytest\ndef test_it() -> None:\n    pytest.skip('none')\n")
    environment = {"HUBBUB_CI": ci, "PYTHONPATH": str(HERE.parent), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *RUN.split()], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    listed = done.stdout.partition("No test may be skipped here")[2]
    assert ("test_file.py" in listed and "test_test.py::test_it" in listed) == bool(ci), done.stdout
