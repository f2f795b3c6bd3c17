"""Who goes last: what becomes of the room, on each engine."""

import pytest

from hubbub.domain.commands import (
    ArchiveRoom,
    CreateRoom,
    DeleteAccount,
    InviteMember,
    JoinRoom,
    LeaveRoom,
    RemoveMember,
    SetDisabled,
    SetRoomRole,
)
from hubbub.domain.errors import Conflict, Forbidden
from hubbub.domain.model import LOBBY, SYSTEM, RoomRole, room_topic
from tests.members.test_deeds import roles
from tests.rooms.conftest import Hall


@pytest.mark.parametrize("goes", ["leaves", "is deleted"])
@pytest.mark.parametrize("kind", ["private", "public"])
async def test_a_private_room_that_the_last_one_leaves_is_archived_and_a_public_one_stays_open(
    hall: Hall, kind: str, goes: str
) -> None:
    room = await hall.room(CreateRoom.model_validate({"kind": kind, "name": "A room"}))
    await hall.do(InviteMember(room=room, user=hall.bob.id))
    await hall.do(RemoveMember(room=room, user=hall.bob.id))
    told = len(hall.told(room_topic(room)))
    if goes == "leaves":
        await hall.do(LeaveRoom(room=room))
    else:
        await hall.do(DeleteAccount(user=hall.alice.id), SYSTEM)
    last_words = [entry.event for entry in hall.told(room_topic(room))[told:]]
    assert [event.type for event in last_words] == ["room.archived"] * (kind == "private") + ["member.left"]
    assert getattr(last_words[0], "by", None) == hall.alice.id
    assert hall.desk.rows(f"SELECT archived, members FROM rooms WHERE id = {room}") == [(kind == "private", 0)]


async def test_an_archived_room_that_the_last_one_leaves_says_so_once(hall: Hall) -> None:
    room = await hall.room(CreateRoom(kind="private", name="A room"))
    await hall.do(ArchiveRoom(room=room))
    await hall.do(LeaveRoom(room=room))
    assert hall.published(room_topic(room))[-2:] == ["room.archived", "member.left"]


@pytest.mark.parametrize("goes", ["leaves", "is deleted"])
async def test_a_room_that_was_nobodys_is_looked_after_by_who_comes_first(hall: Hall, goes: str) -> None:
    room = await hall.room(CreateRoom(name="A room"))
    if goes == "leaves":
        await hall.do(LeaveRoom(room=room))
    else:
        await hall.do(DeleteAccount(user=hall.alice.id), SYSTEM)
    answer = await hall.do(JoinRoom(room=room), hall.bob)
    assert hall.published(room_topic(room))[-2:] == ["member.joined", "member.role"]
    seen = hall.sees(hall.bob)[room]
    assert (answer["room"], seen.role) == (seen.model_dump(exclude_none=True), RoomRole.OWNER)
    await hall.do(JoinRoom(room=room), hall.carol)
    assert roles(hall, room, hall.bob) == {"bob": "owner", "carol": "member"}
    await hall.do(ArchiveRoom(room=room), hall.bob)


async def test_a_room_whose_owner_is_locked_out_is_looked_after_by_who_comes_in(hall: Hall) -> None:
    room = await hall.room(CreateRoom(name="A room"))
    await hall.do(SetDisabled(user=hall.alice.id, disabled=True), SYSTEM)
    await hall.do(JoinRoom(room=room), hall.bob)
    assert hall.published(room_topic(room))[-3:] == ["member.joined", "member.role", "member.role"]
    assert roles(hall, room, hall.bob) == {"alice": "moderator", "bob": "owner"}
    with pytest.raises(Conflict, match="disabled"):
        await hall.do(SetRoomRole(room=room, user=hall.alice.id, role=RoomRole.OWNER), hall.bob)
    await hall.do(LeaveRoom(room=room), hall.bob)
    await hall.do(SetDisabled(user=hall.alice.id, disabled=False), SYSTEM)
    assert roles(hall, room) == {"alice": "owner"}, "there was nobody else to leave it to"


async def test_an_owner_among_people_who_are_locked_out_may_leave_a_private_room(hall: Hall) -> None:
    room = await hall.room(CreateRoom(kind="private", name="A room", members=(hall.bob.id, hall.carol.id)))
    with pytest.raises(Forbidden, match="owner first"):
        await hall.do(LeaveRoom(room=room))
    for person in (hall.bob, hall.carol):
        await hall.do(SetDisabled(user=person.id, disabled=True), SYSTEM)
    await hall.do(LeaveRoom(room=room))
    assert hall.desk.rows(f"SELECT archived FROM rooms WHERE id = {room}") == [(False,)]
    await hall.do(SetDisabled(user=hall.carol.id, disabled=False), SYSTEM)
    assert roles(hall, room, hall.carol) == {"bob": "moderator", "carol": "owner"}
    assert "member.role" not in hall.published(room_topic(LOBBY))
