"""Rate limits hold for the site: what was counted on one node counts on the others."""

import asyncio
import itertools

import httpx
import pytest

from tests.nodes.conftest import MakeSite, Site
from tests.support.server import PASSWORD
from tests.support.waiting import eventually_async

pytestmark = pytest.mark.faults

PATIENCE = 30.0
ATTEMPTS = 5
"""Attempts to log in to one account, at once."""
_numbers = itertools.count(1)


async def log_in(site: Site, node: int, name: str, password: str) -> int:
    """Try to log in from a network of its own, so that only the limit of the account counts."""
    # The client is a trusted proxy: the servers take its word for the address.
    headers = {"X-Forwarded-For": f"198.51.100.{next(_numbers) % 250}"}
    given = {"username": name, "password": password}
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
        answer = await client.post(f"{site.nodes[node].url}/token", data=given, headers=headers)
    return answer.status_code


async def site_with_limits(make_site: MakeSite, broken: str | None = None) -> tuple[Site, str]:
    site = await asyncio.to_thread(make_site, 2, broken, HUBBUB_RATE_LIMITS="on", HUBBUB_TRUSTED_PROXIES="127.0.0.1")
    account = await asyncio.to_thread(site.nodes[0].sign_up, "alice")
    return site, account.name


async def refused(site: Site, node: int, name: str) -> bool:
    return await log_in(site, node, name, "wrong") == httpx.codes.TOO_MANY_REQUESTS


async def test_guesses_on_one_node_count_on_the_other(make_site: MakeSite) -> None:
    site, name = await site_with_limits(make_site)
    for _ in range(100):
        if await refused(site, 0, name):
            break
    else:
        pytest.fail("guesses are not limited")
    # It may take a guess that comes before the signal.
    await eventually_async(lambda: refused(site, 1, name), PATIENCE, "the other node refuses, too")
    assert await log_in(site, 1, name, PASSWORD) == httpx.codes.TOO_MANY_REQUESTS, "also the right password"
    other = await asyncio.to_thread(site.nodes[1].sign_up, "other")
    assert await log_in(site, 1, other.name, PASSWORD) == httpx.codes.OK, "nothing else is refused"


async def test_control_a_deaf_node_allows_as_many_guesses_again(make_site: MakeSite) -> None:
    site, name = await site_with_limits(make_site, "deaf")
    for _ in range(100):
        if await refused(site, 0, name):
            break
    found = [await log_in(site, 1, name, "wrong") for _ in range(ATTEMPTS)]
    assert found == [httpx.codes.UNAUTHORIZED] * ATTEMPTS
