"""Members of a room: adding, removing, banning, roles, and the one owner."""

import pytest

from hubbub.domain.commands import (
    AddMember,
    ArchiveRoom,
    BanMember,
    CreateRoom,
    DeleteAccount,
    JoinRoom,
    LeaveRoom,
    RemoveMember,
    SetDisabled,
    SetMemberRole,
    UnbanMember,
)
from hubbub.domain.errors import Conflict, Forbidden, HubbubError, NotFound
from hubbub.domain.events import (
    Event,
    MemberBanned,
    MemberJoined,
    MemberRoleChanged,
    MembershipEvent,
    RoomAdded,
    RoomRemoved,
)
from hubbub.domain.model import LOBBY, SYSTEM, Actor, RoomRole, room_topic, user_topic
from hubbub.domain.text import MAX_REASON
from hubbub.features import members
from tests.rooms.conftest import World

OWNER, MODERATOR, MEMBER = RoomRole.OWNER, RoomRole.MODERATOR, RoomRole.MEMBER


def roles(world: World, room: int, asker: Actor | None = None) -> dict[str, str]:
    """Return each member's role in the room."""
    page = world.store.database.read(members.listing, asker or world.alice, room, 0, 200)
    assert isinstance(page["members"], list)
    return {member["name"]: member["role"] for member in page["members"]}


def last(world: World, topic: str) -> Event:
    return world.told(topic)[-1].event


def roles_told(world: World, room: int) -> list[tuple[int, str, int]]:
    events = (entry.event for entry in world.told(room_topic(room)))
    return [(event.user, event.role.value, event.by) for event in events if isinstance(event, MemberRoleChanged)]


async def private_room(world: World, *people: Actor) -> int:
    """Create a private room of alice with these members."""
    room = await world.room(CreateRoom(kind="private", name="A room"))
    for person in people:
        await world.do(AddMember(room=room, user=person.id))
    return room


async def test_a_member_adds_users_who_are_members_at_once(world: World) -> None:
    room = await private_room(world, world.bob)
    answer = await world.do(AddMember(room=room, user=world.carol.id), world.bob)
    joined = last(world, room_topic(room))
    assert isinstance(joined, MemberJoined)
    assert (joined.user, joined.user_name, joined.by) == (world.carol.id, "carol", world.bob.id)
    assert answer == {"topic": room_topic(room), "seq": world.told(room_topic(room))[-1].seq}
    added = last(world, user_topic(world.carol.id))
    assert isinstance(added, RoomAdded)
    assert (added.room, added.details.joined, added.details.member_count) == (room, True, 2), (
        "the count in room.added excludes the new member"
    )
    assert await world.do(AddMember(room=room, user=world.carol.id)) == {}, "adding a member is idempotent"
    for missing in (999_999_999, (await gone(world)).id):
        with pytest.raises(NotFound):
            await world.do(AddMember(room=room, user=missing))
    with pytest.raises(Forbidden):
        await world.do(AddMember(room=room, user=world.guest.id))


async def gone(world: World) -> Actor:
    """Return a user whose account was deleted."""
    leaver = await world.store.person("leaver")
    await world.do(DeleteAccount(user=leaver.id), SYSTEM)
    return leaver


async def test_a_disabled_user_cannot_be_added(world: World) -> None:
    room = await private_room(world)
    await world.do(SetDisabled(user=world.bob.id, disabled=True), SYSTEM)
    with pytest.raises(NotFound):
        await world.do(AddMember(room=room, user=world.bob.id))
    assert list(roles(world, room)) == ["alice"]


async def test_a_ban_ends_the_membership_and_keeps_the_user_out_until_it_is_lifted(world: World) -> None:
    room = await world.room(CreateRoom(kind="public", name="A room"))
    await world.do(JoinRoom(room=room), world.bob)
    await world.do(BanMember(room=room, user=world.bob.id, reason="shouting"))
    banned, told = last(world, room_topic(room)), last(world, user_topic(world.bob.id))
    assert isinstance(banned, MemberBanned)
    assert (banned.user, banned.was_member) == (world.bob.id, True)
    assert isinstance(told, RoomRemoved)
    assert (told.why, told.reason) == ("banned", "shouting")
    assert "shouting" not in world.told(room_topic(room))[-1].text.decode(), "other members must not see the reason"
    with pytest.raises(Forbidden, match="banned"):
        await world.do(JoinRoom(room=room), world.bob)
    with pytest.raises(Conflict, match="Lift the ban"):
        await world.do(AddMember(room=room, user=world.bob.id))
    assert await world.do(BanMember(room=room, user=world.bob.id, reason="again")) == {}, "banning is idempotent"
    assert world.store.rows("SELECT members FROM rooms WHERE name = 'A room'") == [(1,)]
    await world.do(UnbanMember(room=room, user=world.bob.id))
    assert await world.do(UnbanMember(room=room, user=world.bob.id)) == {}
    assert "bob" not in roles(world, room), "lifting a ban does not restore the membership"
    await world.do(JoinRoom(room=room), world.bob)
    await world.do(RemoveMember(room=room, user=world.bob.id))
    told = last(world, user_topic(world.bob.id))
    assert isinstance(told, RoomRemoved)
    assert (told.why, told.reason) == ("removed", None)
    await world.do(JoinRoom(room=room), world.bob)
    await world.do(LeaveRoom(room=room), world.bob)
    told = last(world, user_topic(world.bob.id))
    assert isinstance(told, RoomRemoved)
    assert told.why == "left"


async def test_an_admin_banned_from_a_public_room_can_lift_the_ban_and_other_users_cannot(world: World) -> None:
    room = await world.room(CreateRoom(kind="public", name="A room"))
    for person in (world.owner, world.bob):
        await world.do(JoinRoom(room=room), person)
        await world.do(BanMember(room=room, user=person.id))
    with pytest.raises(NotFound):
        await world.do(UnbanMember(room=room, user=world.bob.id), world.bob)
    await world.do(UnbanMember(room=room, user=world.owner.id), world.owner)
    await world.do(JoinRoom(room=room), world.owner)
    assert roles(world, room) == {"alice": "owner", "olga": "member"}


async def test_a_user_outside_the_room_can_be_banned_without_being_notified(world: World) -> None:
    room = await private_room(world, world.bob)
    before = world.told(user_topic(world.carol.id))
    await world.do(BanMember(room=room, user=world.carol.id))
    banned = last(world, room_topic(room))
    assert isinstance(banned, MemberBanned)
    assert not banned.was_member
    assert world.told(user_topic(world.carol.id)) == before
    with pytest.raises(Conflict):
        await world.do(AddMember(room=room, user=world.carol.id), world.bob)
    with pytest.raises(NotFound):
        await world.do(BanMember(room=room, user=999_999_999))


async def test_bans_are_listed_in_pages_for_moderators(world: World) -> None:
    room = await private_room(world, world.bob)
    crowd = sorted([(await world.store.person(f"person{number}")).id for number in range(5)])
    for number, user in enumerate(crowd):
        await world.do(BanMember(room=room, user=user, reason="r" * MAX_REASON if number else ""))
    found: list[dict[str, object]] = []
    more = True
    while more:
        after = int(str(found[-1]["user"])) if found else 0
        page = world.store.database.read(members.banned, world.alice, room, after, 2)
        assert isinstance(page["bans"], list)
        assert len(page["bans"]) <= 2
        found, more = found + page["bans"], bool(page["more"])
    assert [ban["user"] for ban in found] == crowd
    assert found[0] == {"user": crowd[0], "user_name": "person0", "by": world.alice.id, "at": found[0]["at"]}
    assert found[1]["reason"] == "r" * MAX_REASON
    for asker, refusal in ((world.bob, Forbidden), (world.carol, NotFound), (world.owner, NotFound)):
        with pytest.raises(refusal):
            world.store.database.read(members.banned, asker, room, 0, 10)
    await world.do(DeleteAccount(user=crowd[0]), SYSTEM)
    page = world.store.database.read(members.banned, world.alice, room, 0, 10)
    assert isinstance(page["bans"], list)
    assert [ban["user"] for ban in page["bans"]] == crowd[1:], "deleted accounts are not listed"


async def test_a_room_has_one_owner_who_must_transfer_it_before_leaving(world: World) -> None:
    room = await private_room(world, world.bob, world.carol)
    assert roles(world, room) == {"alice": "owner", "bob": "member", "carol": "member"}
    with pytest.raises(Forbidden, match="owner first"):
        await world.do(LeaveRoom(room=room))
    with pytest.raises(Forbidden, match="instead"):
        await world.do(SetMemberRole(room=room, user=world.alice.id, role=MEMBER))
    await world.do(SetMemberRole(room=room, user=world.bob.id, role=MODERATOR))
    assert await world.do(SetMemberRole(room=room, user=world.bob.id, role=MODERATOR)) == {}
    answer = await world.do(SetMemberRole(room=room, user=world.carol.id, role=OWNER))
    assert roles(world, room) == {"alice": "moderator", "bob": "moderator", "carol": "owner"}
    assert roles_told(world, room)[1:] == [
        (world.alice.id, "moderator", world.alice.id), (world.carol.id, "owner", world.alice.id),
    ]  # fmt: skip
    assert answer["seq"] == world.told(room_topic(room))[-1].seq
    await world.do(LeaveRoom(room=room))
    for absent in (world.alice.id, world.owner.id, 999_999_999):
        with pytest.raises(NotFound):
            await world.do(SetMemberRole(room=room, user=absent, role=MODERATOR), world.carol)


async def test_an_owner_without_other_members_may_leave(world: World) -> None:
    room = await private_room(world)
    await world.do(LeaveRoom(room=room))
    assert world.store.rows("SELECT count(*) FROM members") == [(5,)], "only the lobby has members"


async def test_a_room_without_owner_passes_to_its_longest_standing_moderator_or_member(
    world: World,
) -> None:
    room = await world.room(CreateRoom(kind="public", name="A room"))
    dora, emil = [await world.store.person(name) for name in ("dora", "emil")]
    for person in (world.bob, world.carol, dora, emil):
        await world.do(JoinRoom(room=room), person)
    for person in (dora, world.carol):
        await world.do(SetMemberRole(room=room, user=person.id, role=MODERATOR))
    await world.do(RemoveMember(room=room, user=world.alice.id), world.owner)
    assert world.published(room_topic(room))[-2:] == ["member.removed", "member.role_changed"]
    assert roles_told(world, room)[-1] == (world.carol.id, "owner", world.carol.id), (
        "moderators inherit in the order in which they joined"
    )
    entries = [entry.event for entry in world.store.published][-3:]
    assert [event.type for event in entries] == ["member.removed", "room.removed", "member.role_changed"]
    await world.do(BanMember(room=room, user=world.carol.id), world.owner)
    assert roles_told(world, room)[-1] == (dora.id, "owner", dora.id)
    await world.do(SetDisabled(user=world.bob.id, disabled=True), SYSTEM)
    await world.do(DeleteAccount(user=dora.id), SYSTEM)
    assert roles_told(world, room)[-1] == (emil.id, "owner", emil.id), "members who can log in come first"
    await world.do(DeleteAccount(user=emil.id), SYSTEM)
    assert roles_told(world, room)[-1] == (world.bob.id, "owner", world.bob.id)
    await world.do(DeleteAccount(user=world.bob.id), SYSTEM)
    assert world.published(room_topic(room))[-1] == "member.left", "the room has no members left"
    assert "member.role_changed" not in world.published(room_topic(LOBBY))


async def test_a_room_whose_owner_is_disabled_passes_to_another_member(world: World) -> None:
    room = await private_room(world, world.bob, world.carol)
    alone = await private_room(world)
    await world.do(SetMemberRole(room=room, user=world.carol.id, role=MODERATOR))
    await world.do(SetDisabled(user=world.alice.id, disabled=True), world.owner)
    assert roles(world, room, world.carol) == {"alice": "moderator", "bob": "member", "carol": "owner"}
    assert roles_told(world, room)[-2:] == [
        (world.alice.id, "moderator", world.alice.id), (world.carol.id, "owner", world.carol.id),
    ]  # fmt: skip
    assert world.published(room_topic(alone))[-1] != "member.role_changed", "the owner is the only member"
    for user in (world.bob.id, world.carol.id):
        await world.do(SetDisabled(user=user, disabled=True), world.owner)
    assert roles(world, room, world.carol)["carol"] == "owner", "no other member can log in"
    await world.do(SetDisabled(user=world.bob.id, disabled=False), world.owner)
    assert roles(world, room, world.bob) == {"alice": "moderator", "bob": "owner", "carol": "moderator"}
    assert "member.role_changed" not in world.published(room_topic(LOBBY))


async def test_membership_and_roles_of_a_direct_room_cannot_change(world: World) -> None:
    room = await world.room(CreateRoom(kind="direct", members=(world.bob.id,)))
    before = world.published(room_topic(room))
    for command in (
        LeaveRoom(room=room), AddMember(room=room, user=world.carol.id), RemoveMember(room=room, user=world.bob.id),
        BanMember(room=room, user=world.bob.id), UnbanMember(room=room, user=world.bob.id),
        SetMemberRole(room=room, user=world.bob.id, role=OWNER),
    ):  # fmt: skip
        with pytest.raises(Forbidden):
            await world.do(command)
        with pytest.raises(NotFound):
            await world.do(command, world.carol)
    await world.do(DeleteAccount(user=world.bob.id), SYSTEM)
    assert world.published(room_topic(room)) == [*before, "member.left"], "a direct room has no owner"


async def test_in_an_archived_room_members_may_only_leave_and_transfer_ownership(world: World) -> None:
    room = await private_room(world, world.bob, world.carol)
    await world.do(ArchiveRoom(room=room))
    for command in (
        AddMember(room=room, user=world.owner.id), RemoveMember(room=room, user=world.bob.id),
        BanMember(room=room, user=world.bob.id), UnbanMember(room=room, user=world.owner.id),
        SetMemberRole(room=room, user=world.bob.id, role=MODERATOR),
    ):  # fmt: skip
        with pytest.raises(Forbidden, match="archived"):
            await world.do(command)
    await world.do(LeaveRoom(room=room), world.bob)
    hand_over = SetMemberRole(room=room, user=world.carol.id, role=OWNER)
    await world.do(hand_over)
    assert await world.do(hand_over) == {}, "a retry after a lost answer is accepted"
    await world.do(LeaveRoom(room=room))
    assert roles(world, room, world.carol) == {"carol": "owner"}


async def test_a_refused_command_leaves_no_trace_and_affects_no_other_in_its_batch(world: World) -> None:
    room = await private_room(world, world.bob)
    before = world.told(room_topic(room))
    results = await world.store.together(
        [
            (AddMember(room=room, user=world.owner.id), world.alice),
            (RemoveMember(room=room, user=world.alice.id), world.bob),
            (BanMember(room=room, user=world.alice.id), world.bob),
            (AddMember(room=room, user=world.carol.id), world.bob),
            (SetMemberRole(room=room, user=world.bob.id, role=OWNER), world.bob),
        ]
    )
    assert [isinstance(result, HubbubError) for result in results] == [False, True, True, False, True]
    events = [entry.event for entry in world.told(room_topic(room))[len(before) :]]
    assert [event.user for event in events if isinstance(event, MembershipEvent)] == [world.owner.id, world.carol.id]
