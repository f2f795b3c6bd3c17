"""Fixture: the application's services on a new database, once per engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.place import Place, place


@pytest.fixture
async def here(tmp_path: Path, database_url: str) -> AsyncIterator[Place]:
    async with place(tmp_path / "data", database_url=database_url) as found:
        yield found
