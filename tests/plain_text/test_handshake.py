"""A client receives every line that follows its handshake."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.support import depth
from tests.support.client import Connection
from tests.support.lines import enter, fresh, until
from tests.support.mounted import MountedServer
from tests.support.server import Server

LANES = 4
GUESTS = {"HUBBUB_GUESTS": "on"}


@pytest.fixture(scope="module", params=["hubbub serve", "granian"])
def guest_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`hubbub serve`, and the mounted example on a multi-threaded ASGI server.

    Both admit guests.
    """
    folder = tmp_path_factory.mktemp("open") / "data"
    native = request.param == "hubbub serve"
    running = Server(folder, GUESTS) if native else MountedServer(folder, request.param)
    running.settings.update(GUESTS)
    with running:
        yield running
    assert "Traceback" not in running.log_text(), running.log_text()[-6000:]


async def test_a_connected_client_receives_the_lines_of_later_clients(guest_server: Server) -> None:
    """The tutorial's first minute.

    Connect one client, connect another, and read what the first one receives.
    """
    count = depth.rounds("handshakes", short=60, long=1_000)
    rounds = await asyncio.gather(*(one_lane(guest_server, count // LANES) for _ in range(LANES)))
    missed = [heard for lane in rounds for heard in lane]
    assert not missed, f"in {len(missed)} of {count} rounds the first client missed a line: {missed[0]}"


async def one_lane(server: Server, count: int) -> list[list[str]]:
    """Run rounds in sequence.

    Return what the first client received in rounds where it missed a line.
    """
    missed: list[list[str]] = []
    for _ in range(count):
        one, two = fresh("one"), fresh("two")
        first = await enter(server, one)
        second = await enter(server, two)
        await second.send("hello")
        expected = [f"Client #{one} joined the chat.", f"Client #{two} joined the chat.", f"Client #{two} says: hello"]
        heard = await until(first, expected[-1])
        if [line for line in heard if line in expected] != expected:
            missed.append(heard)
        await asyncio.gather(first.close(), second.close())
    return missed


async def test_a_client_with_a_welcome_receives_the_next_message(guest_server: Server) -> None:
    """The same for the JSON protocol.

    `welcome` states the position from which the client receives everything.
    """
    writer, reader = guest_server.sign_up("writer"), guest_server.sign_up("reader")
    async with await Connection.open(guest_server.websocket_url, writer.token) as writing:
        for number in range(depth.rounds("handshakes", short=60, long=1_000)):
            async with await Connection.open(guest_server.websocket_url, reader.token) as reading:
                sent = await writing.command("message.send", room=1, key=f"key {number}", body=f"number {number}")
                await reading.ping()
                assert [frame["seq"] for frame in reading.of_type("message.sent")] == [sent["seq"]]
