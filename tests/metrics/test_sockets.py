"""Metrics of connections on a real server."""

import json
from collections.abc import Iterator

import pytest

from tests.contract.client import raw_upgrade
from tests.metrics.reading import Samples, growth
from tests.support.client import Connection, raw_connect
from tests.support.lines import enter
from tests.support.proxy import Proxy
from tests.support.server import Server
from tests.support.waiting import eventually

LAUNCHERS = {"native": ("-m", "hubbub"), "asgi": ("-m", "tests.support.asgi_server")}
SOON = 15.0


@pytest.fixture(scope="module", params=["native"])
def gateway(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def server(gateway: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on the gateway that the test parametrizes."""
    with Server(tmp_path_factory.mktemp("metrics") / "data", {}, LAUNCHERS[gateway]) as running:
        yield running


async def _until(server: Server, before: Samples, wanted: Samples) -> None:
    """Wait until these samples have changed by these amounts."""

    def moved() -> bool:
        found = growth(before, server.metrics())
        return all(found.get(name, 0.0) == value for name, value in wanted.items())

    await eventually(moved, SOON, f"{wanted} since {before}", every=0.05)


@pytest.mark.parametrize("gateway", LAUNCHERS, indirect=True)
async def test_connections_are_counted_by_state(server: Server, gateway: str) -> None:
    before = server.metrics()
    greeted = f'hubbub_connections{{state="{"live" if gateway == "native" else "asgi"}"}}'
    waiting, plain = 'hubbub_connections{state="unauthenticated"}', 'hubbub_connections{state="plain"}'
    account = server.sign_up()
    silent = await raw_connect(server.websocket_url)
    await _until(server, before, {waiting: 1, greeted: 0})
    await silent.send(json.dumps({"type": "hello", "token": account.token}))
    await silent.recv()
    await _until(server, before, {waiting: 0, greeted: 1})
    line = await enter(server, account.name, headers=account.headers)
    await _until(server, before, {greeted: 1, plain: 1})
    await line.close()
    await silent.close()
    closed = {'hubbub_disconnects_total{code="1000",reason="normal"}': 2.0}
    await _until(server, before, {greeted: 0, plain: 0, **closed})


async def test_disconnects_are_counted_by_code(server: Server) -> None:
    before = server.metrics()
    account = server.sign_up()
    socket = await Connection.open(server.websocket_url, account.token)
    assert account.request("POST", "/api/logout").status_code == 204
    assert await socket.wait_closed(SOON) == 4503
    stranger = await raw_connect(server.websocket_url)
    await stranger.send(json.dumps({"type": "hello", "token": "invalid"}))
    await stranger.wait_closed()
    told = {
        'hubbub_disconnects_total{code="4503",reason="session_ended"}': 1.0,
        'hubbub_disconnects_total{code="4501",reason="not_authenticated"}': 1.0,
    }
    await _until(server, before, told)


async def test_a_message_is_counted_along_its_way(server: Server) -> None:
    account = server.sign_up()
    async with await Connection.open(server.websocket_url, account.token) as socket:
        await socket.ping()
        before = server.metrics()
        for number in range(3):
            await socket.command("message.send", room=1, key=str(number), body="hello")
        found = growth(before, server.metrics())
    assert found["hubbub_messages_total"] == 3
    assert found["hubbub_deliveries_total"] == 3
    assert found["hubbub_writes_total"] >= 3
    assert found["hubbub_batch_commands_sum"] >= 3  # The server may have run housekeeping meanwhile.
    assert found["hubbub_batch_commands_count"] == found["hubbub_commit_seconds_count"] >= 3
    assert found["hubbub_commit_seconds_sum"] > 0
    assert server.metrics()["hubbub_wal_bytes"] > 0


async def test_bytes_waiting_for_a_slow_reader_are_reported(server: Server) -> None:
    account = server.sign_up()
    async with Proxy(server.port) as proxy:
        slow = await Connection.open(proxy.websocket_url, account.token)
        proxy.stop_reading()
        body, sent = "x" * 7_900, 0
        async with await Connection.open(server.websocket_url, account.token) as writer:
            found = server.metrics()
            while found["hubbub_outbox_bytes"] < 100_000:
                assert sent < 2_000, "no bytes wait, however much is sent"
                for _ in range(10):
                    await writer.command("message.send", room=1, key=str(sent), body=body)
                    sent += 1
                found = server.metrics()
        assert 0 < found["hubbub_outbox_largest_bytes"] <= found["hubbub_outbox_bytes"]
        proxy.resume_reading()
        await eventually(lambda: server.metrics()["hubbub_outbox_bytes"] == 0, SOON, "the outboxes are empty again")
        await slow.close()


async def test_a_refused_handshake_is_counted_by_its_status(server: Server) -> None:
    before = server.metrics()
    status, _, _ = raw_upgrade(server, Sec_WebSocket_Key="short")
    assert status == 400
    assert growth(before, server.metrics())['hubbub_connections_refused_total{status="400"}'] == 1
