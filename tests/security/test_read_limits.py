"""Reads, `hello` and refreshed tokens have limits, so that no user takes the processor from the others."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import httpx
import pytest

from hubbub.domain.errors import RateLimited
from hubbub.engine.limits import HELLOS, READS, REFRESHES, Limits
from hubbub.protocol import close_codes
from tests.support.client import Connection, raw_connect
from tests.support.lines import end, enter
from tests.support.server import Account, Server
from tests.support.world import MovingClock, World, world_at

pytestmark = pytest.mark.faults

PATIENCE = 60.0


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("reads") / "data", {"HUBBUB_RATE_LIMITS": "on"}) as server:
        yield server


async def reads_are_limited(data: Path) -> None:
    async with world_at(data, rate_limits=True) as world:
        alice, berta = await world.program("alice"), await world.program("berta")
        codes = [(await alice.get("/api/rooms/1")).status_code for _ in range(READS.burst + 5)]
        assert codes == [200] * READS.burst + [429] * 5
        assert (await berta.get("/api/rooms/1")).status_code == 200
        assert (await alice.post("/api/rooms/1/join")).status_code == 200, "commands have a limit of their own"
        world.clock.ahead += 1.01 / READS.rate
        assert (await alice.get("/api/rooms/1")).status_code == 200


async def test_reads_over_http_have_a_roomy_limit(tmp_path: Path) -> None:
    await reads_are_limited(tmp_path / "data")


async def test_control_without_the_limit_of_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Limits, "read", lambda self, user: None)
    with pytest.raises(AssertionError):
        await reads_are_limited(tmp_path / "data")


def test_large_answers_cost_more_than_small_ones() -> None:
    limits = Limits(MovingClock(stands=True), enabled=True)
    for _ in range(100):
        limits.read(7)
        limits.has_read(7, 256 * 1024)
    for _ in range(READS.burst - 100 * 9):
        limits.read(7)
    with pytest.raises(RateLimited):
        limits.read(7)


async def refreshed(world: World) -> list[int]:
    alice = await world.program("alice")
    codes = []
    for _ in range(REFRESHES.burst + 3):
        answer = await alice.post("/token/refresh", json={"refresh_token": alice.refresh})
        codes.append(answer.status_code)
        if answer.status_code == httpx.codes.OK:
            alice.refresh = answer.json()["refresh_token"]
    world.clock.ahead += 1.01 / REFRESHES.rate
    answer = await alice.post("/token/refresh", json={"refresh_token": alice.refresh})
    return [*codes, answer.status_code]


async def test_a_refused_refresh_does_not_end_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control at the end has no limit."""
    expected = [200] * REFRESHES.burst + [429] * 3 + [200]
    async with world_at(tmp_path / "data", rate_limits=True) as world:
        assert await refreshed(world) == expected
    monkeypatch.setattr(Limits, "refresh", lambda self, user: None)
    async with world_at(tmp_path / "other", rate_limits=True) as world:
        assert await refreshed(world) != expected


async def greet_until_refused(account: Account) -> int:
    """Connect until the server asks to come back later; return how often that was not so."""
    for count in range(10 * HELLOS.burst):
        async with await raw_connect(account.server.websocket_url) as socket:
            await socket.send(f'{{"type":"hello","token":"{account.token}"}}')
            first = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))
            if first.get("type") != "welcome":
                assert first["error"]["code"] == "rate_limited"
                await asyncio.wait_for(socket.wait_closed(), PATIENCE)
                assert socket.close_code == close_codes.GOING_AWAY
                return count
    raise AssertionError("hello is not limited")


async def test_hello_has_a_limit_for_native_and_plain_sockets_and_streams(limited: Server) -> None:
    alice, berta = limited.sign_up("alice"), limited.sign_up("berta")
    began = monotonic()
    count = await greet_until_refused(alice)
    assert count <= HELLOS.burst + HELLOS.rate * (monotonic() - began) + 1
    _, code = await end(await enter(limited, alice.name, headers=alice.headers))
    assert code == close_codes.GOING_AWAY
    events = f"{limited.url}/api/topics/room:1/events"
    async with httpx.AsyncClient(trust_env=False) as client:
        stream = await client.get(events, headers={**alice.headers, "Accept": "text/event-stream"})
    assert stream.status_code == httpx.codes.TOO_MANY_REQUESTS
    async with await Connection.open(limited.websocket_url, berta.token) as other:
        await other.ping()


async def test_a_client_that_catches_up_is_slowed_down_but_never_refused(limited: Server) -> None:
    carla = limited.sign_up("carla")
    async with await Connection.open(limited.websocket_url, carla.token) as socket:
        began = monotonic()
        asked = [socket.command("events.since", topic="room:1", after=1) for _ in range(READS.burst + 60)]
        pages = await asyncio.wait_for(asyncio.gather(*asked), PATIENCE)
        assert len(pages) == len(asked)
        assert monotonic() - began > 0.5 * 60 / READS.rate, "the control: it had to wait"
