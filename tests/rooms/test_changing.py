"""Rooms are changed, put away and fetched back, by those who may; and are to each what he wants them to be."""

from collections.abc import Sequence
from typing import Any

import pytest

from hubbub.domain.commands import (
    ArchiveRoom,
    ChangeSettings,
    Command,
    CreateRoom,
    EventsSince,
    JoinRoom,
    RestoreRoom,
    SetRoomRole,
    UpdateRoom,
)
from hubbub.domain.errors import BadRequest, Conflict, Forbidden, HubbubError, NotFound
from hubbub.domain.model import LOBBY, Actor, RoomRole, room_topic, user_topic
from hubbub.features import sync
from hubbub.storage import log
from tests.rooms.conftest import Hall


@pytest.fixture
async def room(hall: Hall) -> int:
    """A public one of alice's, with bob in it."""
    found = await hall.room(CreateRoom(name="Plans", topic="What next"))
    await hall.do(JoinRoom(room=found), hall.bob)
    return found


async def refused(hall: Hall, error: type[HubbubError], command: Command, *people: Actor) -> None:
    for who in people:
        with pytest.raises(error):
            await hall.do(command, who)


def last_two(hall: Hall, topics: Sequence[str]) -> list[dict[str, Any]]:
    """The newest event of each topic, without its position."""
    return [hall.told(topic)[-1].event.model_dump(exclude_none=True) for topic in topics]


async def test_a_room_changes_for_its_members_and_in_everybodys_directory(hall: Hall, room: int) -> None:
    answer = await hall.do(UpdateRoom(room=room, name="Deeds", topic="", description="All of it", history="all"))
    assert answer == {"topic": room_topic(room), "seq": 4}
    changes = {"name": "Deeds", "topic": "", "description": "All of it"}
    told = {"room": room, "by": hall.alice.id, "name": "alice", "changes": changes}
    assert last_two(hall, [room_topic(room), "site"]) == [told, told]
    seen = hall.sees(hall.carol)[room]
    assert (seen.name, seen.topic, seen.description, seen.history) == ("Deeds", None, "All of it", "all")
    assert await hall.do(UpdateRoom(room=room, name="Deeds", topic="")) == {}
    assert await hall.do(UpdateRoom(room=room)) == {}
    await hall.do(CreateRoom(name="Plans"))  # the old name is free
    for name in ("plans", "Pl\N{CYRILLIC SMALL LETTER A}ns"):
        await refused(hall, Conflict, UpdateRoom(room=room, name=name), hall.alice)
    await hall.do(UpdateRoom(room=room, name="deeds"))  # it may look like itself
    for topic in (room_topic(room), "site"):
        entries = hall.desk.database.read(log.entries, topic, 0)
        assert [entry.event.topic for entry in entries] == [topic] * len(entries), "as other nodes read them"


async def test_who_looks_after_a_room_changes_it_and_its_owner_says_how_far_newcomers_read(
    hall: Hall, room: int
) -> None:
    topic, history = UpdateRoom(room=room, topic="x"), UpdateRoom(room=room, history="joined")
    await refused(hall, Forbidden, topic, hall.bob, hall.carol, hall.guest)
    await hall.do(SetRoomRole(room=room, user=hall.bob.id, role=RoomRole.MODERATOR))
    await hall.do(topic, hall.bob)
    await refused(hall, Forbidden, history, hall.bob)
    assert (await hall.do(history, hall.owner))["topic"] == room_topic(room), "the site's staff, as it sees the room"
    private = await hall.room(CreateRoom(kind="private", name="Secret"))
    absent = UpdateRoom(room=private, topic="x")
    await refused(hall, NotFound, absent, hall.owner, hall.carol)


async def test_a_direct_room_has_a_topic_of_everybodys_and_nothing_else_to_change(hall: Hall) -> None:
    room = await hall.room(CreateRoom(kind="direct", members=(hall.bob.id,)))
    await hall.do(UpdateRoom(room=room, topic="Lunch"), hall.bob)
    assert hall.sees(hall.alice)[room].topic == "Lunch"
    for change in ({"name": "Us"}, {"history": "joined"}):
        await refused(hall, BadRequest, UpdateRoom(room=room, **change), hall.alice)  # type: ignore[arg-type]
    await refused(hall, Forbidden, ArchiveRoom(room=room), hall.alice, hall.bob)
    assert hall.published("site") == []


async def test_an_archived_room_is_marked_and_can_be_left_out(hall: Hall, room: int) -> None:
    await refused(hall, Forbidden, ArchiveRoom(room=room), hall.bob, hall.carol, hall.guest)
    await refused(hall, Forbidden, ArchiveRoom(room=LOBBY), hall.owner)
    for command, kind in ((ArchiveRoom(room=room), "room.archived"), (RestoreRoom(room=room), "room.restored")):
        archived = kind == "room.archived"
        assert (await hall.do(command))["topic"] == room_topic(room)
        assert await hall.do(command, hall.owner) == {}
        assert [hall.published(topic)[-1] for topic in (room_topic(room), "site")] == [kind, kind]
        assert hall.sees(hall.carol)[room].archived is archived
        assert (room in hall.sees(hall.carol, archived=False)) is not archived
        assert (room in hall.sees(hall.bob, archived=False)) is not archived
    await hall.do(ArchiveRoom(room=room), hall.owner)
    await refused(hall, Forbidden, UpdateRoom(room=room, topic="x"), hall.alice, hall.owner)
    await refused(hall, Forbidden, JoinRoom(room=room), hall.carol)
    await refused(hall, Forbidden, RestoreRoom(room=room), hall.bob)


async def test_what_a_private_room_does_is_not_told_to_the_site(hall: Hall) -> None:
    room = await hall.room(CreateRoom(kind="private", name="Secret", members=(hall.bob.id,)))
    for command in (UpdateRoom(room=room, name="Other"), ArchiveRoom(room=room), RestoreRoom(room=room)):
        await hall.do(command)
    assert hall.published(room_topic(room))[-3:] == ["room.updated", "room.archived", "room.restored"]
    assert hall.published("site") == []


async def test_settings_are_ones_own_also_in_an_archived_room(hall: Hall, room: int) -> None:
    await hall.do(ArchiveRoom(room=room))
    topic = user_topic(hall.bob.id)
    for given, wanted in (
        ({"muted": True}, (False, True)),
        ({"favourite": True}, (True, True)),
        ({"favourite": False, "muted": False}, (False, False)),
    ):
        command = ChangeSettings.model_validate({"room": room, **given})
        answer = await hall.do(command, hall.bob)
        assert answer == {"topic": topic, "seq": hall.told(topic)[-1].seq}
        assert last_two(hall, [topic]) == [{"room": room, "favourite": wanted[0], "muted": wanted[1]}]
        seen = hall.sees(hall.bob)[room]
        assert (seen.favourite, seen.muted) == wanted
        assert await hall.do(command, hall.bob) == {}
    assert hall.sees(hall.alice)[room].muted is False
    await refused(hall, NotFound, ChangeSettings(room=room, muted=True), hall.carol, hall.owner)
    assert await hall.do(ChangeSettings(room=LOBBY, muted=True), hall.guest) != {}


async def test_events_from_before_the_joining_are_nobodys_to_follow(hall: Hall, room: int) -> None:
    await hall.do(UpdateRoom(room=room, topic="Before carol"))
    joined = await hall.do(JoinRoom(room=room), hall.carol)
    floor = hall.sees(hall.carol)[room].floor
    assert floor == int(str(joined["seq"])) - 1
    for after, is_reset in ((floor - 1, True), (floor, False)):
        query = EventsSince(topic=room_topic(room), after=after)
        page = hall.desk.database.read(sync.events_since, hall.carol.id, True, query)
        assert page.get("reset", False) is is_reset
