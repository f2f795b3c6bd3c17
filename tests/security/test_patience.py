"""A client that floods the server loses its connection, and others go on."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from hubbub.protocol.session import PATIENCE_BURST
from tests.support.client import Connection
from tests.support.server import PASSWORD, Account, Server

FLOOD = int(PATIENCE_BURST) * 4
"""Frames sent at once.

Even in ten seconds the allowance refills by no more than its initial size.
"""
SEND = {"id": 1, "type": "message.send", "room": 1, "key": "k", "body": "too fast"}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with Server(tmp_path_factory.mktemp("patience") / "data", {"HUBBUB_RATE_LIMITS": "on"}) as running:
        running.command_line("user", "create", "eve", "--password-stdin", stdin=PASSWORD + "\n")
        yield running.log_in("eve")


@pytest.mark.parametrize(
    "text",
    ['{"type":"ping"}', "nonsense", '{"id":1,"type":"unheard.of"}', json.dumps(SEND)],
    ids=["ping", "nonsense", "unknown command", "too many messages"],
)
async def test_a_flood_of_refused_frames_ends_its_connection_and_no_other_of_the_user(
    account: Account, text: str
) -> None:
    server = account.server
    good = await Connection.open(server.websocket_url, account.token)
    bad = await Connection.open(server.websocket_url, account.token)
    for _ in range(FLOOD):
        await bad.socket.send(text)
    assert await bad.wait_closed(30) == 1008
    assert bad.close_reason == "Too many pings or rejected frames."
    refused = [frame for frame in bad.frames if frame.get("error", {}).get("code") == "rate_limited"]
    assert refused, "the last answer says why"
    await good.ping()
    await good.close()


async def test_a_fast_honest_client_is_not_limited(account: Account) -> None:
    hurried = await Connection.open(account.server.websocket_url, account.token)
    for _ in range(int(PATIENCE_BURST) // 2):
        await hurried.ping()
    await asyncio.gather(*(hurried.command("events.since", topic="room:1", after=0) for _ in range(FLOOD)))
    await hurried.ping()
    assert hurried.is_open
    await hurried.close()
