"""Rate limits: answered with the time to wait, and not circumvented by headers."""

import random
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from hubbub.domain.model import LOBBY
from hubbub.engine.limits import Limits, account_key
from hubbub.gateways.http import logins
from tests.support.world import PASSWORD, Person, World, world_at


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


async def test_an_account_takes_five_log_in_attempts_a_minute_from_a_network(limited: World) -> None:
    person = limited.visitor("198.51.100.99")
    codes = [await attempt(person, "alice") for _ in range(6)]
    assert codes == [401] * 5 + [429]
    assert await attempt(person, "ALICE") == 429
    assert await attempt(limited.visitor("198.51.100.98"), "alice") == 401
    limited.clock.ahead = 12.5
    assert await attempt(person, "alice") == 401


async def test_an_account_takes_sixty_attempts_from_all_networks_and_is_never_locked(limited: World) -> None:
    codes = [await attempt(limited.visitor(f"198.51.100.{n}"), "alice") for n in range(61)]
    assert codes == [401] * 60 + [429]
    assert await attempt(limited.visitor("198.51.100.99"), "ALICE") == 429
    limited.clock.ahead = 3.5
    assert await attempt(limited.visitor("198.51.100.99"), "alice") == 401


async def exhaust(world: World, name: str, *networks: str) -> None:
    """Guess the password from the given networks, and from others until the account takes no guess of a new one."""
    for address in (*networks, *(f"203.0.113.{n}" for n in range(100))):
        while (code := await attempt(world.visitor(address), name)) == 401:
            pass
        assert code == 429


async def owner_is_not_locked_out(world: World) -> None:
    """Log in and confirm a password while strangers guess from everywhere, also from the owner's own network."""
    browser, office = await world.browser("alice"), "198.51.100.7"
    program = world.visitor("192.0.2.1")
    right = {"username": "alice", "password": PASSWORD}
    assert (await program.post("/token", data=right)).status_code == 200
    await exhaust(world, "alice", office)
    again = await browser.post("/api/login", json=right)
    assert again.status_code == 200, "a browser that has logged in before"
    assert (await program.post("/token", data=right)).status_code == 200, "a network that has logged in before"
    new = {"current_password": PASSWORD, "new_password": "another long password"}
    assert (await browser.ask("PUT", "/api/users/me/password", json=new)).status_code == 204
    assert await attempt(world.visitor("192.0.2.9"), "alice") == 429, "the others stay refused"


async def test_guesses_of_strangers_do_not_lock_the_owner_of_an_account_out(limited: World) -> None:
    await limited.create("alice")
    await owner_is_not_locked_out(limited)


@pytest.mark.parametrize("broken", ["device", "network", "session"])
async def test_control_without_one_of_its_buckets_the_owner_is_locked_out(
    limited: World, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    await limited.create("alice")
    if broken == "device":
        monkeypatch.setattr(logins, "known_device", lambda request, username: None)
    elif broken == "network":
        monkeypatch.setattr(Limits, "logged_in", lambda self, username, address: None)
    else:
        monkeypatch.setattr(Limits, "confirm", lambda self, session: self.login("alice", "198.51.100.7"))
    with pytest.raises(AssertionError):
        await owner_is_not_locked_out(limited)


async def test_the_cookie_of_a_device_counts_for_its_own_account_alone(limited: World) -> None:
    await limited.create("alice")
    await limited.create("berta")
    browser = await limited.browser("alice")
    await exhaust(limited, "berta")
    right = {"username": "berta", "password": PASSWORD}
    assert (await browser.post("/api/login", json=right)).status_code == 429
    forged = limited.visitor("192.0.2.7")
    for cookie in ("x.y", ".", "x" * 4_000, "\xff.\xff"):
        answer = await forged.post("/api/login", json=right, headers={"Cookie": f"hubbub_device={cookie}".encode()})
        assert answer.status_code == 429


@pytest.mark.parametrize(
    "shape", ["ａｌｉｃｅ{}", "ALICE{}", "ali\u200dce{}", "a\u0301lice{}", "x" * 200, "ﷺ" * 30 + "{}"]
)
def test_all_spellings_of_a_name_share_one_bucket(shape: str) -> None:
    """The same for an account, and one for all names that no account can have."""
    for number in range(10):
        key = account_key(shape.format("l" * (32 - 5) if len(shape) < 12 else "l" * number))
        assert key in {"", account_key("alice" + "l" * 27), account_key("álice" + "l" * 27)}


async def test_confirmations_of_a_password_count_for_the_session(limited: World) -> None:
    await limited.create("alice")
    browser = await limited.browser("alice")
    other = await limited.browser("alice")
    wrong = {"current_password": "wrong", "new_password": "another long password"}
    codes = [(await browser.ask("PUT", "/api/users/me/password", json=wrong)).status_code for _ in range(6)]
    assert codes == [403] * 5 + [429]
    right = {"current_password": PASSWORD, "new_password": "another long password"}
    assert (await other.ask("PUT", "/api/users/me/password", json=right)).status_code == 204


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
