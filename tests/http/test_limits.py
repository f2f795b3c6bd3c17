"""Rate limits: answered with the time to wait, and not circumvented by headers."""

import random
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from hubbub.domain.model import LOBBY
from tests.support.world import Person, World, world_at


@pytest.fixture
async def limited(tmp_path: Path) -> AsyncIterator[World]:
    async with world_at(tmp_path / "data", rate_limits=True) as found:
        yield found


async def attempt(person: Person, name: str, **headers: str) -> int:
    answer = await person.post("/token", data={"username": name, "password": "wrong"}, headers=headers)
    if answer.status_code == 429:
        assert answer.json()["error"]["code"] == "rate_limited"
        assert answer.json()["error"]["retry_after"] > 0
        assert int(answer.headers["retry-after"]) >= 1
    return answer.status_code


async def test_an_account_takes_five_log_in_attempts_a_minute_and_is_never_locked(limited: World) -> None:
    codes = [await attempt(limited.visitor(f"198.51.100.{n}"), "alice") for n in range(6)]
    assert codes == [401] * 5 + [429]
    assert await attempt(limited.visitor("198.51.100.99"), "ALICE") == 429
    limited.clock.ahead = 12.5
    assert await attempt(limited.visitor("198.51.100.99"), "alice") == 401


async def test_an_address_takes_twenty_attempts_a_minute_whatever_its_headers_say(limited: World) -> None:
    person = limited.visitor()
    codes = []
    for n in range(30):
        forged = ".".join(str(random.randrange(1, 255)) for _ in range(4))
        headers = {"X-Forwarded-For": forged, "X-Real-IP": forged, "Forwarded": f"for={forged}"}
        codes.append(await attempt(person, f"user{n}", **headers))
    assert codes == [401] * 20 + [429] * 10


async def test_behind_a_trusted_proxy_the_nearest_untrusted_hop_is_limited(tmp_path: Path) -> None:
    proxies = (ip_network("10.0.0.0/8"),)
    async with world_at(tmp_path / "data", rate_limits=True, trusted_proxies=proxies) as world:
        proxy = world.visitor("10.0.0.1")
        for n in range(20):
            hops = {"X-Forwarded-For": f"203.0.113.{n}, 198.51.100.1, 10.0.0.2"}
            assert await attempt(proxy, f"user{n}", **hops) == 401
        assert await attempt(proxy, "more", **{"X-Forwarded-For": "203.0.113.9, 198.51.100.1"}) == 429
        assert await attempt(proxy, "more", **{"X-Forwarded-For": "198.51.100.2"}) == 401


async def test_an_address_creates_five_accounts_an_hour_and_taken_names_cost_nothing(limited: World) -> None:
    person = limited.visitor()
    body = {"password": "a fine long password"}
    codes = []
    for name in ("a1", "a1", "A1", "a2", "a3", "a4", "a5", "a6"):
        codes.append((await person.post("/api/users", json={**body, "username": name})).status_code)
    assert codes == [201, 409, 409, 201, 201, 201, 201, 429]


async def test_sends_and_other_commands_have_separate_buckets(limited: World) -> None:
    alice = await limited.program("alice")
    codes = []
    for n in range(30):
        sent = await alice.post(f"/api/rooms/{LOBBY}/messages", json={"key": f"k{n}", "body": "x"})
        codes.append(sent.status_code)
    assert codes[:20] == [201] * 20
    assert 429 in codes
    assert (await alice.post(f"/api/rooms/{LOBBY}/join")).status_code == 200
    for _ in range(50):
        assert (await alice.get(f"/api/topics/room:{LOBBY}/events?after=0")).status_code == 200


async def test_disabled_rate_limits_refuse_nothing(world: World) -> None:
    person = world.visitor()
    assert [await attempt(person, "alice") for _ in range(30)] == [401] * 30
