"""Fixture: the application's services for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.world import World, world_at


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_at(tmp_path / "data") as found:
        yield found
