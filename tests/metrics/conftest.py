"""Fixture: the application's services for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.place import Place, place


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Place]:
    async with place(tmp_path / "data") as found:
        yield found
