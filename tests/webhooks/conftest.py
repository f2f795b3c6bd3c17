"""Fixtures: a site on each database, and a receiver."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.webhooks.receiver import Receiver, receiver
from tests.webhooks.site import Site, site


@pytest.fixture
async def there() -> AsyncIterator[Receiver]:
    async with receiver() as found:
        yield found


@pytest.fixture
async def here(tmp_path: Path, database_url: str) -> AsyncIterator[Site]:
    """A site on SQLite and on PostgreSQL."""
    async with site(tmp_path / "data", database_url) as found:
        yield found


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Site]:
    """A site on SQLite, for what does not depend on the database."""
    async with site(tmp_path / "data") as found:
        yield found
