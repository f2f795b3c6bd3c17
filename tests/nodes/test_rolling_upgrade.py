"""Nodes of an earlier version are replaced one after the other, under load."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.nodes.conftest import BROKEN, Site
from tests.nodes.traffic import Traffic
from tests.support.earlier import unpack_earlier
from tests.support.nats import nats
from tests.support.postgres import Postgres
from tests.support.proxy import Proxy
from tests.support.server import Server

pytestmark = pytest.mark.faults
STOPS_WITHIN = 10.0


@pytest.fixture
def site(kind: str, postgres_server: Postgres, tmp_path: Path) -> Iterator[Site]:
    """Three running nodes of an earlier version."""
    source, version = unpack_earlier(tmp_path / "earlier")
    url = postgres_server.empty()
    with nats(tmp_path) as bus:
        address = bus.url if kind == "nats" else "postgresql"
        settings = {"HUBBUB_DATABASE_URL": url, "HUBBUB_BUS_URL": address, "PYTHONPATH": str(source)}
        nodes = [Server(tmp_path / f"node{number}", settings) for number in range(3)]
        try:
            for node in nodes:
                node.by_fork = False
                node.launch()
            for node in nodes:
                node.wait_ready()
                imported = Path(f"/proc/{node.pid}/environ").read_text()
                assert f"PYTHONPATH={source}" in imported, f"{version} runs"
            yield Site(nodes, url, bus if kind == "nats" else None)
        finally:
            for node in nodes:
                node.end()
    postgres_server.drop(url)


async def replace(node: Server) -> None:
    """Stop a node of the earlier version, and start one of this version in its place."""
    del node.settings["PYTHONPATH"]
    node.by_fork = True
    before = time.monotonic()
    await asyncio.to_thread(node.stop)
    assert time.monotonic() - before < STOPS_WITHIN
    await asyncio.to_thread(node.start)


async def traffic_behind_balancers(site: Site, stack: AsyncExitStack) -> Traffic:
    """Return traffic on all nodes. Clients of a node that is stopped go to the next one."""
    traffic = await Traffic(site).start()
    ports = [node.port for node in site.nodes]
    for number, (follower, writer) in enumerate(zip(traffic.followers, traffic.writers, strict=True)):
        balancer = await stack.enter_async_context(Proxy(*ports[number:], *ports[:number]))
        follower.url = writer.url = balancer.websocket_url
    return traffic


async def test_three_nodes_are_replaced_under_load_and_nothing_is_lost(site: Site) -> None:
    async with AsyncExitStack() as stack:
        traffic = await traffic_behind_balancers(site, stack)
        await traffic.sent(50)
        for node in site.nodes:
            await replace(node)
            await traffic.sent(100)  # both versions side by side, until the last one is replaced
        found = await traffic.end()
    assert not found, "\n".join(found)
    assert all(follower.resets == [] for follower in traffic.followers)
    assert all(1006 not in follower.closes for follower in traffic.followers), "every node was drained"
    for node in site.nodes:
        assert not node.log_lines("bus_message_ignored")
        assert "Traceback" not in node.log_text()


@pytest.mark.parametrize("kind", ["nats"])
async def test_control_a_new_node_that_does_not_hear_the_old_ones_is_noticed(site: Site) -> None:
    last = site.nodes[-1]
    async with AsyncExitStack() as stack:
        traffic = await traffic_behind_balancers(site, stack)
        await traffic.sent(50)
        last.settings["BROKEN"] = "deaf no-positions"
        last.launcher = list(BROKEN)
        await replace(last)
        traffic.followers[0].url = last.websocket_url
        assert traffic.followers[0].connection is not None
        await traffic.followers[0].connection.abort()
        await traffic.sent(100)
        found = await traffic.end()
    assert found
