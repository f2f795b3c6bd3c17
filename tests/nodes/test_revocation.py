"""What ends or begins on one node takes effect on the connections of the others."""

import asyncio
import random

import pytest

from tests.nodes.conftest import MakeSite, Site, over
from tests.support import depth, timing
from tests.support.checker import leaks
from tests.support.client import ClosedError, Connection
from tests.support.server import Account
from tests.support.timing import TooSlowError, three_attempts
from tests.support.waiting import eventually, eventually_async

pytestmark = pytest.mark.faults

DEADLINE = 20.0
WITHIN = 1.0
"""Seconds within which a revocation takes effect on all nodes, in 99 of 100 cases."""


async def pair(make_site: MakeSite) -> tuple[Site, Account, Account]:
    """Return a site of two nodes, its owner on the first one, and a member on the second one."""
    site = await asyncio.to_thread(make_site, 2)
    owner = await asyncio.to_thread(site.nodes[0].create_owner)
    return site, owner, await asyncio.to_thread(site.nodes[1].sign_up, "member")


@pytest.mark.parametrize("bus", ["up", "down"])
async def test_a_session_that_ends_on_one_node_ends_its_sockets_on_the_other(make_site: MakeSite, bus: str) -> None:
    site, _, member = await pair(make_site)
    socket = await Connection.open(site.nodes[1].websocket_url, member.token)
    if bus == "down":
        site.interrupt()
    answer = await asyncio.to_thread(site.there(member, 0).request, "POST", "/api/logout")
    assert answer.status_code == 204
    assert await socket.wait_closed(DEADLINE) == 4503
    with pytest.raises(ClosedError):
        await Connection.open(site.nodes[1].websocket_url, member.token)


async def test_a_user_disabled_by_the_command_line_of_one_node_is_disconnected_on_the_other(
    make_site: MakeSite,
) -> None:
    site, _, member = await pair(make_site)
    socket = await Connection.open(site.nodes[1].websocket_url, member.token)
    await asyncio.to_thread(site.nodes[0].command_line, "user", "disable", member.name)
    assert await socket.wait_closed(DEADLINE) in (4503, 4510)


@pytest.mark.parametrize("bus", ["up", "down"])
async def test_a_member_removed_on_one_node_gets_no_later_message_on_the_other(make_site: MakeSite, bus: str) -> None:
    site, owner, member = await pair(make_site)
    socket = await Connection.open(site.nodes[1].websocket_url, member.token)
    for round_ in range(5):
        room = await asyncio.to_thread(owner.create_room, f"Room {round_}")
        added = await asyncio.to_thread(site.there(member, 0).request, "POST", f"/api/rooms/{room}/join")
        assert added.status_code == 200
        await send(owner, room, "before")
        await heard(socket, "message.sent", room)
        if bus == "down" and round_ == 0:
            site.interrupt()
        gone = await asyncio.to_thread(owner.request, "DELETE", f"/api/rooms/{room}/members/{member.id}")
        assert gone.status_code == 200, gone.text
        await send(owner, room, "after")
        await heard(socket, "room.removed", room)
        late = [frame for frame in socket.frames if frame.get("body") == "after"]
        assert not late
    await socket.close()


async def send(account: Account, room: int, body: str) -> None:
    message = {"body": body, "key": body}
    answer = await asyncio.to_thread(account.request, "POST", f"/api/rooms/{room}/messages", json=message)
    assert answer.status_code in (200, 201), answer.text


async def heard(socket: Connection, type_: str, room: int) -> None:
    await eventually(
        lambda: any(frame.get("type") == type_ and frame.get("room") == room for frame in socket.frames),
        DEADLINE,
        f"{type_} arrives",
    )


async def test_nodes_adopt_an_epoch_that_another_node_has_begun(make_site: MakeSite) -> None:
    site, owner, member = await pair(make_site)
    sockets = [await Connection.open(site.there(owner, 0).server.websocket_url, owner.token)]
    sockets.append(await Connection.open(site.nodes[1].websocket_url, member.token))
    # As another node does that has noticed a loss.
    site.execute("UPDATE meta SET value = 'begun elsewhere' WHERE key = 'epoch'")
    site.execute("INSERT INTO meta VALUES ('epoch_number', '1') ON CONFLICT (key) DO UPDATE SET value = '1'")
    for socket in sockets:
        assert await socket.wait_closed(60) == 4000
    for account in (owner, member):

        async def epoch(account: Account = account) -> bool:
            try:
                connection = await Connection.open(account.server.websocket_url, account.token)
            except ClosedError:
                return False
            await connection.close()
            return bool(connection.welcome["epoch"] == "begun elsewhere")

        await eventually_async(epoch, DEADLINE, "the node serves the epoch of the database")
    assert all(node.metrics()["hubbub_new_epochs_total"] == 1 for node in site.nodes)
    assert not [line for node in site.nodes for line in node.log_lines("new_epoch")], "none began another one"


async def revoke(site: Site, rounds: int) -> tuple[list[float], list[str]]:
    """End sessions and memberships on one node in turn, of clients of another one that are being written to.

    Return how long each took to take effect there, and what was received afterwards.
    """
    nodes = len(site.nodes)
    owner = await asyncio.to_thread(site.nodes[0].sign_up, "owner")
    room = await asyncio.to_thread(owner.create_room, f"Revocations {random.getrandbits(40):x}")
    topic = f"room:{room}"
    over = asyncio.Event()

    async def speak(node: int) -> None:
        async with await Connection.open(
            site.nodes[node].websocket_url, owner.token, on_event=lambda _: None
        ) as speaker:
            number = 0
            while not over.is_set():
                key = f"{node}.{number}"
                await speaker.command("message.send", room=room, key=key, body=key)
                number += 1
                await asyncio.sleep(0.02)

    speakers = [asyncio.create_task(speak(node)) for node in range(nodes)]
    took: list[float] = []
    members: list[tuple[Account, Connection]] = []
    for round_ in range(rounds):
        home, away = round_ % nodes, (round_ + 1) % nodes
        member = await asyncio.to_thread(site.nodes[home].sign_up, "member")
        await asyncio.to_thread(member.join, room)
        socket = await Connection.open(member.server.websocket_url, member.token)
        await heard(socket, "message.sent", room)
        began = timing.active()
        if round_ % 2:
            gone = await asyncio.to_thread(site.there(member, away).request, "POST", "/api/logout")
            assert gone.status_code == 204, gone.text
            assert await socket.wait_closed(DEADLINE) == 4503
            took.append(timing.active() - began)
            with pytest.raises(ClosedError):
                await Connection.open(member.server.websocket_url, member.token)
            assert member.try_refresh().status_code == 401
        else:
            path = f"/api/rooms/{room}/bans/{member.id}"
            gone = await asyncio.to_thread(site.there(owner, away).request, "PUT", path, json={})
            assert gone.status_code == 200, gone.text
            await heard(socket, "room.removed", room)
            took.append(timing.active() - began)
            members.append((member, socket))
    over.set()
    await asyncio.gather(*speakers)
    log = owner.log(topic)
    found = []
    for member, socket in members:
        await socket.ping()
        found += leaks(log, member.id, [frame for frame in socket.frames if frame.get("topic") == topic])
        await socket.close()
    return took, found


@over("cluster", "postgresql")
@three_attempts
async def test_revocations_and_bans_take_effect_on_other_nodes_within_a_second(make_site: MakeSite) -> None:
    site = await asyncio.to_thread(make_site, 3)
    took, found = await revoke(site, depth.rounds("revocations on other nodes", short=20, long=1_000))
    assert not found, "\n".join(found)
    slowest = sorted(took)[int(len(took) * 0.99) - 1]
    if slowest > WITHIN:
        raise TooSlowError(f"took {slowest:.2f} s")


@over("nats")
async def test_control_a_node_that_hears_nothing_is_late_with_revocations(make_site: MakeSite) -> None:
    site = await asyncio.to_thread(make_site, 2, "deaf quick-positions", every=True)
    took, _ = await revoke(site, 8)
    assert sum(took) > WITHIN, "with the bus each takes milliseconds"


@over("nats")
async def test_control_a_node_that_keeps_banned_members_subscribed_leaks_messages(make_site: MakeSite) -> None:
    site = await asyncio.to_thread(make_site, 2, "keep-subscribed", every=True)
    _, found = await revoke(site, 3)
    assert any(sentence.startswith("I8") for sentence in found)
