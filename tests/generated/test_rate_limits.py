"""429 where OpenAPI documents it and nowhere else: every limit is used up."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from hubbub.clock import Clock
from hubbub.domain.errors import RateLimited
from hubbub.engine.limits import Limits
from hubbub.gateways.http.app import create_app
from tests.generated.contract import operations, responses
from tests.generated.recorder import EXISTING, check, filled
from tests.support.routes import FORM, request_of
from tests.support.world import HOST, world_at

COUNTED = frozenset({"refresh_token"})
"""Not shown here: its limit is that of the token's user, and the example is no token."""
ADDRESS = "198.51.100.7"


class StoppedClock(Clock):
    """A clock for rate limits: no bucket refills."""

    def monotonic(self) -> float:
        return 1_000.0


@pytest.fixture
async def exhausted(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A member's client without any remaining rate limit."""
    async with world_at(tmp_path / "data") as world:
        alice = await world.program("alice")
        limits = Limits(StoppedClock(), enabled=True)
        for sending in (True, False):
            while limits.command(alice.id, sending=sending) is None:
                pass
        for used_up in (
            partial(limits.signup, ADDRESS),
            partial(limits.attempt, ADDRESS),
            partial(limits.search, alice.id),
            partial(limits.read, alice.id),
            partial(limits.refresh, alice.id),
        ):
            with contextlib.suppress(RateLimited):
                while True:
                    used_up()
        app = create_app(replace(world.services, limits=limits))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(ADDRESS, 40_000))
        headers = {"Authorization": alice.client.headers["Authorization"]}
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}", headers=headers) as client:
            yield client


async def test_rate_limited_routes_answer_429_where_it_is_documented(exhausted: httpx.AsyncClient) -> None:
    for operation in sorted(operations(), key=lambda name: name == "log_out"):
        method, address, body, kind = request_of(operation, filled(operation, EXISTING))
        sent: dict[str, Any] = {} if body is None else {"data" if kind == FORM else "json": body}
        answer = await exhausted.request(method, address, **sent)
        check(operation, answer)
        limited = "429" in responses()[operation] and operation not in COUNTED
        assert (answer.status_code == 429) is limited, f"{operation} → {answer.status_code}"
