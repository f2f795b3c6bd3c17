"""Housekeeping on a site of several nodes: one node at a time, taken over, fenced."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hubbub import main
from hubbub.domain.commands import CreateAccount, PauseFollower
from hubbub.domain.errors import NotFound
from hubbub.domain.model import SYSTEM, Role
from hubbub.engine import housekeeping
from hubbub.engine.followers import Followers
from hubbub.engine.services import Services
from hubbub.engine.site_lease import SiteLease
from hubbub.features import followers
from hubbub.features import housekeeping as handlers
from hubbub.features.shared.followers import HOUSEKEEPING, Fenced
from hubbub.settings import load
from tests.followers.node import node_at
from tests.nodes.conftest import MakeSite, Site
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.timing import within
from tests.support.waiting import eventually, eventually_blocking
from tests.support.world import MovingClock

PATIENCE = 30.0
TAKEOVER = 15.0
HOUR = 3_600
DAY = 86_400_000
SHORT: dict[str, Any] = {"lease": 1_500, "renewal": 0.3}


# --- real nodes ------------------------------------------------------------------------------------------------------


def keeps_house(site: Site, node: Server) -> bool:
    """Return whether the node is the last owner of the lease."""
    owners = {str(line["owner"]) for line in node.log_lines("housekeeping_taken")}
    return any(site.count(f"followers WHERE name = '{HOUSEKEEPING}' AND owner = '{owner}'") for owner in owners)


def expire_a_token(site: Site) -> None:
    values = "'old', 'setup', 0, 1"
    site.execute(f"INSERT INTO links (token_hash, purpose, created_at, expires_at) VALUES ({values})")


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["nats"])
def test_after_kill_9_of_its_node_another_one_keeps_house_within_fifteen_seconds(make_site: MakeSite) -> None:
    """The clock of the node that is killed is an hour ahead, and so is the stored end of its lease."""
    site = make_site(2, "hour-ahead")
    other, first = site.nodes
    eventually_blocking(lambda: keeps_house(site, first), PATIENCE, "it takes the lease, if it has to")
    first.kill()
    with within(TAKEOVER):
        expire_a_token(site)
        eventually_blocking(lambda: site.count("links WHERE token_hash = 'old'") == 0, PATIENCE, "the other node works")
    assert keeps_house(site, other)


# --- the lease -------------------------------------------------------------------------------------------------------


class SetClock(MovingClock):
    """A clock on which only the time of day is ahead, as after it was set."""

    def monotonic(self) -> float:
        return super().monotonic() - self.ahead


@pytest.fixture
def address(postgres_server: Postgres, patient_postgresql: None) -> Any:
    made = postgres_server.fresh()
    yield made
    postgres_server.drop(made)


async def takeover(address: str, clock: MovingClock) -> float:
    """Return the seconds until a second process holds the lease of one that was killed."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(node_at(address, clock, **SHORT))
        lease = await first.followers.hold("work")
        await eventually(lambda: lease.held, PATIENCE, "the first process holds the lease")
        second = await stack.enter_async_context(node_at(address, **SHORT))
        other = await second.followers.hold("work")
        await eventually(lambda: second.followers._stands, PATIENCE, "the second process has asked")
        assert not other.held
        clock.ahead = 0.0 if clock.ahead else clock.ahead
        for task in tuple(first.followers._tasks):
            task.cancel()
        started = time.monotonic()
        await eventually(lambda: other.held, 6, "the second process holds it")
        return time.monotonic() - started


async def test_a_lease_is_taken_over_when_it_has_ended(address: str) -> None:
    await takeover(address, MovingClock())


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
async def test_a_lease_is_taken_over_in_time_when_the_clock_of_its_owner_was_wrong(address: str, ahead: int) -> None:
    clock = SetClock()
    clock.ahead = ahead
    if ahead < 0:  # its lease is over at once by the clock of the other process
        await swapped(address, clock)
    else:
        await takeover(address, clock)


async def swapped(address: str, clock: MovingClock) -> None:
    """Check that an owner that is late loses the lease once, and not again and again."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(node_at(address, clock, **SHORT))
        second = await stack.enter_async_context(node_at(address, **SHORT))
        late, right = await first.followers.hold("work"), await second.followers.hold("work")
        await eventually(lambda: right.held and not late.held, PATIENCE, "the process with the right time holds it")
        fence = right.fence()
        for _ in range(10):
            before = first.followers._stands["work"]
            await eventually(lambda: first.followers._stands["work"] != before, PATIENCE, "a renewal")  # noqa: B023
        assert right.fence() == fence
        assert not late.held


async def test_control_without_looking_for_renewals_a_wrong_clock_holds_up_the_takeover(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Followers, "_until_next_renewal", lambda self: SHORT["renewal"])
    renew = Followers._renew

    async def trusting(self: Followers) -> None:
        self._stands = {name: (end, float("inf")) for name, (end, _) in self._stands.items()}
        await renew(self)

    monkeypatch.setattr(Followers, "_renew", trusting)
    clock = SetClock()
    clock.ahead = HOUR
    with pytest.raises(AssertionError, match="the second process holds it"):
        await takeover(address, clock)


async def test_an_owner_whose_clock_is_set_back_keeps_its_lease(address: str) -> None:
    clock = SetClock()
    clock.ahead = HOUR
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(node_at(address, clock, **SHORT))
        lease = await first.followers.hold("work")
        await eventually(lambda: lease.held, PATIENCE, "the first process holds the lease")
        second = await stack.enter_async_context(node_at(address, **SHORT))
        other = await second.followers.hold("work")
        await eventually(lambda: second.followers._stands, PATIENCE, "the second process has asked")
        clock.ahead = 0.0
        for _ in range(10):
            before = second.followers._stands["work"]
            await eventually(lambda: second.followers._stands["work"] != before, PATIENCE, "a renewal")  # noqa: B023
        assert lease.held
        assert not other.held


async def test_a_lease_is_no_follower_that_staff_sees(address: str) -> None:
    async with node_at(address) as node:
        await node.followers.hold("work")
        await node.enrol()
        assert node.rows("SELECT name, scope FROM followers") == [("work", "")]
        assert await node.read(followers.listing, "", 10) == ([], False)
        with pytest.raises(NotFound):
            await node.journal.submit(PauseFollower(follower="work"), node.actor)


# --- the steps -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def nodes(address: str, tmp_path: Path) -> AsyncIterator[tuple[list[Services], MovingClock]]:
    """Two nodes in this process, with one clock."""
    clock = MovingClock()
    async with AsyncExitStack() as stack:
        made = []
        for number in range(2):
            given = {"data": tmp_path / f"node{number}", "database_url": address, "bus_url": "postgresql"}
            settings, _ = load(given)
            made.append(await stack.enter_async_context(main.running(settings, clock)))
        await eventually(lambda: all(competes(node) for node in made), PATIENCE, "both compete")
        await eventually(lambda: sum(map(holds, made)) == 1, PATIENCE, "one of them keeps house")
        yield made, clock


def competes(services: Services) -> bool:
    return HOUSEKEEPING in services.followers._site_leases


def holds(services: Services) -> bool:
    return lease_of(services).held


def lease_of(services: Services) -> SiteLease:
    return services.followers._site_leases[HOUSEKEEPING]


def count(services: Services, query: str) -> int:
    return int(services.database.read(lambda connection: connection.execute(text(query)).scalar_one()))


async def stale(nodes: list[Services], clock: MovingClock) -> tuple[Services, SiteLease]:
    """Return a node that stands still since before another one took its lease, and does not know it."""
    (owner,) = (node for node in nodes if holds(node))
    (other,) = (node for node in nodes if node is not owner)
    lease = lease_of(owner)
    for task in tuple(owner.followers._tasks):
        task.cancel()
    fence = lease.fence()
    clock.ahead += 11
    await eventually(lambda: holds(other), PATIENCE, "the other node keeps house")
    lease._until = float("inf")  # as on a machine that was suspended: its monotonic clock stood still, too
    assert lease_of(other).fence() == fence + 1
    return owner, lease


OLD = "INSERT INTO links (token_hash, purpose, created_at, expires_at) VALUES ('old', 'setup', 0, 1)"


def insert_old(services: Services) -> None:
    with services.database.migrating() as connection:
        connection.execute(text(OLD))
        connection.commit()


async def test_a_node_that_stood_still_deletes_nothing(nodes: tuple[list[Services], MovingClock]) -> None:
    made, clock = nodes
    command = CreateAccount(username="alice", password_hash="-", role=Role.MEMBER)
    await made[0].journal.submit(command, SYSTEM)
    owner, lease = await stale(made, clock)
    insert_old(owner)
    clock.ahead += 40 * DAY / 1_000
    for step in (housekeeping.trim, housekeeping.prune, housekeeping.forget_dead_letters):
        with pytest.raises(Fenced):
            await step(owner, lease)
    assert count(owner, "SELECT count(*) FROM links WHERE token_hash = 'old'") == 1
    assert count(owner, "SELECT sum(floor) FROM topics") == 0
    await housekeeping.run_steps(owner, housekeeping.INTERVAL, lease)  # ends without an error
    assert count(owner, "SELECT count(*) FROM links WHERE token_hash = 'old'") == 1


async def test_control_without_the_fence_it_deletes(
    nodes: tuple[list[Services], MovingClock], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, clock = nodes
    owner, lease = await stale(made, clock)
    insert_old(owner)
    monkeypatch.setattr(handlers, "check_site_lease", lambda *_: None)
    await housekeeping.prune(owner, lease)
    assert count(owner, "SELECT count(*) FROM links WHERE token_hash = 'old'") == 0


async def test_only_the_owner_of_the_lease_deletes(nodes: tuple[list[Services], MovingClock]) -> None:
    made, _ = nodes
    (owner,) = (node for node in made if holds(node))
    (other,) = (node for node in made if node is not owner)
    insert_old(owner)
    await housekeeping.run_steps(other, housekeeping.INTERVAL, lease_of(other))
    assert count(owner, "SELECT count(*) FROM links WHERE token_hash = 'old'") == 1
    await housekeeping.run_steps(owner, housekeeping.INTERVAL, lease_of(owner))
    assert count(owner, "SELECT count(*) FROM links WHERE token_hash = 'old'") == 0
    await housekeeping.run_steps(owner, housekeeping.INTERVAL, lease_of(owner))  # each step may be repeated
