"""The examples in docs/testing.md pass under plain pytest."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support import documents

PAGE = "testing.md"
TESTS = {"test_endpoint.py": 2, "test_manager.py": 2, "test_bot.py": 2}


def test_every_block_passes_with_plain_pytest(tmp_path: Path) -> None:
    assert set(documents.blocks(PAGE)) == set(TESTS)
    documents.write(PAGE, tmp_path)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "anyio", "-p", "no:cacheprovider"]
    bare = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # A reader's pytest has no plugins of this project.
    done = subprocess.run(command, cwd=tmp_path, env=bare, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout
    assert f"{sum(TESTS.values())} passed" in done.stdout
