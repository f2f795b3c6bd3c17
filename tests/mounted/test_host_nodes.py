"""The interface on two nodes of one site: one room for each key, one call for each event, no gap."""

import asyncio
from pathlib import Path

import pytest

from hubbub import Identity
from hubbub.host import Event, Room
from hubbub.storage import host_rooms
from tests.mounted.host_app import HostApp
from tests.support.asgi_socket import Socket
from tests.support.postgres import Postgres
from tests.support.waiting import eventually

pytestmark = pytest.mark.faults

DEADLINE = 60.0
ADA, BOB = Identity("app", "1", "Ada"), Identity("app", "2", "Bob")
ROUNDS = 10


async def open_everywhere(nodes: list[HostApp], key: str) -> list[Room | BaseException]:
    return await asyncio.gather(
        *(node.hubbub.rooms.room_for(key, name="Order", members=[ADA]) for node in nodes for _ in range(5)),
        return_exceptions=True,
    )


async def test_one_key_gets_one_room_whichever_node_is_asked(nodes: list[HostApp]) -> None:
    for number in range(ROUNDS):
        found = await open_everywhere(nodes, f"order:{number}")
        assert len(set(found)) == 1, found
        assert all(isinstance(room, Room) for room in found)
    events = nodes[0].hubbub.events(topic=f"user:{(await nodes[0].hubbub.users.bot()).id}", after=0)
    async with asyncio.timeout(DEADLINE):
        added = [event.type for event in [await anext(events) for _ in range(ROUNDS + 1)]]
    assert added == ["room.added"] * (ROUNDS + 1), "the lobby and one room for each key"


async def test_control_without_the_key_there_are_several_rooms(
    nodes: list[HostApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_rooms, "find", lambda connection, key: None)
    monkeypatch.setattr(host_rooms, "add", lambda tx, key, room: None)
    assert len(set(await open_everywhere(nodes, "order:1"))) > 1


async def test_a_key_of_a_message_holds_on_all_nodes(nodes: list[HostApp]) -> None:
    await nodes[0].hubbub.rooms.room_for("order:1", name="Order")
    for number in range(ROUNDS):
        calls = (node.hubbub.messages.post("order:1", "Shipped", key=f"k{number}") for node in nodes for _ in range(3))
        assert len(set(await asyncio.gather(*calls))) == 1


async def test_a_member_who_is_removed_on_one_node_stops_receiving_on_the_other(nodes: list[HostApp]) -> None:
    first, second = nodes
    second.people = {"a": ADA, "b": BOB}
    room = await first.hubbub.rooms.room_for("order:1", name="Order", members=[ADA, BOB])
    sockets = [Socket(second.hubbub.app) for _ in range(2)]
    for socket, token in zip(sockets, ("a", "b"), strict=True):
        await socket.greet(token)
    await first.hubbub.rooms.set_members(room, [ADA])
    await first.hubbub.messages.post(room, "secret")
    await first.hubbub.rooms.add_members(room, [BOB])
    await first.hubbub.messages.post(room, "last")
    bodies = []
    for socket in sockets:
        heard = []
        while (frame := await socket.hear()).get("body") != "last":
            heard.append(frame.get("body"))
        bodies.append(heard)
        await socket.leave()
    assert "secret" in bodies[0]
    assert "secret" not in bodies[1]


async def test_events_of_the_other_node_come_without_a_gap_also_if_the_bus_loses_them(
    nodes: list[HostApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.host.events.COMPARISON", 0.5)
    first, second = nodes
    room = await first.hubbub.rooms.room_for("order:1", name="Order")
    events = second.hubbub.events(room, after=2)
    for deaf in (False, True):
        if deaf:
            monkeypatch.setattr(second.hubbub._host.services.hub, "announce", lambda heads: None)
            monkeypatch.setattr(second.hubbub._host.services.hub, "receive", lambda entries: None)
        await asyncio.gather(*(first.hubbub.messages.post(room, str(number)) for number in range(20)))
        async with asyncio.timeout(DEADLINE):
            found = [await anext(events) for _ in range(20)]
        assert [event.seq for event in found] == list(range(3 + 20 * deaf, 23 + 20 * deaf))


async def test_control_an_iterator_that_hears_nothing_and_never_looks_gets_nothing(
    nodes: list[HostApp], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.host.events.COMPARISON", 3_600.0)
    first, second = nodes
    room = await first.hubbub.rooms.room_for("order:1", name="Order")
    hub = second.hubbub._host.services.hub
    monkeypatch.setattr(hub, "announce", lambda heads: None)
    monkeypatch.setattr(hub, "receive", lambda entries: None)
    events = second.hubbub.events(room, after=2)
    reading = asyncio.create_task(anext(events))
    await eventually(lambda: events._epoch is not None, DEADLINE, "it waits")
    posted = await first.hubbub.messages.post(room, "unheard")
    (event,) = [await anext(second.hubbub.events(room, after=2))]
    assert event.seq == posted.seq, "the node could have read it"
    await asyncio.wait({reading}, timeout=1.0)
    assert not reading.done()
    reading.cancel()


async def test_each_event_is_handled_on_one_node_and_the_other_takes_over(
    tmp_path: Path, postgres_server: Postgres, patient_postgresql: None
) -> None:
    url = postgres_server.fresh()
    nodes = [HostApp(tmp_path / f"node{number}", database_url=url, bus_url="postgresql") for number in range(2)]
    seen: list[tuple[int, str]] = []

    def declare(number: int) -> None:
        @nodes[number].hubbub.on("message.sent", name="note")
        async def note(event: Event) -> None:
            seen.append((number, event.data["body"]))

    for number in range(2):
        declare(number)
    try:
        async with nodes[0].hubbub.lifespan():
            async with nodes[1].hubbub.lifespan():
                await nodes[0].hubbub.rooms.room_for("order:1", name="Order")
                for number in range(20):
                    await nodes[number % 2].hubbub.messages.post("order:1", str(number))
                await eventually(lambda: len(seen) >= 20, DEADLINE, "all events are handled")
            await nodes[0].hubbub.messages.post("order:1", "after the end of a node")
            await eventually(lambda: len(seen) >= 21, DEADLINE, "the other node goes on")
    finally:
        postgres_server.drop(url)
    assert [body for _, body in seen] == [*map(str, range(20)), "after the end of a node"]
    assert len({number for number, _ in seen[:20]}) == 1
