"""Every Python block in docs/library.md runs, on uvicorn or as a test."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.gateways.raw import Raw
from tests.manager.test_tutorial import OURS, start
from tests.support import documents
from tests.support.nats import nats
from tests.support.waiting import eventually_async

PAGE = "library.md"
Serve = Callable[..., int]
both = pytest.mark.parametrize("websockets", ["auto", OURS], ids=["uvicorn's", "ours"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All blocks of the page in one folder."""
    made = tmp_path_factory.mktemp("library")
    documents.write(PAGE, made)
    return made


@pytest.fixture(scope="module")
def serve(folder: Path) -> Iterator[Serve]:
    """Return a function that runs uvicorn on a block of the page and returns the port."""
    processes = []

    def run(name: str, websockets: str = "auto") -> int:
        process, port = start(f"{name}:app", websockets, folder)
        processes.append(process)
        return port

    yield run
    for process in processes:
        process.terminate()
        assert process.stderr is not None
        process.stderr.close()
        process.wait(10)


class Clients(AsyncExitStack):
    """WebSockets on one port."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port

    async def enter(self, path: str) -> ClientConnection:
        url = f"ws://127.0.0.1:{self.port}{path}"
        return await self.enter_async_context(connect(url, proxy=None, compression=None, max_queue=None))


async def hears(client: ClientConnection, *texts: str | bytes) -> None:
    async with asyncio.timeout(10):
        assert [await client.recv() for _ in texts] == list(texts)


async def is_closed(client: ClientConnection, code: int, reason: str) -> None:
    """Require the Close as the next frame."""
    async with asyncio.timeout(10):
        with pytest.raises(ConnectionClosed):
            await client.recv()
    assert (client.close_code, client.close_reason) == (code, reason)


def test_every_block_has_a_test_here() -> None:
    assert set(documents.blocks(PAGE)) == {
        "chat.py", "messages.py", "ticker.py", "rooms.py", "users.py", "closing.py", "resume.py", "hooks.py",
        "accepted.py", "slow.py", "order.py", "threads.py", "test_chat.py", "test_unit.py", "workers.py",
        "bus_options.py", "job.py",
    }  # fmt: skip


@both
async def test_the_chat_example_broadcasts_joins_messages_and_leaves(serve: Serve, websockets: str) -> None:
    async with Clients(serve("chat", websockets)) as people:
        ann = await people.enter("/ws/ann")
        await hears(ann, "ann joined")
        bob = await people.enter("/ws/bob")
        await hears(ann, "bob joined")
        await bob.send("hello")
        await hears(bob, "bob joined", "You wrote: hello", "bob: hello")
        await bob.close()
        await hears(ann, "bob: hello", "bob left")


@both
async def test_the_ticker_example_ends_when_its_client_leaves(serve: Serve, websockets: str) -> None:
    port = serve("ticker", websockets)
    async with Clients(port) as people, httpx.AsyncClient(trust_env=False) as http:
        client = await people.enter("/time")
        assert str(await client.recv()).count(":") == 2
        await client.close()

        async def no_client_is_left() -> bool:
            return bool((await http.get(f"http://127.0.0.1:{port}/clients")).json() == 0)

        await eventually_async(no_client_is_left, 20, "the endpoint has ended")


async def test_the_rooms_example_sends_to_members_of_a_room(serve: Serve) -> None:
    async with Clients(serve("rooms")) as people:
        ann = await people.enter("/rooms/tea/ann")
        await hears(ann, "ann came in")
        bob = await people.enter("/rooms/coffee/bob")
        await hears(bob, "bob came in")
        await bob.send("/also tea")
        await bob.send("strong")
        await hears(bob, "[coffee] bob: strong")
        await ann.send("green")
        await hears(ann, "[tea] ann: green")
        await hears(bob, "[tea] ann: green")
        await ann.send("/rooms")
        await hears(ann, '{"tea":2,"coffee":1}')


@both
async def test_the_messages_example_sends_json_to_all_and_bytes_to_the_others(serve: Serve, websockets: str) -> None:
    async with Clients(serve("messages", websockets)) as people:
        ann = await people.enter("/board/ann")
        await hears(ann, '{"event":"joined","name":"ann"}')
        bob = await people.enter("/board/bob")
        for client in (ann, bob):
            await hears(client, '{"event":"joined","name":"bob"}')
        await ann.send(b"\0\xff")
        await ann.send("four")
        await hears(bob, b"\0\xff", '{"by":"ann","points":[[0,0],[4,1]]}')
        await hears(ann, '{"by":"ann","points":[[0,0],[4,1]]}')


@both
async def test_the_users_example_reaches_all_devices_of_a_user(serve: Serve, websockets: str) -> None:
    async with Clients(serve("users", websockets)) as people:
        ann, phone, bob = [await people.enter(f"/ws/{name}") for name in ("ann", "ann", "bob")]
        await hears(bob, '{"online":["ann","bob"]}')
        await bob.send("ann come over")
        await bob.send("all hello")
        for client in (phone, ann):
            while await client.recv() != '{"online":["ann","bob"]}':
                pass
            await hears(client, "bob whispers: come over", "bob: hello")
        await phone.close()
        await ann.close()
        await hears(bob, '{"online":["bob"]}')


@both
async def test_the_closing_example_closes_rooms_and_users(serve: Serve, websockets: str) -> None:
    port = serve("closing", websockets)
    async with Clients(port) as people, httpx.AsyncClient(trust_env=False) as http:
        ann, bob = await people.enter("/rooms/tea/ann"), await people.enter("/rooms/tea/bob")
        await bob.send("hello")  # the endpoint of bob has joined
        await hears(bob, "hello")
        await http.post(f"http://127.0.0.1:{port}/ban/bob")
        await is_closed(bob, 4003, "banned")
        await ann.send("bye")
        while await ann.recv() != "bye":
            pass
        await http.delete(f"http://127.0.0.1:{port}/rooms/tea")
        await hears(ann, "This room is deleted.")
        await is_closed(ann, 1000, "")


@both
async def test_the_resume_example_sends_what_was_missed(serve: Serve, websockets: str) -> None:
    async with Clients(serve("resume", websockets)) as people:
        ann = await people.enter("/rooms/tea")
        for text in "12":
            await ann.send(text)
        first, second = [json.loads(await ann.recv()) for _ in "12"]
        assert (first["text"], second["text"]) == ("1", "2")
        late = await people.enter(f"/rooms/tea?since={first['id']}")
        assert json.loads(await late.recv()) == second
        new = await people.enter("/rooms/tea")
        assert [json.loads(await new.recv()) for _ in "12"] == [first, second]
        lost = await people.enter("/rooms/tea?since=unknown")
        assert [json.loads(await lost.recv()) for _ in "123"] == [
            first, second, {"event": "some messages are missing"},
        ]  # fmt: skip


@both
async def test_the_hooks_example_tells_the_room_who_joins_and_leaves(serve: Serve, websockets: str) -> None:
    async with Clients(serve("hooks", websockets)) as people:
        ann = await people.enter("/rooms/tea/ann")
        await ann.send("1")
        await hears(ann, "1")
        bob = await people.enter("/rooms/tea/bob")
        await hears(ann, "bob joined tea")
        await bob.close()
        await hears(ann, "bob left tea")


@both
async def test_the_accepted_example_logs_in_before_it_connects(serve: Serve, websockets: str) -> None:
    async with Clients(serve("accepted", websockets)) as people:
        ann = await people.enter("/ws")
        for text in ("ann", "hello", "again"):
            await ann.send(text)
        heard = [str(await ann.recv()) for _ in range(4)]
        assert [text for text in heard if text.startswith("ann")] == ["ann: hello", "ann: again"]
        assert heard.count("A message was sent.") == 2
        nobody = await people.enter("/ws")
        await nobody.send("1")
        await is_closed(nobody, 4001, "Send your name.")


async def test_the_slow_example_closes_a_client_that_does_not_read(serve: Serve) -> None:
    port = serve("slow", OURS)
    async with Clients(port) as people, Raw(port, receive_buffer=4_096) as slow:
        quick = await people.enter("/ticker")
        await slow.open("/ticker")
        for number in range(400):
            text = f"{number} {'x' * 30_000}"
            await quick.send(text)
            await hears(quick, text)
        assert (await slow.closed())[0] == 4008


async def test_the_order_example_sends_in_order(serve: Serve) -> None:
    async with Clients(serve("order")) as people:
        client = await people.enter("/ws")
        assert [text async for text in client] == ["1", "2", "3", "4", "5"]


async def test_the_threads_example_broadcasts_from_a_thread(serve: Serve) -> None:
    port = serve("threads")
    async with Clients(port) as people, httpx.AsyncClient(trust_env=False) as http:
        url = f"http://127.0.0.1:{port}"
        client = await people.enter("/ws")

        async def one_client_is_connected() -> bool:
            return bool((await http.get(f"{url}/count")).json() == 1)

        await eventually_async(one_client_is_connected, 10, "the listener is counted")
        assert (await http.post(f"{url}/news", params={"text": "from a thread"})).status_code == 200
        await hears(client, "from a thread")


async def test_the_workers_example_reaches_clients_of_all_processes_also_from_a_job(
    folder: Path, tmp_path: Path
) -> None:
    with nats(tmp_path) as bus:
        env = {"BUS_URL": bus.url}
        servers = [start("workers:app", "auto", folder, env=env) for _ in range(2)]
        try:
            async with Clients(servers[0][1]) as here, Clients(servers[1][1]) as there:
                ann, bob, phone = await here.enter("/ws/ann"), await there.enter("/ws/bob"), await here.enter("/ws/bob")
                # A process hears a new topic a moment after `join`: repeat until it does.
                heard: list[str] = []

                async def bob_hears() -> bool:
                    await ann.send("bob hello")
                    with suppress(TimeoutError):
                        async with asyncio.timeout(1):
                            heard.append(str(await bob.recv()))
                    return bool(heard)

                await eventually_async(bob_hears, 60, "the whisper reaches the other process")
                assert heard == ["ann whispers: hello"]
                await hears(phone, "ann whispers: hello")
                await bob.send("all good morning")
                await hears(ann, "bob: good morning")
                command = [sys.executable, "job.py"]
                await asyncio.to_thread(
                    subprocess.run, command, cwd=folder, env={**os.environ, **env}, check=True, timeout=120
                )
                await hears(ann, "The backup is done.")
                while await bob.recv() != "The backup is done.":
                    pass
        finally:
            for process, _ in servers:
                process.terminate()
                process.communicate(timeout=60)


def test_the_bus_options_example_runs_and_connects_to_nothing(folder: Path) -> None:
    command = [sys.executable, "-W", "error", "bus_options.py"]
    env = {**os.environ, "BUS_SECRET": "a secret of this application"}
    subprocess.run(command, cwd=folder, env=env, check=True, timeout=120)


def test_the_testing_example_passes_with_plain_pytest(folder: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_chat.py", "test_unit.py"]
    bare = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # A reader's pytest has no plugins of this project.
    done = subprocess.run(command, cwd=folder, env=bare, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
