"""Messages on several nodes: one order everywhere, also after the bus or a node was away."""

import asyncio

import pytest

from tests.nodes.conftest import MakeSite
from tests.nodes.traffic import DEADLINE, Traffic
from tests.support.client import Connection
from tests.support.follower import Follower
from tests.support.waiting import eventually, eventually_async

pytestmark = pytest.mark.faults


async def test_three_nodes_that_all_write_show_one_order_without_gap_or_repetition(make_site: MakeSite) -> None:
    site = await asyncio.to_thread(make_site, 3)
    traffic = await Traffic(site).start()
    await traffic.sent(200)
    found = await traffic.end()
    assert not found, "\n".join(found)
    assert all(follower.closes == [] for follower in traffic.followers)
    assert all(node.metrics()['hubbub_bus_messages_total{outcome="received"}'] > 0 for node in site.nodes)


async def test_all_nodes_converge_after_the_bus_was_away_under_load(make_site: MakeSite) -> None:
    site = await asyncio.to_thread(make_site, 2)
    traffic = await Traffic(site).start()
    await traffic.sent(50)
    for _ in range(3):
        await asyncio.to_thread(site.interrupt)
        await traffic.sent(50)
        await asyncio.to_thread(site.resume)
        await traffic.sent(50)
    found = await traffic.end()
    assert not found, "\n".join(found)
    assert all(follower.closes == [] for follower in traffic.followers), "no connection noticed it"
    # Positioning can bring everything before a node reaches the bus again.
    await eventually(
        lambda: all(node.metrics()["hubbub_bus_connects_total"] > 1 for node in site.nodes),
        DEADLINE,
        "all nodes are on the bus again",
    )


async def test_positioning_delivers_what_the_bus_lost(make_site: MakeSite) -> None:
    """The last node is deaf: no message of the bus reaches it."""
    site = await asyncio.to_thread(make_site, 2, "deaf quick-positions")
    traffic = await Traffic(site).start()
    await traffic.sent(50)
    found = await traffic.end()
    assert not found, "\n".join(found)


async def test_control_a_deaf_node_without_positioning_loses_messages(make_site: MakeSite) -> None:
    site = await asyncio.to_thread(make_site, 2, "deaf no-positions")
    traffic = await Traffic(site).start()
    await traffic.sent(50)
    await traffic.quiet()
    # Sent on the first node when nothing follows that could show the gap on the second one.
    message = {"body": "last", "key": "last"}
    path = f"/api/rooms/{traffic.rooms[0]}/messages"
    last = await asyncio.to_thread(traffic.creator.request, "POST", path, json=message)
    seq = last.json()["seq"]
    topic = f"room:{traffic.rooms[0]}"
    await eventually(lambda: traffic.followers[0].positions()[topic] == seq, DEADLINE, "the first node shows it")
    assert traffic.followers[1].positions()[topic] < seq
    await traffic.leave()


async def test_a_client_of_a_killed_node_continues_on_another(make_site: MakeSite) -> None:
    site = await asyncio.to_thread(make_site, 2)
    traffic = await Traffic(site).start()
    await traffic.sent(50)
    site.nodes[1].kill()
    traffic.move(1, to=0)
    await traffic.sent(100)
    found = await traffic.end()
    assert not found, "\n".join(found)
    assert traffic.followers[1].welcomes == 2
    assert not traffic.followers[1].resets


async def test_a_position_from_before_the_trimmed_log_is_reset_on_every_node(make_site: MakeSite) -> None:
    """One node trims; the other one says so to a client that was away, and skips nothing (I7)."""
    site = await asyncio.to_thread(make_site, 2, HUBBUB_RETENTION_DAYS="30")
    creator = await asyncio.to_thread(site.nodes[0].sign_up, "creator")
    room = await asyncio.to_thread(creator.create_room, "old")
    topic = f"room:{room}"

    async def send(body: str) -> None:
        message = {"body": body, "key": body}
        answer = await asyncio.to_thread(creator.request, "POST", f"/api/rooms/{room}/messages", json=message)
        assert answer.status_code in (200, 201), answer.text

    for number in range(10):
        await send(f"old {number}")
    await asyncio.to_thread(creator.create_room, "new")
    there, (first, second) = site.there(creator, 1), site.nodes
    await asyncio.to_thread(first.stop)
    await eventually(lambda: second.log_lines("housekeeping_taken"), DEADLINE, "the second node keeps house")
    days = 31 * 86_400_000
    site.execute("UPDATE log SET at = at - %s WHERE tx <> (SELECT max(tx) FROM log)", days)
    site.execute("UPDATE messages SET at = at - %s WHERE id < (SELECT max(tx) FROM log)", days)
    await asyncio.to_thread(first.start)
    current = await Follower(creator.server.websocket_url, creator.token).start()
    await asyncio.to_thread(second.stop)  # the first one takes the housekeeping over, and trims
    await asyncio.to_thread(second.start)

    async def is_trimmed() -> bool:
        page = await asyncio.to_thread(there.get, f"/api/topics/{topic}/events", after=3)
        return bool(page.get("reset"))

    await eventually_async(is_trimmed, DEADLINE, "the log is trimmed")
    async with await Connection.open(there.server.websocket_url, there.token, {topic: 3}, current.epoch) as late:
        await late.ping()
        assert [frame["topic"] for frame in late.of_type("reset")] == [topic]
        await send("new")
        await eventually(lambda: late.of_type("message.sent"), DEADLINE, "the client goes on after the reset")
    await eventually(lambda: [event["body"] for event in current.events(topic)] == ["new"], DEADLINE, "it arrives")
    assert not current.resets
    await current.stop()
