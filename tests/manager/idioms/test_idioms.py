"""Calls work the same with the tutorial's class and Hubbub's, on every server."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.manager.idioms.calls import CALLS, CLASSES
from tests.manager.idioms.endpoints import ENDPOINTS
from tests.manager.idioms.servers import PATIENCE, SERVERS, Running
from tests.manager.idioms.table import PAGE, SILENT, tutorial_ends, with_table
from tests.support.waiting import eventually, eventually_blocking

KINDS = tuple(CLASSES)


@pytest.fixture(params=SERVERS, scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(request.param, tmp_path_factory.mktemp("idioms")) as running:
        yield running


class Clients(AsyncExitStack):
    """WebSockets on one server."""

    def __init__(self, server: Running) -> None:
        super().__init__()
        self.server = server

    async def enter(self, path: str) -> ClientConnection:
        url = f"ws://127.0.0.1:{self.server.port}{path}"
        client = await connect(url, proxy=None, compression=None, open_timeout=PATIENCE, close_timeout=1)
        self.push_async_callback(client.close)
        return client

    async def post(self, path: str, **parameters: Any) -> Any:
        return await asyncio.to_thread(self.server.post, path, **parameters)

    async def listeners(self, base: str, count: int) -> list[ClientConnection]:
        """Connect clients and wait until the manager counts them."""
        made = [await self.enter(f"{base}/ws") for _ in range(count)]
        await eventually(
            lambda: self.server.http.get(f"{base}/count").json() == count, PATIENCE, f"{count} clients are connected"
        )
        return made


async def heard(client: ClientConnection, count: int) -> str:
    """Return the next `count` messages of one character, joined."""
    async with asyncio.timeout(PATIENCE):
        return "".join([str(await client.recv()) for _ in range(count)])


async def called(clients: Clients, kind: str) -> dict[str, object]:
    """Run every idiom with two clients and return the calls' results.

    It asserts what each client receives.
    """
    base = f"/{kind}/calls"
    first, second = await clients.listeners(base, 2)
    outcomes: dict[str, object] = {}
    for name, row in CALLS.items():
        result = await clients.post(f"{base}/call/{name}")
        wanted = row.hears, "".join(filter(str.isdigit, row.hears))
        got = [await heard(client, len(texts)) for client, texts in zip((first, second), wanted, strict=True)]
        await clients.post(f"{base}/mark")
        rest = [await heard(client, 1) for client in (first, second)]
        assert rest == ["end", "end"], f"{kind} {name}: more than {wanted}: {rest}"
        assert got == list(wanted), f"{kind} {name}"
        outcomes[name] = result
    return outcomes


async def test_every_call_has_the_same_outcome_as_with_the_tutorials_class(server: Running) -> None:
    async with Clients(server) as clients:
        tutorial, ours = [await called(clients, kind) for kind in KINDS]
    assert ours == tutorial
    assert not [result for result in ours.values() if "Error" in str(result) and "reuse" not in str(result)]


@pytest.mark.parametrize("kind", KINDS)
async def test_broadcast_works_as_a_dependency(server: Running, kind: str) -> None:
    async with Clients(server) as clients:
        (client,) = await clients.listeners(f"/{kind}/depends", 1)
        await clients.post(f"/{kind}/depends/sent", message="1")
        assert await heard(client, 1) == "1"


@pytest.mark.parametrize("close", [False, True], ids=["disconnect", "close"])
@pytest.mark.parametrize(("kind", "copy"), [("tutorial", True), ("hubbub", True), ("hubbub", False)])
async def test_a_loop_over_the_connections_may_disconnect_and_close_them(
    server: Running, kind: str, copy: bool, close: bool
) -> None:
    base = f"/{kind}/loop{copy}{close}"
    async with Clients(server) as clients:
        made = await clients.listeners(base, 3)
        assert await clients.post(f"{base}/disconnect-all", close=close, copy=copy) == [3, 0]
        for client in made:
            assert await heard(client, 1) == "bye"
            if close:
                with pytest.raises(ConnectionClosed):
                    await client.recv()
                assert client.close_code == 4242


@pytest.mark.parametrize("kind", KINDS)
async def test_a_loop_over_the_connections_may_await_while_a_client_connects(server: Running, kind: str) -> None:
    base = f"/{kind}/newcomer"
    async with Clients(server) as clients:
        made = await clients.listeners(base, 2)
        looping = asyncio.create_task(clients.post(f"{base}/newcomer"))
        assert await heard(made[0], 1) == "1"
        await clients.enter(f"{base}/ws")
        await looping
        assert await heard(made[1], 1) == "1"


async def begin(clients: Clients, kind: str, run: str) -> dict[str, ClientConnection]:
    """Connect a client to each send-only endpoint and wait for its first message."""
    begun = {}
    for name in ENDPOINTS:
        client = begun[name] = await clients.enter(f"/{kind}/{run}-{name}/only/{name}")
        await client.send("hello")
        async with asyncio.timeout(PATIENCE):
            assert await client.recv() in ("tick", "hello")
    return begun


@pytest.mark.parametrize("way", ["close", "break"])
async def test_an_endpoint_that_only_sends_ends_when_its_client_leaves(server: Running, way: str) -> None:
    async with Clients(server) as clients:
        begun = {kind: await begin(clients, kind, way) for kind in KINDS}
        for client in [client for made in begun.values() for client in made.values()]:
            if way == "break":
                client.transport.abort()
            else:
                await client.close()
    wanted = {f"hubbub/{way}-{name}/{name}" for name in ENDPOINTS}
    wanted |= {f"tutorial/{way}-{name}/{name}" for name in ENDPOINTS if tutorial_ends(server.name, name)}

    def ended() -> dict[str, str]:
        found: dict[str, str] = server.http.get("/ended").json()
        return {key: how for key, how in found.items() if f"/{way}-" in key}

    await eventually(lambda: wanted <= ended().keys(), PATIENCE, "the endpoints end", every=0.1)
    assert ended() == dict.fromkeys(wanted, "WebSocketDisconnect")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SERVERS)
async def test_a_server_with_endpoints_that_only_send_stops_on_sigterm(tmp_path: Path, name: str, kind: str) -> None:
    with Running(name, tmp_path) as running:
        async with Clients(running) as clients:
            await begin(clients, kind, "stop")
            assert await asyncio.to_thread(running.stop, PATIENCE / 2), running.log()
        ends = running.ends()
    if name == "hypercorn":
        assert ends.keys() == ENDPOINTS.keys()
    elif name not in SILENT:
        assert ends == dict.fromkeys(ENDPOINTS, "WebSocketDisconnect")


@pytest.mark.parametrize("name", [name for name in SERVERS if name.startswith("uvicorn")])
async def test_reload_works_while_endpoints_that_only_send_have_open_sockets(tmp_path: Path, name: str) -> None:
    module = tmp_path / "reloaded.py"
    module.write_text("from tests.manager.idioms.app import app as app\n")
    with Running(name, tmp_path, "--reload", "--reload-dir", str(tmp_path), app="reloaded:app") as running:
        async with Clients(running) as clients:
            before = await asyncio.to_thread(running.ready)
            await begin(clients, "hubbub", "reload")
            module.write_text(module.read_text() + "\n# changed\n")
            await asyncio.to_thread(
                eventually_blocking, lambda: running.ready() != before, PATIENCE, "another process answers", 0.1
            )
        assert running.ends() == dict.fromkeys(ENDPOINTS, "WebSocketDisconnect")


def test_the_table_of_the_library_page_is_up_to_date() -> None:
    page = PAGE.read_text()
    assert page == with_table(page), "python -m tests.manager.idioms.table"
