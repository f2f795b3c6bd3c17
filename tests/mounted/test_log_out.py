"""The app's log-out reaches every connection of the person within a second, on every ASGI server."""

import asyncio
import time

import pytest
from websockets.asyncio.client import ClientConnection

from tests.mounted.conftest import ON_ALL_SERVERS, MakeMounted
from tests.support.client import ClosedError, Connection
from tests.support.lines import end, enter, line
from tests.support.mounted import MountedServer
from tests.support.server import Account

pytestmark = pytest.mark.faults

WITHIN = 1.0
ATTEMPTS = 3
IN_THE_END = 20.0


async def sockets_of(account: Account) -> tuple[list[Connection], ClientConnection]:
    """Two of the protocol and one of plain text."""
    server = account.server
    connections = [await Connection.open(server.websocket_url, account.token) for _ in range(2)]
    plain = await enter(server, account.name, headers=account.headers)
    await line(plain)
    return connections, plain


async def seconds_until_the_end(server: MountedServer) -> float:
    """From the answer to somebody's log-out to the end of the last of his sockets, all of them with 4503."""
    account = server.sign_up("leaver")
    connections, plain = await sockets_of(account)
    await asyncio.to_thread(server.log_out, account)
    began = time.monotonic()
    codes = {await connection.wait_closed(IN_THE_END) for connection in connections}
    assert codes | {(await end(plain, IN_THE_END))[1]} == {4503}
    return time.monotonic() - began


@ON_ALL_SERVERS
async def test_a_log_out_ends_the_persons_sockets_within_a_second(example: MountedServer) -> None:
    stays = await Connection.open(example.websocket_url, example.sign_up().token)
    took: list[float] = []
    while not took or took[-1] > WITHIN:  # a busy machine makes it slower, never faster
        assert len(took) < ATTEMPTS, f"the sockets of somebody who logged out ended after {took} s"
        took.append(await seconds_until_the_end(example))
    await stays.ping()
    await stays.close()


@ON_ALL_SERVERS
async def test_who_has_logged_out_gets_in_by_no_door_until_he_logs_in_again(example: MountedServer) -> None:
    account = example.sign_up()
    await asyncio.to_thread(example.log_out, account)
    assert account.request("GET", "/users/me").status_code == 401
    with pytest.raises(ClosedError) as closed:
        await Connection.open(example.websocket_url, account.token)
    assert closed.value.code == 4501
    back = await asyncio.to_thread(example.log_in, account.name)
    assert back.id == account.id
    async with await Connection.open(example.websocket_url, back.token) as again:
        await again.ping()


async def test_control_where_no_connection_hears_of_it_the_sockets_stay(make_mounted: MakeMounted) -> None:
    server = make_mounted(app="tests.support.broken_mounted:app", settings={"BROKEN": "deaf-to-revocations"})
    await asyncio.to_thread(server.start)
    account = server.sign_up()
    async with await Connection.open(server.websocket_url, account.token) as connection:
        await asyncio.to_thread(server.log_out, account)
        await connection.ping()  # the answer comes after whatever the log-out wrote
        assert connection.is_open


@ON_ALL_SERVERS
async def test_who_is_locked_out_here_stays_out_whatever_the_app_says(example: MountedServer) -> None:
    account = example.sign_up()
    connection = await Connection.open(example.websocket_url, account.token)
    await asyncio.to_thread(example.command_line, "user", "disable", account.name)
    assert await connection.wait_closed(IN_THE_END) == 4510
    answer = account.request("GET", "/users/me")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    with pytest.raises(ClosedError) as closed:
        await Connection.open(example.websocket_url, account.token)
    assert closed.value.code == 4501
    await asyncio.to_thread(example.command_line, "user", "enable", account.name)
    assert account.request("GET", "/users/me").status_code == 200
