"""The host application opens rooms for its own objects, and sets their members."""

import asyncio
from typing import Any

import pytest

from hubbub import Identity
from hubbub.errors import BadRequest, Conflict, Forbidden, NotFound
from hubbub.host import Room
from tests.mounted.host_app import HostApp
from tests.support.asgi_socket import Socket

ADA, BOB, CY = (Identity("app", str(number), name) for number, name in enumerate(("Ada", "Bob", "Cy"), 1))


async def ids(chat: HostApp, *identities: Identity) -> set[int]:
    return {(await chat.hubbub.users.provision(identity)).id for identity in identities}


async def heard_until(socket: Socket, body: str) -> list[dict[str, Any]]:
    """Return the frames up to the message with this text."""
    frames = [await socket.hear()]
    while frames[-1].get("body") != body:
        frames.append(await socket.hear())
    return frames


async def test_a_room_is_created_once_for_each_key_and_found_by_it(chat: HostApp) -> None:
    rooms = chat.hubbub.rooms
    assert await rooms.get("order:42") is None
    created = await rooms.room_for(
        "order:42", name="Order 42", members=[ADA, BOB], topic="Books", description="Two books."
    )
    bot = await chat.hubbub.users.bot()
    assert created == Room(created.id, "order:42", "private", "Order 42", "Books", "Two books.", "all", False, 3)
    again = await rooms.room_for("order:42", name="Another name", members=[CY])
    assert again == created == await rooms.get("order:42") == await rooms.get(created.id) == await rooms.get(created)
    assert await rooms.members("order:42") == await ids(chat, ADA, BOB)
    assert bot.id not in await rooms.members("order:42")
    other = await rooms.room_for("Order:42", name="Order 42")  # keys are compared byte by byte
    assert other.id != created.id
    chat.people = {"a": ADA}
    listed = (await chat.ask("GET", f"/api/rooms/{created.id}/members", "a")).json()["members"]
    assert {member["id"]: member["role"] for member in listed}[bot.id] == "owner"


async def test_a_key_that_is_asked_for_many_times_at_once_gets_one_room(chat: HostApp) -> None:
    found = await asyncio.gather(
        *(chat.hubbub.rooms.room_for("order:42", name=f"Order {number}", members=[ADA]) for number in range(20))
    )
    assert len(set(found)) == 1


async def test_a_room_that_may_not_be_opened_takes_no_key(chat: HostApp) -> None:
    rooms = chat.hubbub.rooms
    await rooms.room_for("faq", name="FAQ", kind="public")
    with pytest.raises(Conflict, match="name"):
        await rooms.room_for("faq:2", name="faq", kind="public")
    with pytest.raises(BadRequest):
        await rooms.room_for("order:1", name="")
    with pytest.raises(BadRequest):
        await rooms.room_for("order:1", name="Order", kind="direct")  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        await rooms.room_for("order:1", name="Order", members=[("app", "unknown")])
    await chat.hubbub.users.provision(ADA)
    await chat.hubbub.users.disable(ADA)
    with pytest.raises(NotFound):
        await rooms.room_for("order:1", name="Order", members=[ADA])
    for key in ("", "k" * 256, "a\0b", "\ud800"):
        with pytest.raises(ValueError):
            await rooms.room_for(key, name="Order")
    assert await rooms.get("order:1") is None
    assert (await rooms.room_for("k" * 255, name="Order")).key == "k" * 255


async def test_a_room_with_more_members_than_one_command_takes_gets_them_all(chat: HostApp) -> None:
    people = [await chat.hubbub.users.provision(Identity("app", f"p{number}", f"p{number}")) for number in range(120)]
    await chat.hubbub.rooms.room_for("all", name="All", members=people)
    assert await chat.hubbub.rooms.members("all") == {user.id for user in people}
    await chat.hubbub.rooms.set_members("all", people[60:])
    assert await chat.hubbub.rooms.members("all") == {user.id for user in people[60:]}
    await chat.hubbub.rooms.remove_members("all", people)
    assert await chat.hubbub.rooms.members("all") == frozenset()


async def test_a_user_can_own_a_room_that_the_host_opens(chat: HostApp) -> None:
    room = await chat.hubbub.rooms.room_for("order:42", name="Order 42", by=ADA)
    chat.people = {"a": ADA}
    assert (await chat.ask("GET", f"/api/rooms/{room.id}", "a")).json()["room"]["role"] == "owner"


async def test_a_room_is_renamed_archived_and_restored_and_stays_that_of_its_key(chat: HostApp) -> None:
    rooms = chat.hubbub.rooms
    room = await rooms.room_for("order:42", name="Order 42", members=[ADA])
    assert (await rooms.rename("order:42", "Order 42 (paid)")).name == "Order 42 (paid)"
    await rooms.archive("order:42")
    await rooms.archive(room)
    found = await rooms.room_for("order:42", name="Order 42")
    assert (found.id, found.archived, found.name) == (room.id, True, "Order 42 (paid)")
    for call in (rooms.rename(room, "no"), rooms.add_members(room, [BOB]), rooms.set_members(room, [])):
        with pytest.raises(Forbidden, match="archived"):
            await call
    await rooms.restore(room.id)
    await rooms.add_members(room, [BOB])
    for call in (rooms.archive("order:43"), rooms.rename(999, "no"), rooms.members("order:43")):
        with pytest.raises(NotFound):
            await call


async def test_the_host_manages_private_rooms_of_users_and_is_shown_as_the_one_who_did(chat: HostApp) -> None:
    chat.people = {"a": ADA, "b": BOB}
    await ids(chat, ADA, BOB)
    made = await chat.ask("POST", "/api/rooms", "a", json={"kind": "private", "name": "Of Ada"})
    room = made.json()["room"]["id"]
    found = await chat.hubbub.rooms.get(room)
    assert found is not None
    assert (found.key, found.name) == (None, "Of Ada")
    socket = Socket(chat.hubbub.app)
    await socket.greet("a")
    await chat.hubbub.rooms.add_members(room, [BOB])
    bot = await chat.hubbub.users.bot()
    joined = await socket.hear()
    while joined["type"] != "member.joined" or joined["room"] != room:
        joined = await socket.hear()
    assert joined["by"] == bot.id
    await chat.hubbub.rooms.rename(room, "Of the host")
    await chat.hubbub.rooms.archive(room)
    events = [await socket.hear() for _ in range(2)]
    assert [(event["type"], event["by"], event["name"]) for event in events] == [
        ("room.updated", bot.id, bot.name), ("room.archived", bot.id, bot.name),
    ]  # fmt: skip
    await socket.leave()
    direct = await chat.ask("POST", "/api/rooms", "a", json={"kind": "direct", "members": []})
    with pytest.raises(Forbidden, match="fixed"):
        await chat.hubbub.rooms.add_members(direct.json()["room"]["id"], [BOB])
    with pytest.raises(Forbidden, match="lobby"):
        await chat.hubbub.rooms.remove_members(1, [BOB])
    assert (await chat.ask("POST", f"/api/rooms/{room}/restore", "b")).status_code == 403  # users get no such right


async def test_a_removed_member_stops_receiving_at_once_and_others_go_on(chat: HostApp) -> None:
    chat.people = {"a": ADA, "b": BOB}
    room = await chat.hubbub.rooms.room_for("order:42", name="Order 42", members=[ADA, BOB])
    ada, bob = Socket(chat.hubbub.app), Socket(chat.hubbub.app)
    await ada.greet("a")
    await bob.greet("b")
    await chat.hubbub.messages.post(room, "before")
    await heard_until(ada, "before")
    await heard_until(bob, "before")
    await chat.hubbub.rooms.set_members(room, [ADA])
    await chat.hubbub.messages.post(room, "after")
    await chat.hubbub.rooms.add_members(room, [BOB])
    await chat.hubbub.messages.post(room, "last")
    assert "after" in [frame.get("body") for frame in await heard_until(ada, "last")]
    frames = await heard_until(bob, "last")
    assert "after" not in [frame.get("body") for frame in frames]
    assert [frame["type"] for frame in frames if frame["type"].startswith("room.")] == ["room.removed", "room.added"]
    await ada.leave()
    await bob.leave()


async def test_setting_the_same_members_again_changes_nothing(chat: HostApp) -> None:
    rooms = chat.hubbub.rooms
    room = await rooms.room_for("order:42", name="Order 42", members=[ADA])
    await rooms.set_members(room, [ADA, BOB, BOB])
    head = await head_of(chat, room)
    await rooms.set_members(room, [BOB, ADA])
    await rooms.add_members(room, [ADA])
    await rooms.remove_members(room, [CY])
    assert await head_of(chat, room) == head
    assert await rooms.members(room) == await ids(chat, ADA, BOB)


async def head_of(chat: HostApp, room: Room) -> int:
    chat.people = {"a": ADA}
    return int((await chat.ask("GET", f"/api/rooms/{room.id}", "a")).json()["room"]["head"])


async def test_a_change_that_is_refused_changes_no_member(chat: HostApp) -> None:
    chat.people = {"a": ADA}
    rooms = chat.hubbub.rooms
    room = await rooms.room_for("order:42", name="Order 42", members=[ADA], by=ADA)
    (bob,) = await ids(chat, BOB)
    await chat.ask("PUT", f"/api/rooms/{room.id}/bans/{bob}", "a", json={"reason": ""})
    with pytest.raises(Conflict, match="banned"):
        await rooms.set_members(room, [BOB, CY])
    assert await rooms.members(room) == await ids(chat, ADA)


async def test_a_room_of_no_member_is_owned_by_the_next_one(chat: HostApp) -> None:
    rooms = chat.hubbub.rooms
    room = await rooms.room_for("order:42", name="Order 42", by=ADA)
    await rooms.set_members(room, [])
    found = await rooms.get(room)
    assert found is not None
    assert (found.member_count, found.archived) == (0, False)
    await rooms.set_members(room, [BOB])
    chat.people = {"b": BOB}
    assert (await chat.ask("GET", f"/api/rooms/{room.id}", "b")).json()["room"]["role"] == "owner"
