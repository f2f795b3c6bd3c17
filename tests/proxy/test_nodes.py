"""The Caddyfile of the Compose file, in a real Caddy in front of two nodes that end."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.proxy.front import Certificate, Front, program
from tests.proxy.visitor import Visitor
from tests.support.follower import Follower
from tests.support.nats import nats
from tests.support.postgres import Postgres
from tests.support.server import Server
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults
CADDYFILE = Path(__file__).parents[2] / "deploy" / "Caddyfile"
UPSTREAMS = "node1:8000 node2:8000 node3:8000"
FIRST_WITH_CLOSE_DELAY = (2, 7)
PATIENCE = 60.0
PAUSE = 0.05  # between two attempts of a client
NOT_NOW = {502, 503}
"""Caddy 2.6 tries another node only for requests without a body; the client repeats the others."""


class Nodes:
    """Two nodes behind Caddy, and a user who follows the lobby through it."""

    def __init__(self, front: Front, nodes: list[Server]) -> None:
        self.front = front
        self.nodes = nodes
        self.sent: list[int] = []
        self.refused: list[int] = []

    async def enter(self) -> None:
        self.visitor = await asyncio.to_thread(Visitor(self.front).sign_up)
        follower = Follower(self.visitor._url("/ws"), self.visitor.token, self.visitor._way)
        self.follower = await follower.start(PATIENCE)

    def node_of_the_follower(self) -> Server:
        """Return the node that has the WebSocket."""
        (found,) = [node for node in self.nodes if node.metrics()['hubbub_connections{state="live"}']]
        return found

    async def post(self, count: int, name: str) -> None:
        """Send messages by REST through the proxy, one after the other, each until it is acknowledged."""
        for number in range(count):
            message = {"key": f"{name} {number}", "body": f"{name} {number}"}
            while (answer := await asyncio.to_thread(self._attempt, message)).status_code != 201:
                self.refused.append(answer.status_code)
                await asyncio.sleep(PAUSE)
            self.sent.append(answer.json()["seq"])

    def _attempt(self, message: dict[str, str]) -> httpx.Response:
        return self.visitor.ask("POST", "/api/rooms/1/messages", self.visitor.bearer, json=message)

    async def more_sent(self, count: int) -> None:
        goal = len(self.sent) + count
        await eventually(lambda: len(self.sent) >= goal, PATIENCE, f"{count} more messages are sent")

    async def is_used(self, node: Server) -> None:
        """Wait until Caddy sends requests to a node."""
        await eventually(lambda: node.metrics()["hubbub_messages_total"] > 0, PATIENCE, "the node is in use")

    async def has_all(self) -> None:
        """Wait until the follower has all that was sent. It applies events only in order."""

        def missing() -> set[int]:
            return set(self.sent) - {event["seq"] for event in self.follower.events("room:1")}

        await eventually(lambda: not missing(), PATIENCE, "the follower has everything")
        assert not self.follower.resets
        assert len(set(self.sent)) == len(self.sent)
        bodies = [event["body"] for event in self.follower.events("room:1") if event["type"] == "message.sent"]
        assert len(set(bodies)) == len(bodies) == len(self.sent)
        assert set(self.refused) <= NOT_NOW


def version() -> tuple[int, int]:
    """Return the version of Caddy."""
    done = subprocess.run([program("caddy"), "version"], capture_output=True, text=True, check=True)
    major, minor = done.stdout.split()[0].removeprefix("v").split(".")[:2]
    return int(major), int(minor)


Serve = Callable[[int], AbstractAsyncContextManager[Nodes]]


@pytest.fixture
def behind_caddy(certificate: Certificate, postgres_server: Postgres, tmp_path: Path) -> Serve:
    """Return a factory of two nodes, of which Caddy knows so many."""

    @asynccontextmanager
    async def serve(known: int) -> AsyncIterator[Nodes]:
        front = Front("caddy", "", certificate, tmp_path)
        front.text = CADDYFILE.read_text().replace("{$SITE}", front.name)
        if version() < FIRST_WITH_CLOSE_DELAY:
            front.change("stream_close_delay 1h", "")
        url = postgres_server.empty()
        with nats(tmp_path) as bus:
            settings = {
                "HUBBUB_DATABASE_URL": url,
                "HUBBUB_BUS_URL": bus.url,
                "HUBBUB_PUBLIC_URL": front.address,
                "HUBBUB_TRUSTED_PROXIES": "127.0.0.1",
            }
            nodes = [Server(tmp_path / f"node{number}", settings) for number in range(2)]
            others = "".join(f" 127.0.0.1:{node.port}" for node in nodes[1:known])
            front.change(UPSTREAMS, f"127.0.0.1:8000{others}")
            found = Nodes(front, nodes)
            try:
                for node in nodes:
                    await asyncio.to_thread(node.launch)
                for node in nodes:
                    await asyncio.to_thread(node.wait_ready)
                await asyncio.to_thread(front.start, nodes[0].port)
                await found.enter()
                yield found
                await found.follower.stop()
            finally:
                front.stop()
                for node in nodes:
                    node.end()
        postgres_server.drop(url)

    return serve


async def test_clients_of_a_killed_node_go_on_at_the_other_one(behind_caddy: Serve) -> None:
    async with behind_caddy(2) as site:
        await site.post(5, "before")
        lost = site.node_of_the_follower()
        lost.kill()
        await site.post(20, "after")
        await site.has_all()
        assert site.follower.welcomes == 2
        await asyncio.to_thread(lost.start)


async def test_control_without_another_node_requests_fail(behind_caddy: Serve) -> None:
    async with behind_caddy(1) as site:
        lost = site.node_of_the_follower()
        lost.kill()
        site.visitor.http.timeout = PATIENCE
        posting = asyncio.create_task(site.post(1, "after"))
        await eventually(lambda: len(site.refused) >= 2, PATIENCE, "requests are refused")
        assert not posting.done()
        assert site.follower.welcomes == 1
        await asyncio.to_thread(lost.start)
        await posting


async def test_nothing_is_lost_while_nodes_are_replaced_one_after_the_other(behind_caddy: Serve) -> None:
    async with behind_caddy(2) as site:
        stop = asyncio.Event()

        async def post_on(name: str) -> None:
            number = 0
            while not stop.is_set():
                number += 1
                await site.post(1, f"{name} {number}")

        posting = [asyncio.create_task(post_on(f"lane {lane}")) for lane in range(4)]
        for node in site.nodes:
            await site.more_sent(50)
            await asyncio.to_thread(node.stop)
            await asyncio.to_thread(node.start)
            await site.is_used(node)  # Caddy has noticed it: the next one may stop
        stop.set()
        await asyncio.gather(*posting)
        await site.has_all()
        assert 4000 in site.follower.closes
