"""What happens to a room when its last member leaves, on each engine."""

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
from tests.members.test_handlers import roles
from tests.rooms.conftest import Hall


@pytest.mark.parametrize("goes", ["leaves", "is deleted"])
@pytest.mark.parametrize("kind", ["private", "public"])
async def test_a_private_room_is_archived_when_its_last_member_leaves_and_a_public_one_stays_open(
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


async def test_an_archived_room_is_not_archived_again_when_its_last_member_leaves(hall: Hall) -> None:
    room = await hall.room(CreateRoom(kind="private", name="A room"))
    await hall.do(ArchiveRoom(room=room))
    await hall.do(LeaveRoom(room=room))
    assert hall.published(room_topic(room))[-2:] == ["room.archived", "member.left"]


@pytest.mark.parametrize("goes", ["leaves", "is deleted"])
async def test_the_first_member_to_join_an_empty_room_becomes_its_owner(hall: Hall, goes: str) -> None:
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


async def test_a_user_who_joins_a_room_with_a_disabled_owner_becomes_its_owner(hall: Hall) -> None:
    room = await hall.room(CreateRoom(name="A room"))
    await hall.do(SetDisabled(user=hall.alice.id, disabled=True), SYSTEM)
    await hall.do(JoinRoom(room=room), hall.bob)
    assert hall.published(room_topic(room))[-3:] == ["member.joined", "member.role", "member.role"]
    assert roles(hall, room, hall.bob) == {"alice": "moderator", "bob": "owner"}
    with pytest.raises(Conflict, match="locked out"):
        await hall.do(SetRoomRole(room=room, user=hall.alice.id, role=RoomRole.OWNER), hall.bob)
    await hall.do(LeaveRoom(room=room), hall.bob)
    await hall.do(SetDisabled(user=hall.alice.id, disabled=False), SYSTEM)
    assert roles(hall, room) == {"alice": "owner"}, "there was no other member to take it over"


async def test_an_owner_whose_other_members_are_disabled_may_leave_a_private_room(hall: Hall) -> None:
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
