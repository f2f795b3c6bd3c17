"""The database of three nodes is killed, or fails over to a standby, under load."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.nodes.conftest import MakeSite, over
from tests.nodes.traffic import DEADLINE, Traffic
from tests.support import depth
from tests.support.checker import Frame, Stored, lost
from tests.support.postgres import Postgres
from tests.support.standby import Standby, standby
from tests.support.waiting import eventually, eventually_async
from tests.support.wire import Wire, wire

pytestmark = pytest.mark.faults

NODES = 3


async def kill_database(traffic: Traffic, postgres: Postgres, rounds: int) -> None:
    for _ in range(rounds):
        await traffic.sent(50)
        await asyncio.to_thread(postgres.kill)
        await asyncio.to_thread(postgres.start)
        for node in range(NODES):
            await traffic.sent(1, by=node)


@over("postgresql", also="nats")
async def test_a_killed_database_costs_no_acknowledged_message_on_any_node(
    make_site: MakeSite, postgres_server: Postgres
) -> None:
    site = await asyncio.to_thread(make_site, NODES)
    traffic = await Traffic(site).start()
    await kill_database(traffic, postgres_server, depth.rounds("kills of the database", short=1, long=30))
    found = await traffic.end()
    assert not found, "\n".join(found)
    assert all(follower.closes == [] for follower in traffic.followers), "no socket was closed"


@over("nats")
async def test_control_nodes_that_answer_before_the_commit_lose_messages_with_the_database(
    make_site: MakeSite, postgres_server: Postgres
) -> None:
    site = await asyncio.to_thread(make_site, NODES, "ack-before-commit", every=True)
    traffic = await Traffic(site).start()
    found: list[str] = []
    for _ in range(8):  # The nodes are between answer and COMMIT most of the time, but not always.
        await kill_database(traffic, postgres_server, 1)
        found = lost(traffic.history, await asyncio.to_thread(Stored.read, site.url))
        if found:
            break
    await traffic.leave()
    assert any("I1 lost" in sentence for sentence in found)


# --- failover --------------------------------------------------------------------------------------------------------


@pytest.fixture
def pair() -> Iterator[Standby]:
    with standby() as made:
        yield made


@pytest.fixture
def between(pair: Standby) -> Iterator[Wire]:
    """The network between the nodes and their database."""
    with wire(pair.primary.socket) as made:
        yield made


async def fail_over(pair: Standby, between: Wire) -> None:
    await asyncio.to_thread(pair.take_over)
    between.turn_to(pair.socket)


@over("nats", also="postgresql")
async def test_a_failover_to_a_synchronous_standby_keeps_the_epoch_and_all_messages(
    pair: Standby, between: Wire, make_site: MakeSite
) -> None:
    url = between.url(pair.primary.empty())
    site = await asyncio.to_thread(make_site, NODES, url=url)
    await asyncio.to_thread(pair.make_synchronous)
    traffic = await Traffic(site).start()
    await traffic.sent(50)
    await fail_over(pair, between)
    for node in range(NODES):
        await traffic.sent(10, by=node)
    found = await traffic.end()
    assert not found, "\n".join(found)
    assert all(follower.closes == [] for follower in traffic.followers), "no socket was closed"
    assert not [line for node in site.nodes for line in node.log_lines("new_epoch")]


async def lose_messages(traffic: Traffic, pair: Standby, between: Wire) -> None:
    """Fail over to a standby that lacks the last messages."""
    await traffic.sent(30)
    await asyncio.to_thread(pair.disconnect)
    await traffic.sent(30)
    await fail_over(pair, between)


def unbroken(events: list[Frame]) -> list[Frame]:
    """Return the last events without a gap: what a client has received since its reset."""
    start = len(events) - 1
    while start > 0 and events[start - 1]["seq"] == events[start]["seq"] - 1:
        start -= 1
    return events[start:]


@over("postgresql", also="nats")
async def test_after_a_failover_that_lost_messages_the_nodes_agree_on_one_new_epoch_and_all_clients_reset(
    pair: Standby, between: Wire, make_site: MakeSite
) -> None:
    url = between.url(pair.primary.empty())
    site = await asyncio.to_thread(make_site, NODES, url=url)
    traffic = await Traffic(site).start()
    before = {follower.epoch for follower in traffic.followers}
    await lose_messages(traffic, pair, between)

    def have_reset() -> bool:
        epochs = {follower.epoch for follower in traffic.followers}
        return len(epochs) == 1 and epochs != before and all(follower.resets for follower in traffic.followers)

    await eventually(have_reset, DEADLINE, "all clients follow the new epoch")
    for node in range(NODES):
        await traffic.sent(10, by=node)
    await traffic.quiet()
    assert not await traffic.caught_up(DEADLINE)
    assert len([line for node in site.nodes for line in node.log_lines("new_epoch")]) == 1, "one of them began it"
    stored = await asyncio.to_thread(Stored.read, site.url)
    content = {room: [(row.seq, row.key) for row in stored.messages if row.room == room] for room in traffic.rooms}
    for follower in traffic.followers:
        for room in traffic.rooms:
            topic = f"room:{room}"
            later = unbroken(follower.events(topic))
            reset = max(each["head"] for each in follower.resets if each["topic"] == topic)
            assert later[0]["seq"] <= reset + 1
            assert later[-1]["seq"] == stored.log[topic][-1]
            told = [(event["seq"], event["key"]) for event in later if event["type"] == "message.sent"]
            assert told == [(seq, key) for seq, key in content[room] if seq >= later[0]["seq"]]
    await traffic.leave()


@over("nats")
async def test_control_nodes_that_never_look_back_leave_clients_in_a_history_that_is_gone(
    pair: Standby, between: Wire, make_site: MakeSite
) -> None:
    url = between.url(pair.primary.empty())
    site = await asyncio.to_thread(make_site, NODES, "never-look-back", every=True, url=url)
    traffic = await Traffic(site).start()
    await lose_messages(traffic, pair, between)

    async def is_stored() -> bool:
        return all([await asyncio.to_thread(node.is_ready) for node in site.nodes])

    await eventually_async(is_stored, DEADLINE, "the nodes answer again")
    await traffic.quiet()
    stored = await asyncio.to_thread(Stored.read, site.url)
    seen = {f"node {n}": {t: f.events(t) for t in stored.log} for n, f in enumerate(traffic.followers)}
    for name, events in seen.items():
        traffic.history.observe(name, events)
    assert lost(traffic.history, stored)
    assert not any(follower.resets for follower in traffic.followers), "no client was told"
    await traffic.leave()
