"""The OpenAPI document, built at the first of many concurrent requests."""

import asyncio
import threading
import time
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi._compat import v2
from pydantic import BaseModel
from structlog.testing import capture_logs

from hubbub.domain.model import LOBBY
from hubbub.gateways.http.app import Application
from hubbub.gateways.http.messages import Window
from tests.support.world import world_at

ASKERS = 6
SLOWNESS = 0.2
"""Seconds to inspect a model, so that the race occurs each time."""


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow down FastAPI's inspection of a model, except on the event loop."""
    look = v2.get_model_fields

    def look_slowly(model: type[BaseModel]) -> list[v2.ModelField]:
        if model is Window and threading.current_thread() is not threading.main_thread():
            time.sleep(SLOWNESS)
        return look(model)

    monkeypatch.setattr(v2, "get_model_fields", look_slowly)


async def statuses(data: Path, documents: int, histories: int) -> list[int]:
    """Return the statuses of simultaneous requests, the first ones in this process."""
    async with world_at(data) as world:
        alice, visitor = await world.program("alice"), world.visitor()
        world.app.openapi_schema = None  # The fixture may have built it to check answers against.
        v2.get_cached_model_fields.cache_clear()
        first = [visitor.get("/openapi.json") for _ in range(documents)]
        then = [alice.get(f"/api/rooms/{LOBBY}/messages", params={"limit": 1}) for _ in range(histories)]
        with capture_logs():  # This keeps a failure from printing all of FastAPI's routes.
            return [answer.status_code for answer in await asyncio.gather(*first, *then)]


@pytest.mark.usefixtures("slowly")
@pytest.mark.parametrize(("documents", "histories"), [(ASKERS, 0), (1, 1)])
async def test_the_first_concurrent_requests_for_the_document_all_succeed(
    tmp_path: Path, documents: int, histories: int
) -> None:
    assert set(await statuses(tmp_path, documents, histories)) == {200}


@pytest.mark.usefixtures("slowly")
@pytest.mark.parametrize(("documents", "histories"), [(ASKERS, 0), (1, 1)])
async def test_control_with_fastapis_own_openapi_some_requests_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, documents: int, histories: int
) -> None:
    monkeypatch.setattr(Application, "openapi", FastAPI.openapi)
    assert 500 in await statuses(tmp_path, documents, histories)
