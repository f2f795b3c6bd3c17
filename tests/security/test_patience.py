"""A server as it comes, and somebody who is logged in and asks without end: his connection ends, others go on."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from hubbub.protocol.session import PATIENCE_BURST
from tests.support.client import Connection
from tests.support.server import PASSWORD, Account, Server

FLOOD = int(PATIENCE_BURST) * 4
"""Sent in one go: even in ten seconds patience grows back by no more than it had at first."""
SEND = {"id": 1, "type": "message.send", "room": 1, "key": "k", "body": "too fast"}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with Server(tmp_path_factory.mktemp("patience") / "data", {"HUBBUB_RATE_LIMITS": "on"}) as running:
        running.command_line("user", "create", "eve", "--password-stdin", stdin=PASSWORD + "\n")
        yield running.log_in("eve")


@pytest.mark.parametrize(
    "text",
    ['{"type":"ping"}', "nonsense", '{"id":1,"type":"unheard.of"}', json.dumps(SEND)],
    ids=["ping", "nonsense", "no command", "too many messages"],
)
async def test_who_is_refused_without_end_is_ended_and_his_other_connection_is_not(account: Account, text: str) -> None:
    server = account.server
    good = await Connection.open(server.websocket_url, account.token)
    bad = await Connection.open(server.websocket_url, account.token)
    for _ in range(FLOOD):
        await bad.socket.send(text)
    assert await bad.wait_closed(30) == 1008
    assert bad.close_reason == "Too many pings or rejected frames."
    refused = [frame for frame in bad.frames if frame.get("error", {}).get("code") == "rate_limited"]
    assert refused, "the last word says why"
    await good.ping()
    await good.close()


async def test_an_honest_client_that_is_in_a_hurry_notices_nothing(account: Account) -> None:
    hurried = await Connection.open(account.server.websocket_url, account.token)
    for _ in range(int(PATIENCE_BURST) // 2):
        await hurried.ping()
    await asyncio.gather(*(hurried.command("events.since", topic="room:1", after=0) for _ in range(FLOOD)))
    await hurried.ping()
    assert hurried.is_open
    await hurried.close()
