"""Fixture: the application's services on a new database, once per engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.world import World, world_at


@pytest.fixture
async def world(tmp_path: Path, database_url: str) -> AsyncIterator[World]:
    async with world_at(tmp_path / "data", database_url=database_url) as found:
        yield found
