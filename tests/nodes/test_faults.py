"""A site of three nodes while its bus, one of its nodes or its database fails.

All clients of all nodes keep I1 to I9 of `traffic.py`. Each fault has a control with broken nodes.
"""

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.nodes.conftest import MakeSite, Site, over
from tests.nodes.traffic import DEADLINE, Traffic
from tests.support import depth, timing
from tests.support.checker import Stored, lost
from tests.support.namespace import Namespace, namespace
from tests.support.nats import Cluster
from tests.support.timing import TooSlowError, three_attempts
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults

NODES = 3
CONVERGED = 5.0
"""Seconds after a fault within which every client has everything."""
NOTICED = 3.5
"""Seconds after which a node that is cut off reads the log each second."""
BEHIND = 2.5
"""Seconds by which clients of a node without a bus may lag behind: one to the next look at the log."""
ELSEWHERE = 5.0


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


async def wait(seconds: float) -> None:
    """Let the fault last."""
    await asyncio.sleep(seconds)


async def converges(traffic: Traffic) -> None:
    """Assert that all observers get what is stored now in time."""
    began = timing.active()
    missing = await traffic.caught_up(DEADLINE)
    assert not missing, "\n".join(missing)
    if timing.active() - began > CONVERGED:
        raise TooSlowError(f"converged after {timing.active() - began:.1f} s")


async def ends_well(traffic: Traffic) -> None:
    found = await traffic.end()
    assert not found, "\n".join(found)
    assert traffic.visits, "members joined and were removed"
    assert traffic.history.reads, "histories were read"


# --- R4: a node is cut off from the bus ------------------------------------------------------------------------------


@pytest.fixture
def inside(kind: str) -> Iterator[Namespace | None]:
    """The network of the last node. The bus over PostgreSQL has none: its connection is ended instead."""
    if kind == "postgresql":
        yield None
        return
    with namespace() as made:
        yield made


class Cut:
    """The way between the last node and its bus."""

    def __init__(self, site: Site, inside: Namespace | None, seconds: float) -> None:
        self.site, self.inside, self.seconds = site, inside, seconds

    async def last(self) -> None:
        """Cut, wait, and heal."""
        if self.inside is not None:
            await asyncio.to_thread(self.inside.cut)
            await wait(self.seconds)
            await asyncio.to_thread(self.inside.heal)
            return
        until = time.monotonic() + self.seconds
        while time.monotonic() < until:  # a node connects again at once
            await asyncio.to_thread(self.site.interrupt)
            await wait(0.1)


@over("cluster", "postgresql")
@three_attempts
async def test_a_node_without_the_bus_lags_two_seconds_and_converges_after_it(
    make_site: MakeSite, inside: Namespace | None
) -> None:
    site = await asyncio.to_thread(make_site, NODES, inside=inside)
    traffic = await Traffic(site).start()
    await traffic.sent(100)
    began = time.monotonic()
    own = asyncio.ensure_future(traffic.sent(10, by=NODES - 1))
    await Cut(site, inside, depth.rounds("seconds without the bus", short=5, long=60)).last()
    healed = time.monotonic()
    assert own.done(), "the node that is cut off goes on"
    await converges(traffic)
    lag = traffic.lag(NODES - 1, began + NOTICED, healed)
    first = traffic.lag(NODES - 1, began, began + NOTICED)
    await ends_well(traffic)
    assert all(follower.closes == [] for follower in traffic.followers), "no connection noticed it"
    if lag > BEHIND or first > NOTICED + 1:
        raise TooSlowError(f"{first:.1f} s behind before the cut was noticed, then {lag:.1f} s")


@over("cluster")
async def test_control_a_node_that_never_looks_at_the_log_lags_for_as_long_as_the_bus_is_away(
    make_site: MakeSite, inside: Namespace | None
) -> None:
    site = await asyncio.to_thread(make_site, NODES, "no-positions deaf", inside=inside)
    traffic = await Traffic(site).start()
    await traffic.sent(50)
    began = time.monotonic()
    await Cut(site, inside, NOTICED + BEHIND).last()
    assert traffic.lag(NODES - 1, began, time.monotonic()) > BEHIND
    await traffic.leave()


# --- R5: no bus at all, and one server of it -------------------------------------------------------------------------


async def without_a_bus(site: Site, seconds: float) -> Traffic:
    traffic = await Traffic(site).start()
    await traffic.sent(50)
    began = time.monotonic()
    await asyncio.to_thread(site.interrupt)
    while time.monotonic() < began + seconds:
        await traffic.sent(1)
        if site.bus is None:
            await asyncio.to_thread(site.interrupt)
        await wait(0.1)
    return traffic


@over("cluster", also="postgresql")
@three_attempts
async def test_without_the_bus_sends_are_acknowledged_and_everything_converges_after_it(make_site: MakeSite) -> None:
    site = await asyncio.to_thread(make_site, NODES)
    traffic = await without_a_bus(site, depth.rounds("seconds without any bus", short=3, long=60))
    await asyncio.to_thread(site.resume)
    await converges(traffic)
    await ends_well(traffic)
    assert all(follower.closes == [] for follower in traffic.followers), "no connection noticed it"
    for node in site.nodes:
        await eventually(
            lambda: node.metrics()["hubbub_bus_connected"],  # noqa: B023
            DEADLINE,
            "the bus is back",
        )


@over("cluster")
async def test_control_nodes_that_never_look_at_the_log_converge_without_the_bus_never(make_site: MakeSite) -> None:
    site = await asyncio.to_thread(make_site, NODES, "no-positions deaf", every=True)
    traffic = await without_a_bus(site, 1)
    await traffic.quiet()
    assert await traffic.caught_up(BEHIND)
    await traffic.leave()


@over("cluster")
async def test_a_nats_server_that_is_killed_and_returns_costs_nothing(make_site: MakeSite) -> None:
    """Each of the three in turn, so that each node loses its server at least once."""
    site = await asyncio.to_thread(make_site, NODES)
    assert isinstance(site.bus, Cluster)
    traffic = await Traffic(site).start()
    for _ in range(depth.rounds("rounds over three NATS servers", short=1, long=20)):
        for server in site.bus.servers:
            await traffic.sent(50)
            await asyncio.to_thread(server.kill)
            await traffic.sent(50)
            await asyncio.to_thread(site.bus.start)
    await converges(traffic)
    await ends_well(traffic)
    assert all(follower.closes == [] for follower in traffic.followers)
    assert all(node.metrics()["hubbub_bus_connects_total"] > 1 for node in site.nodes)


# --- R6: a node is killed --------------------------------------------------------------------------------------------


async def kill_nodes(site: Site, traffic: Traffic, victims: list[int]) -> list[float]:
    """Kill nodes, one after the other. Its clients go on elsewhere, and return when it is back.

    Return the seconds after which the observer of the node was connected elsewhere.
    """
    took = []
    for victim in victims:
        await traffic.sent(10, by=victim)
        follower, url = traffic.followers[victim], site.nodes[victim].websocket_url
        before = follower.welcomes
        await asyncio.to_thread(site.nodes[victim].kill)
        began = timing.active()
        traffic.move(victim, to=(victim + 1) % len(site.nodes))
        await eventually(lambda: follower.welcomes > before, DEADLINE, "the observer is connected elsewhere")  # noqa: B023
        took.append(timing.active() - began)
        await traffic.sent(10, by=victim)
        await asyncio.to_thread(site.nodes[victim].start)
        follower.url = traffic.writers[victim].url = url
        assert follower.connection is not None
        await follower.connection.abort()
        await traffic.writers[victim].close()  # it opens another connection
    return took


@over("cluster", also="postgresql")
@three_attempts
async def test_clients_of_killed_nodes_continue_on_others_with_their_positions(make_site: MakeSite) -> None:
    site = await asyncio.to_thread(make_site, NODES)
    traffic = await Traffic(site).start()
    kills = depth.rounds("kills of a node", short=3, long=50)
    took = await kill_nodes(site, traffic, [number % NODES for number in range(kills)])
    await converges(traffic)
    await ends_well(traffic)
    assert all(follower.welcomes > 1 for follower in traffic.followers)
    if percentile(took, 0.99) > ELSEWHERE:
        raise TooSlowError(f"clients were connected elsewhere after {percentile(took, 0.99):.1f} s")


@over("postgresql")
async def test_control_a_killed_node_that_answers_before_the_commit_has_lost_messages(make_site: MakeSite) -> None:
    found: list[str] = []
    site = await asyncio.to_thread(make_site, 2, "ack-before-commit")
    traffic = await Traffic(site).start()
    for _ in range(20):  # The node is between answer and COMMIT most of the time, but not always.
        await kill_nodes(site, traffic, [1])
        if found := lost(traffic.history, await asyncio.to_thread(Stored.read, site.url)):
            break
    await traffic.leave()
    assert any("I1 lost" in sentence for sentence in found)
