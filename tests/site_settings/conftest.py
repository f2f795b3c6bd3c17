"""A server without fixed settings, on both databases, and the requests of its staff."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hubbub.main import running
from hubbub.settings import Settings
from tests.support import quick_passwords
from tests.support.world import MovingClock, Person, World

OpenSite = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture
def open_site(tmp_path: Path, database_url: str) -> OpenSite:
    """Return `open_site(**settings)`, which starts the site on this test's database."""

    @asynccontextmanager
    async def start(**settings: Any) -> AsyncIterator[World]:
        clock = MovingClock()
        wanted = Settings(data=tmp_path / "data", database_url=database_url, rate_limits=False, **settings)
        with quick_passwords.used():
            async with running(wanted, clock) as services:
                here = World(services, clock)
                try:
                    yield here
                finally:
                    await here.close()

    return start


@pytest.fixture
async def here(open_site: OpenSite) -> AsyncIterator[World]:
    async with open_site() as found:
        yield found


async def put(who: Person, name: str, value: object) -> httpx.Response:
    return await who.ask("PUT", f"/api/settings/{name}", json={"value": value})


async def unset(who: Person, name: str) -> httpx.Response:
    return await who.ask("DELETE", f"/api/settings/{name}")


async def settings(who: Person) -> dict[str, dict[str, Any]]:
    """Return all settings as staff sees them, by name."""
    answer = await who.get("/api/settings")
    assert answer.status_code == 200, answer.text
    return {each["setting"]: each for each in answer.json()["settings"]}


def refusal(answer: httpx.Response) -> tuple[str, str]:
    error = answer.json()["error"]
    return error["code"], error["message"]
