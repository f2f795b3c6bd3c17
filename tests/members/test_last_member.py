"""What happens to a room when its last member leaves, on each engine."""

import pytest

from hubbub.domain.commands import (
    AddMember,
    ArchiveRoom,
    CreateRoom,
    DeleteAccount,
    JoinRoom,
    LeaveRoom,
    RemoveMember,
    SetDisabled,
    SetMemberRole,
)
from hubbub.domain.errors import Conflict, Forbidden
from hubbub.domain.model import LOBBY, SYSTEM, RoomRole, room_topic
from tests.members.test_handlers import roles
from tests.rooms.conftest import World


@pytest.mark.parametrize("goes", ["leaves", "is deleted"])
@pytest.mark.parametrize("kind", ["private", "public"])
async def test_a_private_room_is_archived_when_its_last_member_leaves_and_a_public_one_stays_open(
    world: World, kind: str, goes: str
) -> None:
    room = await world.room(CreateRoom.model_validate({"kind": kind, "name": "A room"}))
    await world.do(AddMember(room=room, user=world.bob.id))
    await world.do(RemoveMember(room=room, user=world.bob.id))
    told = len(world.told(room_topic(room)))
    if goes == "leaves":
        await world.do(LeaveRoom(room=room))
    else:
        await world.do(DeleteAccount(user=world.alice.id), SYSTEM)
    last_words = [entry.event for entry in world.told(room_topic(room))[told:]]
    assert [event.type for event in last_words] == ["room.archived"] * (kind == "private") + ["member.left"]
    assert getattr(last_words[0], "by", None) == world.alice.id
    assert world.store.rows(f"SELECT archived, members FROM rooms WHERE id = {room}") == [(kind == "private", 0)]


async def test_an_archived_room_is_not_archived_again_when_its_last_member_leaves(world: World) -> None:
    room = await world.room(CreateRoom(kind="private", name="A room"))
    await world.do(ArchiveRoom(room=room))
    await world.do(LeaveRoom(room=room))
    assert world.published(room_topic(room))[-2:] == ["room.archived", "member.left"]


@pytest.mark.parametrize("goes", ["leaves", "is deleted"])
async def test_the_first_member_to_join_an_empty_room_becomes_its_owner(world: World, goes: str) -> None:
    room = await world.room(CreateRoom(name="A room"))
    if goes == "leaves":
        await world.do(LeaveRoom(room=room))
    else:
        await world.do(DeleteAccount(user=world.alice.id), SYSTEM)
    answer = await world.do(JoinRoom(room=room), world.bob)
    assert world.published(room_topic(room))[-2:] == ["member.joined", "member.role_changed"]
    seen = world.sees(world.bob)[room]
    assert (answer["room"], seen.role) == (seen.model_dump(exclude_none=True), RoomRole.OWNER)
    await world.do(JoinRoom(room=room), world.carol)
    assert roles(world, room, world.bob) == {"bob": "owner", "carol": "member"}
    await world.do(ArchiveRoom(room=room), world.bob)


async def test_a_user_who_joins_a_room_with_a_disabled_owner_becomes_its_owner(world: World) -> None:
    room = await world.room(CreateRoom(name="A room"))
    await world.do(SetDisabled(user=world.alice.id, disabled=True), SYSTEM)
    await world.do(JoinRoom(room=room), world.bob)
    assert world.published(room_topic(room))[-3:] == ["member.joined", "member.role_changed", "member.role_changed"]
    assert roles(world, room, world.bob) == {"alice": "moderator", "bob": "owner"}
    with pytest.raises(Conflict, match="disabled"):
        await world.do(SetMemberRole(room=room, user=world.alice.id, role=RoomRole.OWNER), world.bob)
    await world.do(LeaveRoom(room=room), world.bob)
    await world.do(SetDisabled(user=world.alice.id, disabled=False), SYSTEM)
    assert roles(world, room) == {"alice": "owner"}, "there was no other member to take it over"


async def test_an_owner_whose_other_members_are_disabled_may_leave_a_private_room(world: World) -> None:
    room = await world.room(CreateRoom(kind="private", name="A room", members=(world.bob.id, world.carol.id)))
    with pytest.raises(Forbidden, match="owner first"):
        await world.do(LeaveRoom(room=room))
    for person in (world.bob, world.carol):
        await world.do(SetDisabled(user=person.id, disabled=True), SYSTEM)
    await world.do(LeaveRoom(room=room))
    assert world.store.rows(f"SELECT archived FROM rooms WHERE id = {room}") == [(False,)]
    await world.do(SetDisabled(user=world.carol.id, disabled=False), SYSTEM)
    assert roles(world, room, world.carol) == {"bob": "moderator", "carol": "owner"}
    assert "member.role_changed" not in world.published(room_topic(LOBBY))
