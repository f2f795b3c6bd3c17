"""Who goes last: what becomes of the room, on each engine."""

import pytest

from hubbub.domain.commands import ArchiveRoom, CreateRoom, DeleteAccount, InviteMember, LeaveRoom, RemoveMember
from hubbub.domain.model import SYSTEM, room_topic
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
