"""Rooms are made public, private and direct; nobody finds out about others' by making his own."""

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
    SetRoomRole,
)
from hubbub.domain.errors import BadRequest, Conflict, Forbidden, NotFound
from hubbub.domain.events import MemberJoined, RoomAdded
from hubbub.domain.model import SYSTEM, RoomRole, room_topic, user_topic
from hubbub.domain.text import MAX_DESCRIPTION, MAX_DIRECT, MAX_INVITED, MAX_TOPIC
from hubbub.engine.batch import Receipt
from hubbub.features import people, rooms, sync
from hubbub.storage import members
from tests.engine.conftest import Desk, desk_at
from tests.engine.test_two_nodes import insist
from tests.rooms.conftest import Hall
from tests.support.postgres import Postgres

NOBODY = 999_999_999


async def test_a_private_room_has_its_members_from_the_start_and_nobody_else_sees_it(hall: Hall) -> None:
    made = {"kind": "private", "name": "Plans", "topic": "What next", "description": "All of it", "history": "joined"}
    room = await hall.room(CreateRoom.model_validate({**made, "members": [hall.bob.id, hall.bob.id, hall.alice.id]}))
    for who, role, seq in ((hall.alice, RoomRole.OWNER, 2), (hall.bob, RoomRole.MEMBER, 3)):
        seen = hall.sees(who)[room]
        assert made.items() <= seen.model_dump().items()
        assert (seen.role, seen.members, seen.head, seen.floor, seen.unread, seen.mentions) == (
            role,
            2,
            3,
            seq - 1,
            0,
            0,
        )
        own = hall.desk.database.read(members.find, room, who.id)
        assert own is not None
        assert (own.joined_seq, own.sees_from, own.members) == (seq, seq, 2)
        added = hall.told(user_topic(who.id))[-1].event
        assert isinstance(added, RoomAdded)
        # Who hears of his own joining counts himself then.
        assert (added.room.id, added.room.head, added.room.members) == (room, seq - 1, seq - 2)
    joined = [entry.event for entry in hall.told(room_topic(room)) if isinstance(entry.event, MemberJoined)]
    assert [(event.user, event.by) for event in joined] == [(who.id, hall.alice.id) for who in (hall.alice, hall.bob)]
    assert hall.published(room_topic(room)) == ["room.created", "member.joined", "member.joined"]
    assert hall.published("site") == []
    for stranger in (hall.carol, hall.owner, hall.guest):
        assert room not in hall.sees(stranger)
        with pytest.raises(NotFound):
            hall.desk.database.read(rooms.detail, stranger.id, room)
        with pytest.raises(NotFound):
            hall.desk.database.read(sync.events_since, stranger.id, True, EventsSince(topic=f"room:{room}", after=0))


async def test_private_rooms_may_have_one_name_public_ones_may_not(hall: Hall) -> None:
    await hall.do(CreateRoom(name="Plans"))
    first, second = [await hall.room(CreateRoom(kind="private", name="Plans")) for _ in range(2)]
    assert first != second
    with pytest.raises(Conflict):
        await hall.do(CreateRoom(name="plans"))


async def test_a_direct_room_is_found_again_by_its_people_whoever_asks(hall: Hall) -> None:
    room = await hall.room(CreateRoom(kind="direct", members=(hall.bob.id, hall.carol.id)))
    for who, others in ((hall.bob, (hall.carol, hall.alice)), (hall.alice, (hall.carol, hall.bob, hall.alice))):
        again = await hall.do(CreateRoom(kind="direct", members=tuple(other.id for other in others)), who)
        assert isinstance(again["room"], dict)
        assert (again["room"]["id"], again["room"]["head"], again["seq"]) == (room, 4, 4)
        assert [person["name"] for person in again["room"]["people"]] == ["alice", "bob", "carol"]
    assert await hall.room(CreateRoom(kind="direct", members=(hall.bob.id,))) != room
    notes = await hall.room(CreateRoom(kind="direct"))
    assert notes == await hall.room(CreateRoom(kind="direct", members=(hall.alice.id,)))
    assert hall.sees(hall.alice)[notes].members == 1
    assert {seen.role for seen in hall.sees(hall.alice).values()} == {RoomRole.MEMBER}, "nobody is above the others"
    assert room not in hall.sees(hall.owner)
    assert hall.published("site") == []


async def test_a_direct_room_is_made_once_by_a_batch_in_which_many_ask_for_it(hall: Hall) -> None:
    pairs = [(hall.alice, hall.bob), (hall.alice, hall.bob), (hall.bob, hall.alice), (hall.alice, hall.bob)]
    asked = [(CreateRoom(kind="direct", members=(other.id,)), one) for one, other in pairs]
    receipts = await hall.desk.together(asked)
    answers = [receipt.answer["room"] for receipt in receipts if isinstance(receipt, Receipt)]
    assert len(answers) == len(asked)
    assert {(room["id"], room["head"], room["members"]) for room in answers if isinstance(room, dict)} == {
        (next(iter(hall.sees(hall.alice))), 3, 2)
    }


async def test_a_direct_room_is_found_again_after_one_of_its_people_has_gone(hall: Hall) -> None:
    room = await hall.room(CreateRoom(kind="direct", members=(hall.bob.id,)))
    await hall.desk.journal.submit(DeleteAccount(user=hall.bob.id), SYSTEM)
    assert await hall.room(CreateRoom(kind="direct", members=(hall.bob.id,))) == room
    names = [person.name for person in hall.sees(hall.alice)[room].people or ()]
    assert names == ["alice", f"deleted-{hall.bob.id}"]


async def test_the_same_key_gives_the_same_room_whatever_its_kind(hall: Hall) -> None:
    kinds: list[dict[str, Any]] = [
        {"name": "A"}, {"kind": "private", "name": "B", "members": [hall.bob.id], "topic": "t"},
        {"kind": "direct", "members": [hall.bob.id]}, {"kind": "direct", "members": [hall.bob.id]},
    ]  # fmt: skip
    for number, given in enumerate(kinds):
        command = CreateRoom.model_validate({**given, "key": f"k{number}"})
        assert await hall.do(command) == await hall.do(command)
        for other in ({"topic": "another"}, {"description": "another"}, {"members": [hall.carol.id]}):
            with pytest.raises(Conflict):
                await hall.do(CreateRoom.model_validate({**given, **other, "key": f"k{number}"}))
    assert len(hall.sees(hall.alice)) == 3


async def test_the_same_key_gives_the_room_as_it_is_by_then(hall: Hall) -> None:
    made = CreateRoom(kind="private", name="Plans", members=(hall.bob.id,), key="k")
    first = await hall.do(made)
    room = await hall.room(made)
    await hall.do(SendMessage(room=room, key="1", body="hello"), hall.bob)
    again = await hall.do(made)
    assert again["room"] == hall.sees(hall.alice)[room].model_dump(exclude_none=True)
    assert (again["seq"], again["topic"]) == (first["seq"], first["topic"])
    await hall.do(SetRoomRole(room=room, user=hall.bob.id, role=RoomRole.OWNER))
    await hall.do(LeaveRoom(room=room))
    late = await hall.do(made)
    assert isinstance(first["room"], dict)
    assert late["room"] == {name: value for name, value in first["room"].items() if name not in rooms.MEMBER_FIELDS} | {
        "joined": False
    }
    assert late["seq"] == first["seq"]


async def test_a_key_from_before_there_were_kinds_still_gives_its_room(hall: Hall) -> None:
    """Of a plain public room the key stands for the name alone, as it always did."""
    await hall.do(CreateRoom(name="Old", key="k"))
    assert hall.desk.rows("SELECT hash FROM answers") == [(sha256(b"Old").hexdigest(),)]


async def test_only_people_who_can_come_are_put_into_a_room(hall: Hall) -> None:
    await hall.desk.journal.submit(SetDisabled(user=hall.carol.id, disabled=True), SYSTEM)
    for kind in ("public", "private", "direct"):
        name = None if kind == "direct" else "Plans"
        for user, refusal in ((NOBODY, NotFound), (hall.carol.id, NotFound), (hall.guest.id, Forbidden)):
            with pytest.raises(refusal):
                await hall.do(CreateRoom(kind=kind, name=name, members=(hall.bob.id, user)))
    with pytest.raises(Forbidden):
        await hall.do(CreateRoom(kind="direct", members=(hall.bob.id,)), hall.guest)
    assert hall.sees(hall.alice) == {}
    assert hall.published(user_topic(hall.bob.id)) == ["room.added"], "of the lobby"


async def test_limits_of_a_room_and_one_past_them(hall: Hall) -> None:
    crowd = [(await hall.desk.person(f"crowd{number}")).id for number in range(MAX_INVITED)]
    fits = {"kind": "private", "name": "x" * 64, "topic": "t" * MAX_TOPIC, "description": "d" * MAX_DESCRIPTION}
    room = await hall.room(CreateRoom.model_validate({**fits, "members": crowd}))
    assert hall.sees(hall.alice)[room].members == 1 + MAX_INVITED
    most = [await hall.room(CreateRoom.model_validate({"kind": "direct", "members": crowd[: MAX_DIRECT - 1]}))]
    assert len(hall.sees(hall.alice)[most[0]].people or ()) == MAX_DIRECT
    with pytest.raises(BadRequest, match="at most 10"):
        await hall.do(CreateRoom.model_validate({"kind": "direct", "members": crowd[:MAX_DIRECT]}))
    wrong: list[dict[str, Any]] = [
        {"topic": "t" * (MAX_TOPIC + 1)}, {"topic": "two\nlines"}, {"description": "d" * (MAX_DESCRIPTION + 1)},
        {"members": [*crowd, NOBODY]}, {"kind": "secret"}, {"history": "some"}, {"name": None}, {"name": "x" * 65},
        {"kind": "direct"}, {"kind": "direct", "name": None, "history": "joined"},
        {"kind": "direct", "name": None, "members": crowd[: MAX_DIRECT + 1]},
    ]  # fmt: skip
    for change in wrong:
        with pytest.raises(ValidationError):
            CreateRoom.model_validate({**fits, "members": [], **change})


async def test_people_are_found_by_how_their_names_begin_or_look(hall: Hall) -> None:
    gone, locked = await hall.desk.person("alfred"), await hall.desk.person("alma")
    await hall.desk.journal.submit(DeleteAccount(user=gone.id), SYSTEM)
    await hall.desk.journal.submit(SetDisabled(user=locked.id, disabled=True), SYSTEM)
    more = [await hall.desk.person(name) for name in ("al_bert", "al-bert")]

    def found(beginning: str, after: int = 0, limit: int = 50) -> tuple[list[int], bool]:
        page = hall.desk.database.read(people.search, hall.bob, beginning, after, limit)
        assert isinstance(page["people"], list)
        return [person["id"] for person in page["people"]], bool(page["more"])

    assert found("AL") == ([hall.alice.id, more[0].id, more[1].id], False)
    assert found("\N{CYRILLIC SMALL LETTER A}l") == found("al")
    assert found("al_") == ([more[0].id], False), "no pattern"
    assert found("%") == ([], False)
    assert found("al", limit=2) == ([hall.alice.id, more[0].id], True)
    assert found("al", after=more[0].id, limit=2) == ([more[1].id], False)
    assert len(found("")[0]) == 6
    with pytest.raises(Forbidden):
        hall.desk.database.read(people.search, hall.guest, "", 0, 50)


async def test_two_who_write_to_each_other_at_once_on_two_nodes_share_one_room(postgres_server: Postgres) -> None:
    address = postgres_server.fresh()
    async with desk_at(address) as first, desk_at(address) as second:
        people = [await first.person(f"person{number}") for number in range(8)]

        async def write(desk: Desk, me: int, other: int) -> object:
            command = CreateRoom(kind="direct", members=(people[other].id,))
            room = (await insist(desk, command, people[me])).answer["room"]
            assert isinstance(room, dict)
            return room["id"]

        pairs = [(one, other) for one in range(0, 8, 2) for other in range(1, 8, 2)]
        asked = [write(desk, *pair) for pair in pairs for desk, pair in ((first, pair), (second, pair[::-1]))]
        given = await asyncio.gather(*asked)
        assert given[::2] == given[1::2]
        assert first.rows("SELECT count(*) FROM rooms WHERE kind = 'direct'") == [(len(pairs),)]
    postgres_server.drop(address)
