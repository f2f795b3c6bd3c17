"""Creating public, private and direct rooms does not reveal rooms of others."""

import asyncio
from hashlib import sha256
from typing import Any

import pytest
from pydantic import ValidationError

from hubbub.domain.commands import (
    CreateRoom,
    DeleteAccount,
    EventsSince,
    LeaveRoom,
    SendMessage,
    SetDisabled,
    SetMemberRole,
)
from hubbub.domain.errors import BadRequest, Conflict, Forbidden, NotFound
from hubbub.domain.events import MemberJoined, RoomAdded
from hubbub.domain.model import SYSTEM, RoomRole, room_topic, user_topic
from hubbub.domain.text import MAX_DESCRIPTION, MAX_DIRECT, MAX_INVITED, MAX_TOPIC
from hubbub.engine.batch import Receipt
from hubbub.features import rooms, sync
from hubbub.storage import members
from tests.engine.conftest import Store, store_at
from tests.engine.test_two_nodes import insist
from tests.rooms.conftest import World
from tests.support.postgres import Postgres

NOBODY = 999_999_999


async def test_a_private_room_has_its_members_from_the_start_and_is_invisible_to_others(world: World) -> None:
    made = {"kind": "private", "name": "Plans", "topic": "What next", "description": "All of it", "history": "joined"}
    room = await world.room(
        CreateRoom.model_validate({**made, "members": [world.bob.id, world.bob.id, world.alice.id]})
    )
    for who, role, seq in ((world.alice, RoomRole.OWNER, 2), (world.bob, RoomRole.MEMBER, 3)):
        seen = world.sees(who)[room]
        assert made.items() <= seen.model_dump().items()
        assert (seen.role, seen.member_count, seen.head, seen.floor, seen.unread_count, seen.mention_count) == (
            role,
            2,
            3,
            seq - 1,
            0,
            0,
        )
        own = world.store.database.read(members.find, room, who.id)
        assert own is not None
        assert (own.joined_seq, own.sees_from, own.members) == (seq, seq, 2)
        added = world.told(user_topic(who.id))[-1].event
        assert isinstance(added, RoomAdded)
        # room.added does not count the new member yet; the client counts them when member.joined
        # arrives.
        assert (added.room, added.details.head, added.details.member_count) == (room, seq - 1, seq - 2)
    joined = [entry.event for entry in world.told(room_topic(room)) if isinstance(entry.event, MemberJoined)]
    assert [(event.user, event.by) for event in joined] == [
        (who.id, world.alice.id) for who in (world.alice, world.bob)
    ]
    assert world.published(room_topic(room)) == ["room.created", "member.joined", "member.joined"]
    assert world.published("site") == []
    for stranger in (world.carol, world.owner, world.guest):
        assert room not in world.sees(stranger)
        with pytest.raises(NotFound):
            world.store.database.read(rooms.detail, stranger.id, room)
        with pytest.raises(NotFound):
            world.store.database.read(sync.events_since, stranger.id, True, EventsSince(topic=f"room:{room}", after=0))


async def test_private_rooms_may_share_a_name_and_public_rooms_may_not(world: World) -> None:
    await world.do(CreateRoom(name="Plans"))
    first, second = [await world.room(CreateRoom(kind="private", name="Plans")) for _ in range(2)]
    assert first != second
    with pytest.raises(Conflict):
        await world.do(CreateRoom(name="plans"))


async def test_a_direct_room_is_found_again_by_its_members_whoever_asks(world: World) -> None:
    room = await world.room(CreateRoom(kind="direct", members=(world.bob.id, world.carol.id)))
    for who, others in ((world.bob, (world.carol, world.alice)), (world.alice, (world.carol, world.bob, world.alice))):
        again = await world.do(CreateRoom(kind="direct", members=tuple(other.id for other in others)), who)
        assert isinstance(again["room"], dict)
        assert (again["room"]["id"], again["room"]["head"], again["seq"]) == (room, 4, 4)
        assert [person["name"] for person in again["room"]["members"]] == ["alice", "bob", "carol"]
    assert await world.room(CreateRoom(kind="direct", members=(world.bob.id,))) != room
    notes = await world.room(CreateRoom(kind="direct"))
    assert notes == await world.room(CreateRoom(kind="direct", members=(world.alice.id,)))
    assert world.sees(world.alice)[notes].member_count == 1
    assert {seen.role for seen in world.sees(world.alice).values()} == {RoomRole.MEMBER}, (
        "all members of a direct room have the same role"
    )
    assert room not in world.sees(world.owner)
    assert world.published("site") == []


async def test_a_direct_room_requested_many_times_in_a_batch_is_created_once(world: World) -> None:
    pairs = [(world.alice, world.bob), (world.alice, world.bob), (world.bob, world.alice), (world.alice, world.bob)]
    asked = [(CreateRoom(kind="direct", members=(other.id,)), one) for one, other in pairs]
    receipts = await world.store.together(asked)
    answers = [receipt.answer["room"] for receipt in receipts if isinstance(receipt, Receipt)]
    assert len(answers) == len(asked)
    assert {(room.id, room.head, room.member_count) for room in answers} == {
        (next(iter(world.sees(world.alice))), 3, 2)
    }


async def test_a_direct_room_is_found_again_after_a_member_deleted_their_account(world: World) -> None:
    room = await world.room(CreateRoom(kind="direct", members=(world.bob.id,)))
    await world.store.journal.submit(DeleteAccount(user=world.bob.id), SYSTEM)
    assert await world.room(CreateRoom(kind="direct", members=(world.bob.id,))) == room
    names = [person.name for person in world.sees(world.alice)[room].members or ()]
    assert names == ["alice", f"deleted-{world.bob.id}"]


async def test_the_same_key_returns_the_same_room_of_any_kind(world: World) -> None:
    kinds: list[dict[str, Any]] = [
        {"name": "A"}, {"kind": "private", "name": "B", "members": [world.bob.id], "topic": "t"},
        {"kind": "direct", "members": [world.bob.id]}, {"kind": "direct", "members": [world.bob.id]},
    ]  # fmt: skip
    for number, given in enumerate(kinds):
        command = CreateRoom.model_validate({**given, "key": f"k{number}"})
        assert await world.do(command) == await world.do(command)
        for other in ({"topic": "another"}, {"description": "another"}, {"members": [world.carol.id]}):
            with pytest.raises(Conflict):
                await world.do(CreateRoom.model_validate({**given, **other, "key": f"k{number}"}))
    assert len(world.sees(world.alice)) == 3


async def test_the_same_key_returns_the_rooms_current_state(world: World) -> None:
    made = CreateRoom(kind="private", name="Plans", members=(world.bob.id,), key="k")
    first = await world.do(made)
    room = await world.room(made)
    await world.do(SendMessage(room=room, key="1", body="hello"), world.bob)
    again = await world.do(made)
    assert again["room"] == world.sees(world.alice)[room].model_dump(exclude_none=True)
    assert (again["seq"], again["topic"]) == (first["seq"], first["topic"])
    await world.do(SetMemberRole(room=room, user=world.bob.id, role=RoomRole.OWNER))
    await world.do(LeaveRoom(room=room))
    late = await world.do(made)
    assert isinstance(first["room"], dict)
    assert late["room"] == {name: value for name, value in first["room"].items() if name not in rooms.MEMBER_FIELDS} | {
        "joined": False
    }
    assert late["seq"] == first["seq"]


async def test_a_key_stored_before_rooms_had_kinds_still_returns_its_room(world: World) -> None:
    """For a plain public room the hash covers the name alone, as in the first version."""
    await world.do(CreateRoom(name="Old", key="k"))
    assert world.store.rows("SELECT hash FROM answers") == [(sha256(b"Old").hexdigest(),)]


async def test_only_active_users_with_an_account_can_be_members_of_a_new_room(world: World) -> None:
    await world.store.journal.submit(SetDisabled(user=world.carol.id, disabled=True), SYSTEM)
    for kind in ("public", "private", "direct"):
        name = None if kind == "direct" else "Plans"
        for user, refusal in ((NOBODY, NotFound), (world.carol.id, NotFound), (world.guest.id, Forbidden)):
            with pytest.raises(refusal):
                await world.do(CreateRoom(kind=kind, name=name, members=(world.bob.id, user)))
    with pytest.raises(Forbidden):
        await world.do(CreateRoom(kind="direct", members=(world.bob.id,)), world.guest)
    assert world.sees(world.alice) == {}
    assert world.published(user_topic(world.bob.id)) == ["room.added"], "the only room.added is for the lobby"


async def test_fields_of_a_new_room_are_accepted_at_their_limits_and_refused_beyond(world: World) -> None:
    crowd = [(await world.store.person(f"crowd{number}")).id for number in range(MAX_INVITED)]
    fits = {"kind": "private", "name": "x" * 64, "topic": "t" * MAX_TOPIC, "description": "d" * MAX_DESCRIPTION}
    room = await world.room(CreateRoom.model_validate({**fits, "members": crowd}))
    assert world.sees(world.alice)[room].member_count == 1 + MAX_INVITED
    most = [await world.room(CreateRoom.model_validate({"kind": "direct", "members": crowd[: MAX_DIRECT - 1]}))]
    assert len(world.sees(world.alice)[most[0]].members or ()) == MAX_DIRECT
    with pytest.raises(BadRequest, match="at most 10"):
        await world.do(CreateRoom.model_validate({"kind": "direct", "members": crowd[:MAX_DIRECT]}))
    wrong: list[dict[str, Any]] = [
        {"topic": "t" * (MAX_TOPIC + 1)}, {"topic": "two\nlines"}, {"description": "d" * (MAX_DESCRIPTION + 1)},
        {"members": [*crowd, NOBODY]}, {"kind": "secret"}, {"history": "some"}, {"name": None}, {"name": "x" * 65},
        {"kind": "direct"}, {"kind": "direct", "name": None, "history": "joined"},
        {"kind": "direct", "name": None, "members": crowd[: MAX_DIRECT + 1]},
    ]  # fmt: skip
    for change in wrong:
        with pytest.raises(ValidationError):
            CreateRoom.model_validate({**fits, "members": [], **change})


async def test_two_users_who_write_to_each_other_at_once_on_two_nodes_share_one_room(postgres_server: Postgres) -> None:
    address = postgres_server.fresh()
    async with store_at(address) as first, store_at(address) as second:
        people = [await first.person(f"person{number}") for number in range(8)]

        async def write(store: Store, me: int, other: int) -> object:
            command = CreateRoom(kind="direct", members=(people[other].id,))
            room = (await insist(store, command, people[me])).answer["room"]
            return room.id

        pairs = [(one, other) for one in range(0, 8, 2) for other in range(1, 8, 2)]
        asked = [write(store, *pair) for pair in pairs for store, pair in ((first, pair), (second, pair[::-1]))]
        given = await asyncio.gather(*asked)
        assert given[::2] == given[1::2]
        assert first.rows("SELECT count(*) FROM rooms WHERE kind = 'direct'") == [(len(pairs),)]
    postgres_server.drop(address)
