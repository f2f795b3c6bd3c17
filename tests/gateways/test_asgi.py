"""The ASGI gateway by itself: who gets in, who has gone, who does not read, and how it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from hubbub.gateways.websocket.asgi import QUIET, AsgiGateway
from hubbub.main import compose
from tests.support.asgi_socket import Socket
from tests.support.place import Place, place
from tests.support.waiting import eventually


@dataclass
class House:
    """Somewhere to come in, somebody who may, and the gateway that lets her."""

    place: Place
    gateway: AsgiGateway
    app: ASGIApp
    token: str

    def knock(self, address: str = "127.0.0.1") -> Socket:
        return Socket(self.app, client=address)

    async def enter(self) -> Socket:
        socket = self.knock()
        assert (await socket.greet(self.token))["type"] == "welcome"
        return socket

    def sample(self, name: str, **labels: str) -> float | None:
        return self.place.services.metrics.registry.get_sample_value(name, labels)


@asynccontextmanager
async def house(folder: Path, **settings: Any) -> AsyncIterator[House]:
    async with place(folder, **settings) as here:
        gateway = AsgiGateway(here.services)
        alice = await here.program("alice")
        token = alice.client.headers["authorization"].removeprefix("Bearer ")
        yield House(here, gateway, compose(here.services, gateway), token)


async def test_at_most_so_many_of_one_address_wait_to_say_hello(tmp_path: Path) -> None:
    async with house(tmp_path, rate_limits=True, unauthenticated_per_address=2) as here:
        waiting = [here.knock(), here.knock()]
        for socket in waiting:
            assert (await socket.event())["type"] == "websocket.accept"
        third = here.knock()
        assert await third.status() == 429
        assert int(third.headers["retry-after"]) >= 1
        assert here.sample("hubbub_connections_refused_total", status="429") == 1
        elsewhere = here.knock("127.0.0.2")
        assert (await elsewhere.event())["type"] == "websocket.accept"
        waiting[0].say({"type": "hello", "token": here.token})
        assert (await waiting[0].hear())["type"] == "welcome"
        fourth = here.knock()
        assert (await fourth.event())["type"] == "websocket.accept", "who is known does not wait"
        for socket in (*waiting, third, elsewhere, fourth):
            await socket.leave()
        assert here.gateway.connections.admission.count == 0


async def test_newcomer_of_the_busiest_network_is_refused_when_all_unauthenticated_places_are_taken(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, rate_limits=True, unauthenticated_max=1) as here:
        first = here.knock()
        assert (await first.event())["type"] == "websocket.accept"
        second = here.knock()
        assert await second.status() == 429
        assert int(second.headers["retry-after"]) >= 1
        await first.leave()
        third = here.knock()
        assert (await third.event())["type"] == "websocket.accept"
        for socket in (second, third):
            await socket.leave()


async def test_newcomer_of_another_network_takes_the_place_of_the_oldest_silent_socket(tmp_path: Path) -> None:
    async with house(tmp_path, rate_limits=True, unauthenticated_max=2) as here:
        oldest, silent = here.knock("127.0.0.2"), here.knock("127.0.0.2")
        for socket in (oldest, silent):
            assert (await socket.event())["type"] == "websocket.accept"
        newcomer = here.knock("127.0.0.3")
        assert (await newcomer.greet(here.token))["type"] == "welcome"
        event = await oldest.event()
        assert (event["type"], event["code"]) == ("websocket.close", 4000)
        assert "retry_after" in event["reason"]
        assert here.gateway.connections.admission.evicted == 1
        for socket in (oldest, silent, newcomer):
            await socket.leave()
        assert here.gateway.connections.admission.count == 0


async def test_over_the_cap_of_all_connections_new_ones_are_refused(tmp_path: Path) -> None:
    async with house(tmp_path, connections_max=2) as here:
        inside = [await here.enter(), await here.enter()]
        outside = here.knock()
        assert await outside.status() == 503
        for socket in (*inside, outside):
            await socket.leave()


async def test_what_is_counted_is_right_after_every_kind_of_end(tmp_path: Path) -> None:
    async with house(tmp_path, hello_timeout=2) as here:
        live, gone = await here.enter(), await here.enter()
        await gone.leave()
        silent = here.knock()
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
        assert here.place.services.hub.count == 0


async def test_where_nothing_comes_and_nothing_goes_nobody_is_there(tmp_path: Path) -> None:
    async with house(tmp_path, hello_timeout=0.5) as here:
        socket = await here.enter()
        here.place.clock.ahead += QUIET + 1
        assert await socket.hear() == {"closed": 4000}
        await socket.leave()


@pytest.mark.parametrize("by", ["peer", "server"])
async def test_control_whoever_says_or_is_told_something_stays(tmp_path: Path, by: str) -> None:
    async with house(tmp_path, hello_timeout=0.5) as here:
        socket = await here.enter()
        here.place.clock.ahead += QUIET - 10
        before = here.gateway.connections.wheel.now
        await eventually(lambda: here.gateway.connections.wheel.now > before + QUIET - 20, 10, "the wheel has noticed")
        if by == "peer":
            socket.say({"type": "ping"})
        else:
            here.place.services.fanout.broadcast(b'{"type":"pong"}')
        assert await socket.hear() == {"type": "pong"}
        here.place.clock.ahead += 20
        before = here.gateway.connections.wheel.now
        await eventually(lambda: here.gateway.connections.wheel.now > before + 10, 10, "the wheel has noticed")
        socket.say({"type": "ping"})
        assert await socket.hear() == {"type": "pong"}
        await socket.leave()


async def test_who_does_not_read_is_ended_and_the_others_do_not_notice(tmp_path: Path) -> None:
    async with house(tmp_path, outbox_bytes=2**16) as here:
        stuck, reader = await here.enter(), await here.enter()
        stuck.reading.clear()
        line = b'{"type":"pong","filler":"%s"}' % (b"x" * 4_000)
        for _ in range(100):
            here.place.services.fanout.broadcast(line)
            assert (await reader.hear())["type"] == "pong"
        await stuck.ended()
        assert len(here.gateway.connections.open) == 1
        assert here.sample("hubbub_disconnects_total", code="4008", reason="slow") == 1
        await reader.leave()


async def test_a_stop_tells_everybody_to_come_back_and_waits_for_nobody_who_does_not_read(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
        reader, stuck = await here.enter(), await here.enter()
        stuck.reading.clear()
        closing = asyncio.ensure_future(here.gateway.close(0.2))
        event = await reader.event()
        assert (event["type"], event["code"]) == ("websocket.close", 4000)
        assert "retry_after" in event["reason"]
        await reader.leave()
        await closing
        await stuck.ended()
        assert not here.gateway.connections.open


async def test_the_subprotocol_is_chosen_from_the_scope_when_the_server_keeps_its_header_back(tmp_path: Path) -> None:
    async with house(tmp_path) as here:
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
    """Over TLS the cookie is ours, so the page must be; without TLS a cookie of that name is another site's."""
    headers = {"Host": host, "Cookie": "__Host-hubbub_session=secret", "Origin": "https://evil.example"}
    async with house(tmp_path) as here:
        socket = Socket(here.app, headers=headers, scheme=scheme)
        if status is not None:
            assert await socket.status() == status
        else:
            assert (await socket.event())["type"] == "websocket.accept"
            await socket.leave()


async def test_what_the_specification_calls_optional_may_be_absent(tmp_path: Path) -> None:
    absent: dict[str, Any] = dict.fromkeys(("scheme", "subprotocols", "extensions", "root_path"))
    async with house(tmp_path, connections_max=1) as here:
        socket = Socket(here.app, client=None, **absent)
        assert (await socket.greet(here.token))["type"] == "welcome"
        refused = Socket(here.app, client=None, **absent)
        assert (await refused.event())["type"] == "websocket.close", "ASGI's 403, where the server takes no answer"
        await refused.ended()
        await socket.leave()
