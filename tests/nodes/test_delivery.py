"""Messages on several nodes: one order everywhere, also after the bus or a node was away."""

import asyncio
import random

import pytest

from tests.nodes.conftest import MakeSite, Site
from tests.support.checker import History, Stored, violations
from tests.support.follower import Follower
from tests.support.waiting import eventually
from tests.support.writer import Writer

pytestmark = pytest.mark.faults

LANES = 3
DEADLINE = 60.0


class Traffic:
    """Writers and observers on every node of a site, in rooms that all of them follow."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.history = History()
        self.stop = asyncio.Event()

    async def start(self, rooms: int = 2) -> "Traffic":
        creator = await asyncio.to_thread(self.site.nodes[0].sign_up, "creator")
        self.creator = creator
        self.rooms = [creator.create_room(f"room {random.getrandbits(40):x}") for _ in range(rooms)]
        self.followers = []
        for number, node in enumerate(self.site.nodes):
            account = self.site.there(creator, number)
            self.followers.append(await Follower(node.websocket_url, account.token).start(DEADLINE))
        self.writers = []
        for node in self.site.nodes:
            account = await asyncio.to_thread(node.sign_up, "writer")
            for room in self.rooms:
                await asyncio.to_thread(account.join, room)
            self.writers.append(Writer(account, self.history))
        self.lanes = [asyncio.create_task(self._write(writer)) for writer in self.writers for _ in range(LANES)]
        return self

    async def _write(self, writer: Writer) -> None:
        while not self.stop.is_set():
            for room in self.rooms:
                await writer.send(room)

    async def sent(self, count: int) -> None:
        """Wait until so many more messages were acknowledged."""
        goal = len(self.history.acked) + count
        await eventually(lambda: len(self.history.acked) >= goal, DEADLINE, f"{count} more messages are sent")

    async def end(self) -> list[str]:
        """Stop writing, wait until every observer has everything, and return what was wrong."""
        self.stop.set()
        await asyncio.gather(*self.lanes)
        stored = await asyncio.to_thread(Stored.read, self.site.url)
        heads = {f"room:{room}": stored.log[f"room:{room}"][-1] for room in self.rooms}
        found = []
        for number, follower in enumerate(self.followers):
            try:
                await eventually(
                    lambda: all(follower.positions()[topic] >= head for topic, head in heads.items()),  # noqa: B023
                    DEADLINE / 2,
                    f"the observer of node {number} has everything",
                )
            except AssertionError as error:
                found.append(str(error))
            events = {topic: follower.events(topic) for topic in heads}
            self.history.observe(f"node {number}", events, follower.resets)
        await self.leave()
        return found + violations(self.history, stored)

    async def leave(self) -> None:
        await asyncio.gather(*(writer.close() for writer in self.writers))
        await asyncio.gather(*(follower.stop() for follower in self.followers))


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
    traffic.stop.set()
    await asyncio.gather(*traffic.lanes)
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
    moved = traffic.followers[1]
    moved.url = traffic.writers[1].url = site.nodes[0].websocket_url
    await traffic.sent(100)
    found = await traffic.end()
    assert not found, "\n".join(found)
    assert moved.welcomes == 2
    assert not moved.resets
