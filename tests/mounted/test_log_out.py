"""The host application's log-out closes the user's connections in a second."""

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
    """Open two sockets of the protocol and one of plain text."""
    server = account.server
    connections = [await Connection.open(server.websocket_url, account.token) for _ in range(2)]
    plain = await enter(server, account.name, headers=account.headers)
    await line(plain)
    return connections, plain


async def seconds_until_the_end(server: MountedServer) -> float:
    """Return the seconds from a log-out until the user's sockets are closed.

    All of them must close with 4503.
    """
    account = server.sign_up("leaver")
    connections, plain = await sockets_of(account)
    await asyncio.to_thread(server.log_out, account)
    began = time.monotonic()
    codes = {await connection.wait_closed(IN_THE_END) for connection in connections}
    assert codes | {(await end(plain, IN_THE_END))[1]} == {4503}
    return time.monotonic() - began


@ON_ALL_SERVERS
async def test_a_log_out_closes_the_users_sockets_within_a_second(example: MountedServer) -> None:
    stays = await Connection.open(example.websocket_url, example.sign_up().token)
    took: list[float] = []
    while not took or took[-1] > WITHIN:  # A busy machine makes it slower, never faster.
        assert len(took) < ATTEMPTS, f"the sockets of a logged-out user closed after {took} s"
        took.append(await seconds_until_the_end(example))
    await stays.ping()
    await stays.close()


@ON_ALL_SERVERS
async def test_a_logged_out_user_is_refused_until_they_log_in_again(example: MountedServer) -> None:
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


async def test_control_without_the_notification_the_sockets_stay_open(make_mounted: MakeMounted) -> None:
    server = make_mounted(app="tests.support.broken_mounted:app", settings={"BROKEN": "deaf-to-revocations"})
    await asyncio.to_thread(server.start)
    account = server.sign_up()
    async with await Connection.open(server.websocket_url, account.token) as connection:
        await asyncio.to_thread(server.log_out, account)
        await connection.ping()  # The answer follows everything that the log-out wrote.
        assert connection.is_open


@ON_ALL_SERVERS
async def test_a_user_disabled_in_hubbub_stays_out_whatever_the_host_application_says(example: MountedServer) -> None:
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
