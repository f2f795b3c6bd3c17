"""What ends or begins on one node takes effect on the connections of the others."""

import asyncio

import pytest

from tests.nodes.conftest import MakeSite, Site
from tests.support.client import ClosedError, Connection
from tests.support.server import Account
from tests.support.waiting import eventually, eventually_async

pytestmark = pytest.mark.faults

DEADLINE = 20.0


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
