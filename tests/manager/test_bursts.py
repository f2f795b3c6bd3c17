"""A burst of any size reaches every client that reads.

A client that does not read is closed.
"""

from collections.abc import Iterator

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.gateways.raw import Raw
from tests.manager.test_tutorial import OURS, start

COUNT, SIZE = 400, 50_000  # 20 MB: five times what an outbox may hold for a moment.


@pytest.fixture(params=["websockets-sansio", OURS], ids=["uvicorn's", "ours"], scope="module")
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    process, port = start("tests.manager.burst_app:app", request.param)
    yield port
    process.terminate()
    assert process.stderr is not None
    process.stderr.close()
    process.wait(10)


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
        numbers = [str(number) for number in range(COUNT)]
        for _ in range(2):
            await two.send(f"{COUNT} {SIZE}")
            for client in (two, one):
                heard = [str(await client.recv()).partition(" ")[0] for _ in numbers]
                assert heard == numbers
        assert await until(one, "slow left") == ["slow left"]
