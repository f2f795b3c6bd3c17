"""Guests share the limits of their network: one address takes neither all places nor all of the lobby."""

from pathlib import Path
from time import monotonic

import pytest
from websockets.asyncio.client import ClientConnection

from hubbub.engine.limits import GUEST_SENDS, SENDS
from hubbub.gateways.plain import gateway
from tests.mounted.host_app import HostApp
from tests.support.asgi_socket import Socket
from tests.support.lines import enter, fresh, line
from tests.support.server import Server

GUESTS = 5
LINES = SENDS.burst
"""Lines of each guest: as many as a user may send at once."""
SETTINGS = {"HUBBUB_GUESTS": "on", "HUBBUB_RATE_LIMITS": "on", "HUBBUB_TRUSTED_PROXIES": "127.0.0.1"}


async def told(socket: Socket) -> str:
    """Return the first line of a connection."""
    assert (await socket.event())["type"] == "websocket.accept"
    return str((await socket.event())["text"])


async def places_are_limited(data: Path) -> None:
    host = HostApp(data, guests=True, rate_limits=True)
    async with host.hubbub.lifespan():
        guests = []
        for number in range(3):
            guests.append(Socket(host.hubbub.app, f"/ws/guest{number}", client="198.51.100.7"))
            assert "joined" in await told(guests[-1])
        for address in ("198.51.100.7", "::ffff:198.51.100.7"):
            refused = Socket(host.hubbub.app, "/ws/more", client=address)
            assert (await told(refused)).startswith("Error: Too many guests"), address
            await refused.leave()
        other = Socket(host.hubbub.app, "/ws/other", client="198.51.100.8")
        assert "joined" in await told(other)
        taken = Socket(host.hubbub.app, "/ws/other", client="198.51.100.9")
        assert (await told(taken)).startswith("Error: "), "a refused guest takes no place"
        await guests[0].leave()
        again = Socket(host.hubbub.app, "/ws/again", client="198.51.100.7")
        assert "joined" in await told(again)
        for socket in (*guests[1:], other, taken, again):
            await socket.leave()


async def test_guests_have_a_number_of_places_for_each_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "GUESTS_PER_NETWORK", 3)
    await places_are_limited(tmp_path)


async def test_control_without_that_number_one_network_takes_all_places(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        await places_are_limited(tmp_path)


async def flood(server: Server, *, one_network: bool) -> tuple[int, float]:
    """Let guests send as fast as they may; return how many messages were stored, and in how many seconds."""
    began = monotonic()
    guests: dict[str, ClientConnection] = {}
    for number in range(GUESTS):
        address = "198.51.100.7" if one_network else f"198.51.100.{number}"
        name = fresh()
        guests[name] = await enter(server, name, headers={"X-Forwarded-For": address})
    for socket in guests.values():
        for number in range(LINES):
            await socket.send(f"line {number}")
    stored = sum([await stored_of(socket, name) for name, socket in guests.items()])
    for socket in guests.values():
        await socket.close()
    return stored, monotonic() - began


async def stored_of(socket: ClientConnection, name: str) -> int:
    """Read until each line of this guest was answered; return how many were stored."""
    stored = refused = 0
    while stored + refused < LINES:
        text = await line(socket)
        stored += text.startswith(f"Client #{name} says: ")
        refused += text.startswith("Error: ")
    return stored


@pytest.fixture
def guest_server(tmp_path: Path) -> Server:
    return Server(tmp_path / "data", SETTINGS)


async def test_the_guests_of_one_network_share_a_rate(guest_server: Server) -> None:
    with guest_server:
        stored, seconds = await flood(guest_server, one_network=True)
        assert stored <= GUEST_SENDS.burst + GUEST_SENDS.rate * seconds + 1


async def test_control_guests_of_different_networks_send_more(guest_server: Server) -> None:
    with guest_server:
        stored, seconds = await flood(guest_server, one_network=False)
        assert stored > GUEST_SENDS.burst + GUEST_SENDS.rate * min(seconds, 5.0)
