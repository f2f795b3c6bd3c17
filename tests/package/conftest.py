"""The wheel of this checkout, built once for the tests of this folder."""

from pathlib import Path

import pytest

from tests.house.test_wheel import hatchling, project_in
from tests.package.environments import Environment


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a wheel."""
    made, output = hatchling(project_in(tmp_path_factory.mktemp("wheel") / "checkout"), "wheel")
    assert made is not None, output
    return made


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment after `pip install hubbub`."""
    made = Environment(tmp_path_factory.mktemp("bare") / "venv")
    made.install(str(wheel), "--constraint", "requirements/runtime.txt")
    return made
