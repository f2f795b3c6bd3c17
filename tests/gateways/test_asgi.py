"""The ASGI gateway by itself: admission, dead peers, slow readers, and closing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from hubbub.gateways.asgi.gateway import QUIET, AsgiGateway
from hubbub.main import compose
from tests.support.asgi_socket import Socket
from tests.support.waiting import eventually
from tests.support.world import World as InnerWorld
from tests.support.world import world_at


@dataclass
class World:
    """The services, a user's token, and the gateway with its app."""

    inner: InnerWorld
    gateway: AsgiGateway
    app: ASGIApp
    token: str

    def open_socket(self, address: str = "127.0.0.1") -> Socket:
        return Socket(self.app, client=address)

    async def log_in(self) -> Socket:
        socket = self.open_socket()
        assert (await socket.greet(self.token))["type"] == "welcome"
        return socket

    def sample(self, name: str, **labels: str) -> float | None:
        return self.inner.services.metrics.registry.get_sample_value(name, labels)


@asynccontextmanager
async def world(folder: Path, **settings: Any) -> AsyncIterator[World]:
    async with world_at(folder, **settings) as here:
        gateway = AsgiGateway(here.services)
        alice = await here.program("alice")
        token = alice.client.headers["authorization"].removeprefix("Bearer ")
        yield World(here, gateway, compose(here.services, gateway), token)


async def test_sockets_of_one_address_before_hello_are_limited(tmp_path: Path) -> None:
    async with world(tmp_path, rate_limits=True, unauthenticated_per_address=2) as here:
        waiting = [here.open_socket(), here.open_socket()]
        for socket in waiting:
            assert (await socket.event())["type"] == "websocket.accept"
        third = here.open_socket()
        assert await third.status() == 429
        assert int(third.headers["retry-after"]) >= 1
        assert here.sample("hubbub_connections_refused_total", status="429") == 1
        elsewhere = here.open_socket("127.0.0.2")
        assert (await elsewhere.event())["type"] == "websocket.accept"
        waiting[0].say({"type": "hello", "token": here.token})
        assert (await waiting[0].hear())["type"] == "welcome"
        fourth = here.open_socket()
        assert (await fourth.event())["type"] == "websocket.accept", "an authenticated socket does not count"
        for socket in (*waiting, third, elsewhere, fourth):
            await socket.leave()
        assert here.gateway.connections.admission.count == 0


async def test_a_newcomer_of_the_busiest_network_is_refused_if_all_unauthenticated_slots_are_taken(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, rate_limits=True, unauthenticated_max=1) as here:
        first = here.open_socket()
        assert (await first.event())["type"] == "websocket.accept"
        second = here.open_socket()
        assert await second.status() == 429
        assert int(second.headers["retry-after"]) >= 1
        await first.leave()
        third = here.open_socket()
        assert (await third.event())["type"] == "websocket.accept"
        for socket in (second, third):
            await socket.leave()


async def test_a_newcomer_of_another_network_evicts_the_oldest_silent_socket(tmp_path: Path) -> None:
    async with world(tmp_path, rate_limits=True, unauthenticated_max=2) as here:
        oldest, silent = here.open_socket("127.0.0.2"), here.open_socket("127.0.0.2")
        for socket in (oldest, silent):
            assert (await socket.event())["type"] == "websocket.accept"
        newcomer = here.open_socket("127.0.0.3")
        assert (await newcomer.greet(here.token))["type"] == "welcome"
        event = await oldest.event()
        assert (event["type"], event["code"]) == ("websocket.close", 4000)
        assert "retry_after" in event["reason"]
        assert here.gateway.connections.admission.evicted == 1
        for socket in (oldest, silent, newcomer):
            await socket.leave()
        assert here.gateway.connections.admission.count == 0


async def test_connections_over_the_cap_are_refused(tmp_path: Path) -> None:
    async with world(tmp_path, connections_max=2) as here:
        inside = [await here.log_in(), await here.log_in()]
        outside = here.open_socket()
        assert await outside.status() == 503
        for socket in (*inside, outside):
            await socket.leave()


async def test_connection_counts_are_right_after_every_kind_of_close(tmp_path: Path) -> None:
    async with world(tmp_path, hello_timeout=2) as here:
        live, gone = await here.log_in(), await here.log_in()
        await gone.leave()
        silent = here.open_socket()
        assert (await silent.event())["type"] == "websocket.accept"
        assert here.sample("hubbub_connections", state="asgi") == 1
        assert here.sample("hubbub_connections", state="unauthenticated") == 1
        assert await silent.hear() == {"closed": 4501}
        await silent.leave()
        live.say_bytes(b"{}")
        assert await live.hear() == {"closed": 1003}
        await live.leave()
        assert here.sample("hubbub_connections", state="asgi") == 0
        assert here.sample("hubbub_connections", state="unauthenticated") == 0
        for code, reason in (("4501", "not_authenticated"), ("1003", "protocol"), ("1000", "normal")):
            assert here.sample("hubbub_disconnects_total", code=code, reason=reason) == 1
        assert here.inner.services.hub.count == 0


async def test_a_silent_connection_is_closed_as_dead(tmp_path: Path) -> None:
    async with world(tmp_path, hello_timeout=0.5) as here:
        socket = await here.log_in()
        here.inner.clock.ahead += QUIET + 1
        assert await socket.hear() == {"closed": 4000}
        await socket.leave()


@pytest.mark.parametrize("by", ["peer", "server"])
async def test_control_a_connection_that_sends_or_receives_stays_open(tmp_path: Path, by: str) -> None:
    async with world(tmp_path, hello_timeout=0.5) as here:
        socket = await here.log_in()
        here.inner.clock.ahead += QUIET - 10
        before = here.gateway.connections.wheel.now
        await eventually(
            lambda: here.gateway.connections.wheel.now > before + QUIET - 20, 10, "the timer wheel has advanced"
        )
        if by == "peer":
            socket.say({"type": "ping"})
        else:
            here.inner.services.fanout.broadcast(b'{"type":"pong"}')
        assert await socket.hear() == {"type": "pong"}
        here.inner.clock.ahead += 20
        before = here.gateway.connections.wheel.now
        await eventually(lambda: here.gateway.connections.wheel.now > before + 10, 10, "the timer wheel has advanced")
        socket.say({"type": "ping"})
        assert await socket.hear() == {"type": "pong"}
        await socket.leave()


async def test_a_socket_that_does_not_read_is_closed_and_others_receive_everything(tmp_path: Path) -> None:
    async with world(tmp_path, outbox_bytes=2**16) as here:
        stuck, reader = await here.log_in(), await here.log_in()
        stuck.reading.clear()
        line = b'{"type":"pong","filler":"%s"}' % (b"x" * 4_000)
        for _ in range(100):
            here.inner.services.fanout.broadcast(line)
            assert (await reader.hear())["type"] == "pong"
        await stuck.ended()
        assert len(here.gateway.connections.open) == 1
        assert here.sample("hubbub_disconnects_total", code="4008", reason="slow") == 1
        await reader.leave()


async def test_shutdown_closes_sockets_with_retry_after_and_does_not_wait_for_stuck_ones(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        reader, stuck = await here.log_in(), await here.log_in()
        stuck.reading.clear()
        closing = asyncio.ensure_future(here.gateway.close(0.2))
        event = await reader.event()
        assert (event["type"], event["code"]) == ("websocket.close", 4000)
        assert "retry_after" in event["reason"]
        await reader.leave()
        await closing
        await stuck.ended()
        assert not here.gateway.connections.open


async def test_the_subprotocol_is_chosen_from_the_scope_if_the_server_hides_the_header(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        for offered, chosen in ((["other", "hubbub.v1"], "hubbub.v1"), (["other"], None), (None, None)):
            socket = Socket(here.app, subprotocols=offered)
            accepted = await socket.event()
            assert (accepted["type"], accepted["subprotocol"]) == ("websocket.accept", chosen)
            await socket.leave()


@pytest.mark.parametrize("host", ["chat.example.org", "[", ""])
@pytest.mark.parametrize(("scheme", "status"), [("wss", 403), ("https", 403), ("ws", None), (None, None)])
async def test_tls_is_read_from_the_scope_whatever_the_host_header_is(
    tmp_path: Path, host: str, scheme: str | None, status: int | None
) -> None:
    """Over TLS the cookie belongs to the site, so the page must, too.

    Without TLS a cookie of that name is foreign.
    """
    headers = {"Host": host, "Cookie": "__Host-hubbub_session=secret", "Origin": "https://evil.example"}
    async with world(tmp_path) as here:
        socket = Socket(here.app, headers=headers, scheme=scheme)
        if status is not None:
            assert await socket.status() == status
        else:
            assert (await socket.event())["type"] == "websocket.accept"
            await socket.leave()


async def test_optional_scope_fields_may_be_absent(tmp_path: Path) -> None:
    absent: dict[str, Any] = dict.fromkeys(("scheme", "subprotocols", "extensions", "root_path"))
    async with world(tmp_path, connections_max=1) as here:
        socket = Socket(here.app, client=None, **absent)
        assert (await socket.greet(here.token))["type"] == "welcome"
        refused = Socket(here.app, client=None, **absent)
        assert (await refused.event())["type"] == "websocket.close", (
            "ASGI's 403 on servers without the denial response extension"
        )
        await refused.ended()
        await socket.leave()
