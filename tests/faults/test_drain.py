"""SIGTERM: what is under way is finished, clients come back later, and the process ends in time."""

import asyncio
import contextlib
import json
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hubbub.engine import reconnects
from tests.conftest import MakeServer
from tests.support.client import Connection, raw_connect
from tests.support.server import Account, Server
from tests.support.stubborn import IN_TIME, PATIENCE, Stubborn, ended, loud_room, tell
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults

BROKEN = ("-m", "tests.support.broken_server")


# --- the bound -------------------------------------------------------------------------------------------------------


async def test_a_server_ends_in_time_whatever_its_clients_do(make_server: MakeServer) -> None:
    server = await asyncio.to_thread(make_server().start)
    account, room = await loud_room(server)
    async with Stubborn(server, account, room):
        began = time.monotonic()
        assert await ended(tell(server)) == 0
        assert time.monotonic() - began < IN_TIME
    assert "Traceback" not in server.log_text()


async def test_control_the_same_clients_keep_a_server_with_a_long_drain(make_server: MakeServer) -> None:
    server = await asyncio.to_thread(make_server({"HUBBUB_DRAIN_SECONDS": "60"}).start)
    account, room = await loud_room(server)
    async with Stubborn(server, account, room):
        with pytest.raises(subprocess.TimeoutExpired):
            await ended(tell(server))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_a_server_that_drains(make_server: MakeServer, number: signal.Signals) -> None:
    server = await asyncio.to_thread(make_server({"HUBBUB_DRAIN_SECONDS": "60"}).start)
    account, room = await loud_room(server)
    async with Stubborn(server, account, room):
        process = tell(server)
        await eventually(lambda: server.log_lines("draining"), PATIENCE, "the server drains")
        process.send_signal(number)
        assert await ended(process) == 128 + number
    await asyncio.to_thread(server.start)
    assert len(await asyncio.to_thread(account.history, room)) == 200


# --- what is under way -----------------------------------------------------------------------------------------------


def is_writing(server: Server) -> bool:
    return server.metrics()['hubbub_journal_commands{state="writing"}'] > 0


@asynccontextmanager
async def sending(server: Server) -> AsyncIterator[tuple[Account, Connection, dict[str, object]]]:
    """A message that the server is writing, and a server that was told to stop meanwhile."""
    account = await asyncio.to_thread(server.sign_up, "sender")
    ws = await raw_connect(server.websocket_url)
    await ws.send(json.dumps({"type": "hello", "token": account.token}))
    assert json.loads(await ws.recv())["type"] == "welcome"
    command = {"id": 1, "type": "message.send", "room": 1, "key": "under way", "body": "under way"}
    await ws.send(json.dumps(command))
    await eventually(lambda: is_writing(server), PATIENCE, "the message is being written", 0)
    yield account, Connection(ws), command
    ws.transport.abort()


@pytest.mark.parametrize("broken", ["slow-commit", "slow-commit hasty-end"], ids=["", "control"])
async def test_a_message_that_is_being_written_is_answered_before_the_close(
    make_server: MakeServer, broken: str
) -> None:
    server = await asyncio.to_thread(make_server({"BROKEN": broken}, BROKEN).start)
    async with sending(server) as (_account, connection, _command):
        process = tell(server)
        frames = []
        with contextlib.suppress(Exception):
            while True:
                frames.append(json.loads(await connection.socket.recv()))
        assert connection.socket.close_code == 4000
        answered = any(frame.get("re") == 1 and "ok" in frame for frame in frames)
        assert answered == (broken == "slow-commit"), frames
    assert await ended(process) == 0
    await asyncio.to_thread(server.start)
    account = await asyncio.to_thread(server.log_in, _account.name)
    assert [message["body"] for message in await asyncio.to_thread(account.history, 1)] == ["under way"]


async def test_a_draining_server_is_not_ready_and_takes_nobody_in(make_server: MakeServer) -> None:
    """A kept connection, such as a proxy's, gets one more answer; a new one is refused."""
    server = await asyncio.to_thread(make_server({"BROKEN": "slow-commit"}, BROKEN).start)
    check = b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(check)
    assert await reader.readuntil(b'{"status":"ok"}')
    async with sending(server):
        process = tell(server)
        await eventually(lambda: server.log_lines("draining"), PATIENCE, "the server drains")
        writer.write(check)
        async with asyncio.timeout(PATIENCE):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 503"), answer
        assert b"connection: close" in answer.lower()
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", server.port)
    writer.close()
    assert await ended(process) == 0


# --- coming back -----------------------------------------------------------------------------------------------------


def busiest_second(count: int) -> int:
    """Return how many of `count` clients come back within one second, at most."""
    times = sorted(reconnects.delay(count) for _ in range(count))
    return max(sum(start <= each < start + 1 for each in times) for start in times[:: max(1, count // 200)])


def test_a_crowd_comes_back_over_several_seconds() -> None:
    assert busiest_second(5_000) < 750
    assert max(reconnects.delay(1_000_000) for _ in range(1_000)) <= 31
    few = [reconnects.delay(10) for _ in range(1_000)]
    assert 1 <= min(few) < max(few) <= 5


async def test_many_clients_are_told_different_times(make_server: MakeServer) -> None:
    server = await asyncio.to_thread(make_server().start)
    account = await asyncio.to_thread(server.sign_up, "crowd")
    crowd = [await Connection.open(server.websocket_url, account.token) for _ in range(100)]
    process = tell(server)
    for each in crowd:
        assert await each.wait_closed(PATIENCE) == 4000
    delays = sorted(json.loads(each.close_reason)["retry_after"] for each in crowd)
    assert len(set(delays)) > 20
    assert delays[-1] - delays[0] > 2
    assert await ended(process) == 0


async def test_requests_under_way_are_answered(make_server: MakeServer) -> None:
    server = await asyncio.to_thread(make_server({"BROKEN": "slow-commit"}, BROKEN).start)
    account = await asyncio.to_thread(server.sign_up, "rest")
    message = {"body": "by REST", "key": "by REST"}
    sent = asyncio.create_task(asyncio.to_thread(account.request, "POST", "/api/rooms/1/messages", json=message))

    await eventually(lambda: is_writing(server), PATIENCE, "the message is being written")
    process = tell(server)
    assert (await sent).status_code == 201
    assert await ended(process) == 0
