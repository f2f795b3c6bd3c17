"""A burst of any size reaches every client that reads.

A client that does not read is closed.
"""

import asyncio
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.gateways.raw import Raw
from tests.manager.test_tutorial import OURS, start

LEFT = "slow"
"""The first word of \"slow left\", which comes in the middle of a burst: it waits for its readers."""
COUNT, SIZE = 400, 50_000  # 20 MB: five times what an outbox may hold for a moment.


@pytest.fixture(params=["websockets-sansio", OURS], ids=["uvicorn's", "ours"], scope="module")
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    process, port = start("tests.manager.burst_app:app", request.param)
    yield port
    process.terminate()
    assert process.stderr is not None
    process.stderr.close()
    process.wait(10)


async def until_number(client: ClientConnection, last: int) -> list[str]:
    """Return the first words up to the message with that number."""
    heard = [""]
    while heard[-1] != str(last):
        heard.append(str(await client.recv()).partition(" ")[0])
    return heard[1:]


async def until(client: ClientConnection, last: str) -> list[str]:
    """Return all messages up to `last`, each but the last cut to its first word."""
    heard = [str(await client.recv())]
    while heard[-1] != last:
        heard[-1] = heard[-1].partition(" ")[0]
        heard.append(str(await client.recv()))
    return heard


async def test_bursts_reach_all_clients_that_read_and_close_a_client_that_does_not(port: int) -> None:
    async with (
        connect(f"ws://127.0.0.1:{port}/ws/one", compression=None, proxy=None) as one,
        connect(f"ws://127.0.0.1:{port}/ws/two", compression=None, proxy=None) as two,
        Raw(port, receive_buffer=4_096) as slow,
    ):
        await slow.open("/ws/slow")
        for client in (one, two):
            await until(client, "slow joined")
        left = 0
        numbers = [str(number) for number in range(COUNT)]
        for _ in range(2):
            await two.send(f"{COUNT} {SIZE}")
            for heard in await asyncio.gather(until_number(two, COUNT - 1), until_number(one, COUNT - 1)):
                left += heard.count(LEFT)
                assert [word for word in heard if word != LEFT] == numbers
        while left < 2:
            assert await two.recv() == await one.recv() == "slow left"
            left += 2
        assert left == 2, "each client hears once that the slow one has left"
