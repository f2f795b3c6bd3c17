"""The tutorial's chat under uvicorn, with its own WebSockets and Hubbub's."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.gateways.raw import TEXT, Raw, frame

ROOT = Path(__file__).parents[2]
OURS = "hubbub:WebSocketProtocol"


def start(
    app: str, websockets: str, folder: Path = ROOT, *options: str, env: dict[str, str] | None = None
) -> tuple["subprocess.Popen[str]", int]:
    """Run uvicorn on a free port as users do; return the process and the port."""
    command = [sys.executable, "-m", "uvicorn", app, "--host", "127.0.0.1", "--port", "0", "--ws", websockets, *options]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **(env or {})},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", line):
            return process, int(found[1])
    raise AssertionError("uvicorn did not start")


@pytest.fixture(params=["websockets-sansio", OURS], ids=["uvicorn's", "ours"], scope="module")
def tutorial(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """Which WebSocket implementation, and the port."""
    process, port = start("examples.tutorial:app", request.param)
    yield request.param, port
    process.terminate()
    assert process.stderr is not None
    process.stderr.close()
    process.wait(10)


async def enter(stack: AsyncExitStack, port: int, name: int) -> ClientConnection:
    url = f"ws://127.0.0.1:{port}/ws/{name}"
    client = await stack.enter_async_context(connect(url, compression=None, max_queue=None))
    assert await client.recv() == f"Client #{name} joined the chat."
    return client


async def test_the_page_is_served(tutorial: tuple[str, int]) -> None:
    async with httpx.AsyncClient() as client:
        page = await client.get(f"http://127.0.0.1:{tutorial[1]}/")
    assert "<form" in page.text
    assert page.headers["content-type"].startswith("text/html")


async def test_all_clients_receive_joins_messages_and_leaves(tutorial: tuple[str, int]) -> None:
    async with AsyncExitStack() as stack:
        one = await enter(stack, tutorial[1], 1)
        two = await enter(stack, tutorial[1], 2)
        assert await one.recv() == "Client #2 joined the chat."
        await two.send("hello, Grüße")
        assert await one.recv() == "Client #2 says: hello, Grüße"
        assert await two.recv() == "You wrote: hello, Grüße"
        assert await two.recv() == "Client #2 says: hello, Grüße"
        await two.close()
        assert await one.recv() == "Client #2 left the chat."


async def test_a_broken_connection_counts_as_leaving(tutorial: tuple[str, int]) -> None:
    async with AsyncExitStack() as stack:
        one = await enter(stack, tutorial[1], 1)
        async with Raw(tutorial[1]) as broken:
            await broken.open("/ws/3")
            assert await one.recv() == "Client #3 joined the chat."
        assert await asyncio.wait_for(one.recv(), 20) == "Client #3 left the chat."


async def test_a_client_that_does_not_read_is_closed_and_others_receive_everything(tutorial: tuple[str, int]) -> None:
    """Send 8 MB: more than kernel, transport and outbox hold for one client."""
    size, count = 60_000, 140
    async with AsyncExitStack() as stack:
        one = await enter(stack, tutorial[1], 1)
        two = await enter(stack, tutorial[1], 2)
        assert await one.recv() == "Client #2 joined the chat."
        slow = await stack.enter_async_context(Raw(tutorial[1], receive_buffer=4_096))
        await slow.open("/ws/9")
        heard = asyncio.create_task(hear(one, "Client #9 left the chat."))
        for number in range(count):
            await two.send(f"{number} " + "x" * size)
            while not (await two.recv()).startswith(f"Client #2 says: {number} "):  # type: ignore[arg-type]
                pass
        lines = await asyncio.wait_for(heard, 20)
        spoken = [int(line.split()[3]) for line in lines if line.startswith("Client #2 says: ")]
        assert spoken == list(range(len(spoken)))
        if tutorial[0] == OURS:
            assert (await slow.closed())[0] == 4008


async def hear(client: ClientConnection, last: str) -> list[str]:
    """Return all lines up to `last`."""
    lines: list[str] = []
    while not lines or lines[-1] != last:
        lines.append(str(await client.recv()))
    return lines


@pytest.mark.parametrize("tutorial", [OURS], indirect=True, ids=["ours"], scope="module")
@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(TEXT, b"x" * 65_537)], 1009),
        ([frame(TEXT, b"x", fin=False), *[frame(0, b"x", fin=False)] * 63, frame(0, b"x")], 1009),
    ],
)
async def test_hubbubs_websockets_limit_messages_and_fragments_in_any_app(
    tutorial: tuple[str, int], frames: list[bytes], code: int
) -> None:
    async with Raw(tutorial[1]) as raw:
        await raw.open("/ws/7")
        raw.send(b"".join(frames))
        assert (await raw.closed())[0] == code
