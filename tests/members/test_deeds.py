"""People of a room: brought, removed, kept out, let back; roles, and one owner at any time; on each engine."""

import pytest

from hubbub.domain.commands import (
    ArchiveRoom,
    BanMember,
    CreateRoom,
    DeleteAccount,
    InviteMember,
    JoinRoom,
    LeaveRoom,
    RemoveMember,
    SetDisabled,
    SetRoomRole,
    UnbanMember,
)
from hubbub.domain.errors import Conflict, Forbidden, HubbubError, NotFound
from hubbub.domain.events import Event, MemberBanned, MemberJoined, MemberRole, MembershipEvent, RoomAdded, RoomRemoved
from hubbub.domain.model import LOBBY, SYSTEM, Actor, RoomRole, room_topic, user_topic
from hubbub.domain.text import MAX_REASON
from hubbub.features import members
from tests.rooms.conftest import Hall

OWNER, MODERATOR, MEMBER = RoomRole.OWNER, RoomRole.MODERATOR, RoomRole.MEMBER


def roles(hall: Hall, room: int, asker: Actor | None = None) -> dict[str, str]:
    """Who is what in the room."""
    page = hall.desk.database.read(members.listing, asker or hall.alice, room, 0, 200)
    assert isinstance(page["members"], list)
    return {member["name"]: member["role"] for member in page["members"]}


def last(hall: Hall, topic: str) -> Event:
    return hall.told(topic)[-1].event


def roles_told(hall: Hall, room: int) -> list[tuple[int, str, int]]:
    events = (entry.event for entry in hall.told(room_topic(room)))
    return [(event.user, event.role.value, event.by) for event in events if isinstance(event, MemberRole)]


async def private_room(hall: Hall, *people: Actor) -> int:
    """Alice's, with these in it."""
    room = await hall.room(CreateRoom(kind="private", name="A room"))
    for person in people:
        await hall.do(InviteMember(room=room, user=person.id))
    return room


async def test_a_member_brings_others_who_are_in_it_at_once(hall: Hall) -> None:
    room = await private_room(hall, hall.bob)
    answer = await hall.do(InviteMember(room=room, user=hall.carol.id), hall.bob)
    joined = last(hall, room_topic(room))
    assert isinstance(joined, MemberJoined)
    assert (joined.user, joined.name, joined.by) == (hall.carol.id, "carol", hall.bob.id)
    assert answer == {"topic": room_topic(room), "seq": hall.told(room_topic(room))[-1].seq}
    added = last(hall, user_topic(hall.carol.id))
    assert isinstance(added, RoomAdded)
    assert (added.room.id, added.room.joined, added.room.members) == (room, True, 2), (
        "he counts himself when he hears of his joining"
    )
    assert await hall.do(InviteMember(room=room, user=hall.carol.id)) == {}, "twice is fine"
    for nobody in (999_999_999, (await gone(hall)).id):
        with pytest.raises(NotFound):
            await hall.do(InviteMember(room=room, user=nobody))
    with pytest.raises(Forbidden):
        await hall.do(InviteMember(room=room, user=hall.guest.id))


async def gone(hall: Hall) -> Actor:
    """Somebody whose account was deleted."""
    leaver = await hall.desk.person("leaver")
    await hall.do(DeleteAccount(user=leaver.id), SYSTEM)
    return leaver


async def test_nobody_can_lock_an_account_out_and_have_it_brought_in(hall: Hall) -> None:
    room = await private_room(hall)
    await hall.do(SetDisabled(user=hall.bob.id, disabled=True), SYSTEM)
    with pytest.raises(NotFound):
        await hall.do(InviteMember(room=room, user=hall.bob.id))
    assert list(roles(hall, room)) == ["alice"]


async def test_a_ban_ends_the_membership_and_keeps_the_person_out_until_it_is_lifted(hall: Hall) -> None:
    room = await hall.room(CreateRoom(kind="public", name="A room"))
    await hall.do(JoinRoom(room=room), hall.bob)
    await hall.do(BanMember(room=room, user=hall.bob.id, reason="shouting"))
    banned, told = last(hall, room_topic(room)), last(hall, user_topic(hall.bob.id))
    assert isinstance(banned, MemberBanned)
    assert (banned.user, banned.was_member) == (hall.bob.id, True)
    assert isinstance(told, RoomRemoved)
    assert (told.why, told.reason) == ("banned", "shouting")
    assert "shouting" not in hall.told(room_topic(room))[-1].text.decode(), "the reason is not for everybody"
    with pytest.raises(Forbidden, match="banned"):
        await hall.do(JoinRoom(room=room), hall.bob)
    with pytest.raises(Conflict, match="Lift the ban"):
        await hall.do(InviteMember(room=room, user=hall.bob.id))
    assert await hall.do(BanMember(room=room, user=hall.bob.id, reason="again")) == {}, "twice is fine"
    assert hall.desk.rows("SELECT members FROM rooms WHERE name = 'A room'") == [(1,)]
    await hall.do(UnbanMember(room=room, user=hall.bob.id))
    assert await hall.do(UnbanMember(room=room, user=hall.bob.id)) == {}
    assert "bob" not in roles(hall, room), "it does not bring him back"
    await hall.do(JoinRoom(room=room), hall.bob)
    await hall.do(RemoveMember(room=room, user=hall.bob.id))
    told = last(hall, user_topic(hall.bob.id))
    assert isinstance(told, RoomRemoved)
    assert (told.why, told.reason) == ("removed", None)
    await hall.do(JoinRoom(room=room), hall.bob)
    await hall.do(LeaveRoom(room=room), hall.bob)
    told = last(hall, user_topic(hall.bob.id))
    assert isinstance(told, RoomRemoved)
    assert told.why == "left"


async def test_an_admin_who_was_banned_from_a_public_room_lifts_it_himself_and_nobody_else_does(hall: Hall) -> None:
    room = await hall.room(CreateRoom(kind="public", name="A room"))
    for person in (hall.owner, hall.bob):
        await hall.do(JoinRoom(room=room), person)
        await hall.do(BanMember(room=room, user=person.id))
    with pytest.raises(NotFound):
        await hall.do(UnbanMember(room=room, user=hall.bob.id), hall.bob)
    await hall.do(UnbanMember(room=room, user=hall.owner.id), hall.owner)
    await hall.do(JoinRoom(room=room), hall.owner)
    assert roles(hall, room) == {"alice": "owner", "olga": "member"}


async def test_who_is_not_there_can_be_banned_and_hears_nothing_of_it(hall: Hall) -> None:
    room = await private_room(hall, hall.bob)
    before = hall.told(user_topic(hall.carol.id))
    await hall.do(BanMember(room=room, user=hall.carol.id))
    banned = last(hall, room_topic(room))
    assert isinstance(banned, MemberBanned)
    assert not banned.was_member
    assert hall.told(user_topic(hall.carol.id)) == before
    with pytest.raises(Conflict):
        await hall.do(InviteMember(room=room, user=hall.carol.id), hall.bob)
    with pytest.raises(NotFound):
        await hall.do(BanMember(room=room, user=999_999_999))


async def test_bans_are_listed_page_by_page_for_those_who_look_after_the_room(hall: Hall) -> None:
    room = await private_room(hall, hall.bob)
    crowd = sorted([(await hall.desk.person(f"person{number}")).id for number in range(5)])
    for number, user in enumerate(crowd):
        await hall.do(BanMember(room=room, user=user, reason="r" * MAX_REASON if number else ""))
    found: list[dict[str, object]] = []
    more = True
    while more:
        after = int(str(found[-1]["user"])) if found else 0
        page = hall.desk.database.read(members.banned, hall.alice, room, after, 2)
        assert isinstance(page["bans"], list)
        assert len(page["bans"]) <= 2
        found, more = found + page["bans"], bool(page["more"])
    assert [ban["user"] for ban in found] == crowd
    assert found[0] == {"user": crowd[0], "name": "person0", "by": hall.alice.id, "at": found[0]["at"]}
    assert found[1]["reason"] == "r" * MAX_REASON
    for asker, refusal in ((hall.bob, Forbidden), (hall.carol, NotFound), (hall.owner, NotFound)):
        with pytest.raises(refusal):
            hall.desk.database.read(members.banned, asker, room, 0, 10)
    await hall.do(DeleteAccount(user=crowd[0]), SYSTEM)
    page = hall.desk.database.read(members.banned, hall.alice, room, 0, 10)
    assert isinstance(page["bans"], list)
    assert [ban["user"] for ban in page["bans"]] == crowd[1:], "who is nobody any more is banned nowhere"


async def test_there_is_one_owner_who_hands_the_room_over_before_he_leaves(hall: Hall) -> None:
    room = await private_room(hall, hall.bob, hall.carol)
    assert roles(hall, room) == {"alice": "owner", "bob": "member", "carol": "member"}
    with pytest.raises(Forbidden, match="owner first"):
        await hall.do(LeaveRoom(room=room))
    with pytest.raises(Forbidden, match="instead"):
        await hall.do(SetRoomRole(room=room, user=hall.alice.id, role=MEMBER))
    await hall.do(SetRoomRole(room=room, user=hall.bob.id, role=MODERATOR))
    assert await hall.do(SetRoomRole(room=room, user=hall.bob.id, role=MODERATOR)) == {}
    answer = await hall.do(SetRoomRole(room=room, user=hall.carol.id, role=OWNER))
    assert roles(hall, room) == {"alice": "moderator", "bob": "moderator", "carol": "owner"}
    assert roles_told(hall, room)[1:] == [
        (hall.alice.id, "moderator", hall.alice.id), (hall.carol.id, "owner", hall.alice.id),
    ]  # fmt: skip
    assert answer["seq"] == hall.told(room_topic(room))[-1].seq
    await hall.do(LeaveRoom(room=room))
    for absent in (hall.alice.id, hall.owner.id, 999_999_999):
        with pytest.raises(NotFound):
            await hall.do(SetRoomRole(room=room, user=absent, role=MODERATOR), hall.carol)


async def test_an_owner_alone_may_leave(hall: Hall) -> None:
    room = await private_room(hall)
    await hall.do(LeaveRoom(room=room))
    assert hall.desk.rows("SELECT count(*) FROM members") == [(5,)], "the lobby's alone"


async def test_a_room_whose_owner_is_removed_or_deleted_gets_its_longest_standing_moderator_else_member(
    hall: Hall,
) -> None:
    room = await hall.room(CreateRoom(kind="public", name="A room"))
    dora, emil = [await hall.desk.person(name) for name in ("dora", "emil")]
    for person in (hall.bob, hall.carol, dora, emil):
        await hall.do(JoinRoom(room=room), person)
    for person in (dora, hall.carol):
        await hall.do(SetRoomRole(room=room, user=person.id, role=MODERATOR))
    await hall.do(RemoveMember(room=room, user=hall.alice.id), hall.owner)
    assert hall.published(room_topic(room))[-2:] == ["member.removed", "member.role"]
    assert roles_told(hall, room)[-1] == (hall.carol.id, "owner", hall.carol.id), "moderators by joining, not by role"
    entries = [entry.event for entry in hall.desk.published][-3:]
    assert [event.type for event in entries] == ["member.removed", "room.gone", "member.role"]
    await hall.do(BanMember(room=room, user=hall.carol.id), hall.owner)
    assert roles_told(hall, room)[-1] == (dora.id, "owner", dora.id)
    await hall.do(SetDisabled(user=hall.bob.id, disabled=True), SYSTEM)
    await hall.do(DeleteAccount(user=dora.id), SYSTEM)
    assert roles_told(hall, room)[-1] == (emil.id, "owner", emil.id), "somebody who can log in comes first"
    await hall.do(DeleteAccount(user=emil.id), SYSTEM)
    assert roles_told(hall, room)[-1] == (hall.bob.id, "owner", hall.bob.id)
    await hall.do(DeleteAccount(user=hall.bob.id), SYSTEM)
    assert hall.published(room_topic(room))[-1] == "member.left", "nobody is left"
    assert "member.role" not in hall.published(room_topic(LOBBY))


async def test_a_room_whose_owner_is_locked_out_is_not_stuck(hall: Hall) -> None:
    room = await private_room(hall, hall.bob, hall.carol)
    alone = await private_room(hall)
    await hall.do(SetRoomRole(room=room, user=hall.carol.id, role=MODERATOR))
    await hall.do(SetDisabled(user=hall.alice.id, disabled=True), hall.owner)
    assert roles(hall, room, hall.carol) == {"alice": "moderator", "bob": "member", "carol": "owner"}
    assert roles_told(hall, room)[-2:] == [
        (hall.alice.id, "moderator", hall.alice.id), (hall.carol.id, "owner", hall.carol.id),
    ]  # fmt: skip
    assert hall.published(room_topic(alone))[-1] != "member.role", "there is nobody else in it"
    for user in (hall.bob.id, hall.carol.id):
        await hall.do(SetDisabled(user=user, disabled=True), hall.owner)
    assert roles(hall, room, hall.carol)["carol"] == "owner", "nobody could take it"
    await hall.do(SetDisabled(user=hall.bob.id, disabled=False), hall.owner)
    assert roles(hall, room, hall.bob) == {"alice": "moderator", "bob": "owner", "carol": "moderator"}
    assert "member.role" not in hall.published(room_topic(LOBBY))


async def test_nobody_comes_goes_or_is_promoted_in_a_direct_room(hall: Hall) -> None:
    room = await hall.room(CreateRoom(kind="direct", members=(hall.bob.id,)))
    before = hall.published(room_topic(room))
    for command in (
        LeaveRoom(room=room), InviteMember(room=room, user=hall.carol.id), RemoveMember(room=room, user=hall.bob.id),
        BanMember(room=room, user=hall.bob.id), UnbanMember(room=room, user=hall.bob.id),
        SetRoomRole(room=room, user=hall.bob.id, role=OWNER),
    ):  # fmt: skip
        with pytest.raises(Forbidden):
            await hall.do(command)
        with pytest.raises(NotFound):
            await hall.do(command, hall.carol)
    await hall.do(DeleteAccount(user=hall.bob.id), SYSTEM)
    assert hall.published(room_topic(room)) == [*before, "member.left"], "no owner where there was none"


async def test_in_an_archived_room_people_may_only_leave_and_hand_it_over(hall: Hall) -> None:
    room = await private_room(hall, hall.bob, hall.carol)
    await hall.do(ArchiveRoom(room=room))
    for command in (
        InviteMember(room=room, user=hall.owner.id), RemoveMember(room=room, user=hall.bob.id),
        BanMember(room=room, user=hall.bob.id), UnbanMember(room=room, user=hall.owner.id),
        SetRoomRole(room=room, user=hall.bob.id, role=MODERATOR),
    ):  # fmt: skip
        with pytest.raises(Forbidden, match="archived"):
            await hall.do(command)
    await hall.do(LeaveRoom(room=room), hall.bob)
    hand_over = SetRoomRole(room=room, user=hall.carol.id, role=OWNER)
    await hall.do(hand_over)
    assert await hall.do(hand_over) == {}, "the answer may have been lost"
    await hall.do(LeaveRoom(room=room))
    assert roles(hall, room, hall.carol) == {"carol": "owner"}


async def test_a_refused_deed_leaves_no_trace_whoever_shares_its_batch(hall: Hall) -> None:
    room = await private_room(hall, hall.bob)
    before = hall.told(room_topic(room))
    results = await hall.desk.together(
        [
            (InviteMember(room=room, user=hall.owner.id), hall.alice),
            (RemoveMember(room=room, user=hall.alice.id), hall.bob),
            (BanMember(room=room, user=hall.alice.id), hall.bob),
            (InviteMember(room=room, user=hall.carol.id), hall.bob),
            (SetRoomRole(room=room, user=hall.bob.id, role=OWNER), hall.bob),
        ]
    )
    assert [isinstance(result, HubbubError) for result in results] == [False, True, True, False, True]
    events = [entry.event for entry in hall.told(room_topic(room))[len(before) :]]
    assert [event.user for event in events if isinstance(event, MembershipEvent)] == [hall.owner.id, hall.carol.id]
