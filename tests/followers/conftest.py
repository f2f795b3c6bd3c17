"""Fixtures: each follower of `cases.py` on each database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.followers.case import FollowerCase
from tests.followers.cases import CASES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "follower"
    found.mkdir()
    return found


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest, folder: Path) -> Iterator[FollowerCase]:
    made: FollowerCase = request.param(folder)
    yield made
    made.close()
