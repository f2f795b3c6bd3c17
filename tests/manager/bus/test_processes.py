"""Managers in real processes: workers of uvicorn, forks, and many event loops in one process."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.manager.bus.conftest import DEADLINE, BusServer
from tests.manager.test_tutorial import OURS, ROOT, start
from tests.support.waiting import eventually_async


@pytest.fixture(params=["websockets-sansio", OURS], ids=["uvicorn's", "ours"])
def workers(request: pytest.FixtureRequest, bus: BusServer) -> Iterator[int]:
    """Two workers; at the end both must have stopped without complaints."""
    process, port = start("examples.workers:app", request.param, ROOT, "--workers", "2", env={"BUS_URL": bus.address})
    assert process.stderr is not None
    started = 0
    while started < 2:  # uvicorn listens in the workers
        line = process.stderr.readline()
        assert line, "uvicorn ended"
        started += "Application startup complete" in line
    yield port
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=DEADLINE)
    complaints = re.findall(r".*(?:Traceback|WARNING|ERROR|destroyed|never retrieved|unclosed).*", errors)
    assert complaints == []


class Client:
    """A client, and the process it is connected to."""

    def __init__(self, socket: ClientConnection, process: int) -> None:
        self.socket = socket
        self.process = process

    async def until(self, text: str) -> list[str]:
        """Return what arrives up to `text`."""
        heard: list[str] = []
        async with asyncio.timeout(DEADLINE):
            while text not in heard:
                heard.append(str(await self.socket.recv()))
        return heard


async def enter(stack: AsyncExitStack, port: int, number: int) -> Client:
    url = f"ws://127.0.0.1:{port}/ws/{number}"
    socket = await stack.enter_async_context(connect(url, compression=None, proxy=None, max_queue=None))
    return Client(socket, int(str(await socket.recv()).rpartition(" ")[2]))


async def enter_both(stack: AsyncExitStack, port: int) -> list[Client]:
    """Return clients of both workers. The kernel decides which worker takes a connection."""
    clients: list[Client] = []

    async def both_are_reached() -> bool:
        clients.append(await enter(stack, port, len(clients)))
        return len({client.process for client in clients}) == 2

    await eventually_async(both_are_reached, DEADLINE, "both workers have a client")
    return clients


async def test_the_clients_of_all_workers_hear_each_other(workers: int) -> None:
    async with AsyncExitStack() as stack:
        clients = await enter_both(stack, workers)
        for number, client in enumerate(clients):
            await client.socket.send(f"hello {number}")
            for each in clients:
                text = f"Client #{number} says: hello {number}"
                assert await each.until(text) == [text]
        one = clients[0]
        for number in range(200):
            await one.socket.send(str(number))
        for each in clients:
            found = await each.until("Client #0 says: 199")
            assert found == [f"Client #0 says: {number}" for number in range(200)]
        await one.socket.close()
        for each in clients[1:]:
            assert await each.until("Client #0 left the chat.") == ["Client #0 left the chat."]


async def test_a_worker_that_is_killed_and_replaced_hears_the_others(workers: int) -> None:
    async with AsyncExitStack() as stack:
        clients = await enter_both(stack, workers)
        victim, other = clients[-1], clients[0]
        os.kill(victim.process, signal.SIGKILL)

        async def a_new_worker_answers() -> bool:
            try:
                client = await enter(stack, workers, 100)
            except Exception:  # the connection was waiting for the killed worker
                return False
            clients.append(client)
            return client.process not in (victim.process, other.process)

        await eventually_async(a_new_worker_answers, DEADLINE, "the worker is replaced")
        await other.socket.send("welcome")
        assert (await clients[-1].until("Client #0 says: welcome"))[-1]
        await clients[-1].socket.send("thanks")
        await other.until("Client #100 says: thanks")


@pytest.mark.parametrize("program", ["lives", "forks"])
def test_one_manager_on_many_loops_and_in_forked_processes_writes_no_complaint(bus: BusServer, program: str) -> None:
    command = [sys.executable, "-m", f"tests.manager.bus.{program}", bus.address]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=2 * DEADLINE, check=False)
    assert (done.stderr, done.stdout, done.returncode) == ("", "done\n", 0)
