"""Updating, archiving and restoring rooms, and each user's settings for them."""

from collections.abc import Sequence
from typing import Any

import pytest

from hubbub.domain.commands import (
    ArchiveRoom,
    Command,
    CreateRoom,
    EventsSince,
    JoinRoom,
    RestoreRoom,
    SetMemberRole,
    SetRoomPreferences,
    UpdateRoom,
)
from hubbub.domain.errors import BadRequest, Conflict, Forbidden, HubbubError, NotFound
from hubbub.domain.model import LOBBY, Actor, RoomRole, room_topic, user_topic
from hubbub.features import sync
from hubbub.storage import log
from tests.rooms.conftest import World


@pytest.fixture
async def room(world: World) -> int:
    """A public room of alice with bob in it."""
    found = await world.room(CreateRoom(name="Plans", topic="What next"))
    await world.do(JoinRoom(room=found), world.bob)
    return found


async def refused(world: World, error: type[HubbubError], command: Command, *people: Actor) -> None:
    for who in people:
        with pytest.raises(error):
            await world.do(command, who)


def last_two(world: World, topics: Sequence[str]) -> list[dict[str, Any]]:
    """Return the newest event of each topic, without its position."""
    return [world.told(topic)[-1].event.model_dump(exclude_none=True) for topic in topics]


async def test_an_update_reaches_the_rooms_members_and_every_users_directory(world: World, room: int) -> None:
    answer = await world.do(UpdateRoom(room=room, name="Deeds", topic="", description="All of it", history="all"))
    assert answer == {"topic": room_topic(room), "seq": 4}
    changes = {"name": "Deeds", "topic": "", "description": "All of it"}
    told = {"room": room, "by": world.alice.id, "name": "alice", "changes": changes}
    assert last_two(world, [room_topic(room), "site"]) == [told, told]
    seen = world.sees(world.carol)[room]
    assert (seen.name, seen.topic, seen.description, seen.history) == ("Deeds", None, "All of it", "all")
    assert await world.do(UpdateRoom(room=room, name="Deeds", topic="")) == {}
    assert await world.do(UpdateRoom(room=room)) == {}
    await world.do(CreateRoom(name="Plans"))  # The old name is free.
    for name in ("plans", "Pl\N{CYRILLIC SMALL LETTER A}ns"):
        await refused(world, Conflict, UpdateRoom(room=room, name=name), world.alice)
    await world.do(UpdateRoom(room=room, name="deeds"))  # The new name may look like the old one.
    for topic in (room_topic(room), "site"):
        entries = world.store.database.read(log.entries, topic, 0)
        assert [entry.event.topic for entry in entries] == [topic] * len(entries), (
            "other nodes read the entries with their topic"
        )


async def test_moderators_update_a_room_and_its_owner_sets_the_history_for_newcomers(world: World, room: int) -> None:
    topic, history = UpdateRoom(room=room, topic="x"), UpdateRoom(room=room, history="joined")
    await refused(world, Forbidden, topic, world.bob, world.carol, world.guest)
    await world.do(SetMemberRole(room=room, user=world.bob.id, role=RoomRole.MODERATOR))
    await world.do(topic, world.bob)
    await refused(world, Forbidden, history, world.bob)
    assert (await world.do(history, world.owner))["topic"] == room_topic(room), (
        "staff who can see the room may update it"
    )
    private = await world.room(CreateRoom(kind="private", name="Secret"))
    absent = UpdateRoom(room=private, topic="x")
    await refused(world, NotFound, absent, world.owner, world.carol)


async def test_any_member_sets_a_direct_rooms_topic_and_nothing_else_can_change(world: World) -> None:
    room = await world.room(CreateRoom(kind="direct", members=(world.bob.id,)))
    await world.do(UpdateRoom(room=room, topic="Lunch"), world.bob)
    assert world.sees(world.alice)[room].topic == "Lunch"
    for change in ({"name": "Us"}, {"history": "joined"}):
        await refused(world, BadRequest, UpdateRoom(room=room, **change), world.alice)  # type: ignore[arg-type]
    await refused(world, Forbidden, ArchiveRoom(room=room), world.alice, world.bob)
    assert world.published("site") == []


async def test_an_archived_room_is_marked_and_can_be_excluded_from_the_directory(world: World, room: int) -> None:
    await refused(world, Forbidden, ArchiveRoom(room=room), world.bob, world.carol, world.guest)
    await refused(world, Forbidden, ArchiveRoom(room=LOBBY), world.owner)
    for command, kind in ((ArchiveRoom(room=room), "room.archived"), (RestoreRoom(room=room), "room.restored")):
        archived = kind == "room.archived"
        assert (await world.do(command))["topic"] == room_topic(room)
        assert await world.do(command, world.owner) == {}
        assert [world.published(topic)[-1] for topic in (room_topic(room), "site")] == [kind, kind]
        assert world.sees(world.carol)[room].archived is archived
        assert (room in world.sees(world.carol, archived=False)) is not archived
        assert (room in world.sees(world.bob, archived=False)) is not archived
    await world.do(ArchiveRoom(room=room), world.owner)
    await refused(world, Forbidden, UpdateRoom(room=room, topic="x"), world.alice, world.owner)
    await refused(world, Forbidden, JoinRoom(room=room), world.carol)
    await refused(world, Forbidden, RestoreRoom(room=room), world.bob)


async def test_changes_of_a_private_room_are_not_published_to_the_site_topic(world: World) -> None:
    room = await world.room(CreateRoom(kind="private", name="Secret", members=(world.bob.id,)))
    for command in (UpdateRoom(room=room, name="Other"), ArchiveRoom(room=room), RestoreRoom(room=room)):
        await world.do(command)
    assert world.published(room_topic(room))[-3:] == ["room.updated", "room.archived", "room.restored"]
    assert world.published("site") == []


async def test_users_change_their_own_settings_also_in_an_archived_room(world: World, room: int) -> None:
    await world.do(ArchiveRoom(room=room))
    topic = user_topic(world.bob.id)
    for given, wanted in (
        ({"muted": True}, (False, True)),
        ({"favourite": True}, (True, True)),
        ({"favourite": False, "muted": False}, (False, False)),
    ):
        command = SetRoomPreferences.model_validate({"room": room, **given})
        answer = await world.do(command, world.bob)
        assert answer == {"topic": topic, "seq": world.told(topic)[-1].seq}
        assert last_two(world, [topic]) == [{"room": room, "favourite": wanted[0], "muted": wanted[1]}]
        seen = world.sees(world.bob)[room]
        assert (seen.favourite, seen.muted) == wanted
        assert await world.do(command, world.bob) == {}
    assert world.sees(world.alice)[room].muted is False
    await refused(world, NotFound, SetRoomPreferences(room=room, muted=True), world.carol, world.owner)
    assert await world.do(SetRoomPreferences(room=LOBBY, muted=True), world.guest) != {}


async def test_events_from_before_a_members_join_cannot_be_read(world: World, room: int) -> None:
    await world.do(UpdateRoom(room=room, topic="Before carol"))
    joined = await world.do(JoinRoom(room=room), world.carol)
    floor = world.sees(world.carol)[room].floor
    assert floor == int(str(joined["seq"])) - 1
    for after, is_reset in ((floor - 1, True), (floor, False)):
        query = EventsSince(topic=room_topic(room), after=after)
        page = world.store.database.read(sync.events_since, world.carol.id, True, query)
        assert page.get("reset", False) is is_reset
