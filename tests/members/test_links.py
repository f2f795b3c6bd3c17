"""Links into rooms: who makes them, what they open, and that each use is one use; on each engine."""

from dataclasses import replace

import pytest

from hubbub.domain.commands import (
    AcceptInvite,
    AdmitIdentity,
    ArchiveRoom,
    BanMember,
    Command,
    CreateAccount,
    CreateInvite,
    CreateRoom,
    InviteMember,
    RemoveMember,
    RestoreRoom,
    RevokeInvite,
    SetDisabled,
    SetRoomRole,
    UnbanMember,
)
from hubbub.domain.errors import Conflict, Forbidden, NotFound
from hubbub.domain.model import ANYBODY, LOBBY, SYSTEM, Actor, Role, RoomRole, room_topic, user_topic
from hubbub.engine.batch import Receipt
from hubbub.features import invites
from tests.rooms.conftest import Hall

MANY = 50


async def private_room(hall: Hall) -> int:
    return await hall.room(CreateRoom(kind="private", name="A room"))


async def link(hall: Hall, room: int | None, name: str = "token", who: Actor | None = None, **how: int | None) -> str:
    """The id of a link for one use; `name` stands for its token's hash."""
    made = await hall.do(CreateInvite.model_validate({"room": room, "token_hash": name, **how}), who)
    invite = made["invite"]
    assert isinstance(invite, dict)
    return str(invite["id"])


def uses(hall: Hall, name: str = "token") -> object:
    return hall.desk.rows(f"SELECT uses FROM invites WHERE token_hash = '{name}'")[0][0]


def listed(hall: Hall, who: Actor, room: int | None, after: str | None = None, limit: int = 200) -> dict[str, object]:
    """A page of those that never expire."""
    return hall.desk.database.read(invites.listing, who, room, 2**50, after, limit)


async def refused(hall: Hall, command: Command, who: Actor, why: str) -> None:
    with pytest.raises(Forbidden, match=why):
        await hall.do(command, who)


ACCEPT = AcceptInvite(token_hash="token")


async def test_a_link_leads_into_its_room_once_and_twice_is_fine(hall: Hall) -> None:
    room = await private_room(hall)
    await link(hall, room)
    answer = await hall.do(ACCEPT, hall.bob)
    assert answer["topic"] == room_topic(room)
    assert answer["seq"] == hall.told(room_topic(room))[-1].seq
    assert hall.published(user_topic(hall.bob.id))[-1] == "room.added"
    for inside in (hall.alice, hall.bob):
        again = await hall.do(ACCEPT, inside)
        assert isinstance(again["room"], dict)
        assert again["room"]["id"] == room, "used up, perhaps by him: his answer may have been lost"
    assert uses(hall) == 1
    await refused(hall, ACCEPT, hall.carol, "used up")
    await refused(hall, AcceptInvite(token_hash="another"), hall.carol, "used up")


async def test_nobody_uses_a_link_up_without_coming_in(hall: Hall) -> None:
    room = await private_room(hall)
    await link(hall, room)
    await hall.do(ACCEPT)
    await hall.do(BanMember(room=room, user=hall.bob.id))
    await refused(hall, ACCEPT, hall.bob, "banned")
    await refused(hall, ACCEPT, hall.guest, "Guests")
    await hall.do(ArchiveRoom(room=room))
    await refused(hall, ACCEPT, hall.carol, "archived")
    assert uses(hall) == 0
    await hall.do(RestoreRoom(room=room))
    await hall.do(UnbanMember(room=room, user=hall.bob.id))
    await hall.do(ACCEPT, hall.bob)
    assert uses(hall) == 1


async def test_a_link_that_was_taken_back_or_has_expired_opens_nothing(hall: Hall) -> None:
    room = await private_room(hall)
    await hall.do(RevokeInvite(invite=await link(hall, room)))
    await link(hall, room, "late", expires_in=-1)
    for name in ("token", "late"):
        await refused(hall, AcceptInvite(token_hash=name), hall.bob, "expired")
        opens = hall.desk.database.read(invites.opens, name, 2**50)
        assert opens == {"valid": False, "signup": False, "room": None, "name": None}
    with pytest.raises(NotFound):
        await hall.do(RevokeInvite(invite="nothing"))


async def test_only_the_staffs_links_open_accounts_and_those_land_in_the_room_too(hall: Hall) -> None:
    room = await private_room(hall)
    await link(hall, room)
    new = CreateAccount(username="dora", password_hash="-", invite_hash="token")
    await refused(hall, new, ANYBODY, "people who have an account")
    assert hall.desk.database.read(invites.opens, "token", 0)["signup"] is False
    await hall.do(InviteMember(room=room, user=hall.owner.id))
    await link(hall, room, "staff", hall.owner)
    opens = hall.desk.database.read(invites.opens, "staff", 0)
    assert opens == {"valid": True, "signup": True, "room": room, "name": "A room"}
    new = new.model_copy(update={"invite_hash": "staff"})
    await hall.do(ArchiveRoom(room=room))
    await refused(hall, new, ANYBODY, "archived")
    await hall.do(RestoreRoom(room=room))
    user = (await hall.do(new, ANYBODY))["user"]
    assert isinstance(user, dict)
    told = [entry.event.type for entry in hall.desk.published][-4:]
    assert told == ["room.added", "member.joined", "room.added", "member.joined"]
    assert [entry.event.type for entry in hall.told(user_topic(user["id"]))] == ["room.added", "room.added"]
    assert hall.desk.rows(f'SELECT room FROM members WHERE "user" = {user["id"]} ORDER BY room') == [(LOBBY,), (room,)]
    assert uses(hall, "staff") == 1
    again = new.model_copy(update={"username": "emil"})
    await refused(hall, again, ANYBODY, "used up")


async def test_of_fifty_who_follow_a_link_for_one_at_once_one_comes_in(hall: Hall) -> None:
    room = await private_room(hall)
    crowd = [await hall.desk.person(f"person{number}") for number in range(MANY)]
    await link(hall, room)
    results = await hall.desk.together([(ACCEPT, person) for person in crowd])
    assert sum(isinstance(result, Receipt) for result in results) == 1
    assert all(isinstance(result, Receipt | Forbidden) for result in results)
    assert hall.desk.rows(f"SELECT count(*) FROM members WHERE room = {room}") == [(2,)]
    assert uses(hall) == 1


async def test_a_link_goes_with_the_right_to_make_it(hall: Hall) -> None:
    room = await private_room(hall)
    for person in (hall.bob, hall.carol):
        await hall.do(InviteMember(room=room, user=person.id))
    endings: list[Command] = [
        SetRoomRole(room=room, user=hall.bob.id, role=RoomRole.MEMBER), RemoveMember(room=room, user=hall.bob.id),
        BanMember(room=room, user=hall.bob.id),
    ]  # fmt: skip
    for number, ending in enumerate(endings):
        await hall.do(UnbanMember(room=room, user=hall.bob.id))
        await hall.do(InviteMember(room=room, user=hall.bob.id))
        await hall.do(SetRoomRole(room=room, user=hall.bob.id, role=RoomRole.MODERATOR))
        await link(hall, room, f"bob's {number}", hall.bob)
        await hall.do(ending)
        await refused(hall, AcceptInvite(token_hash=f"bob's {number}"), hall.owner, "revoked")
    with pytest.raises(Forbidden):
        await link(hall, room, "a member's", hall.carol)
    for stranger in (hall.bob, hall.owner):
        with pytest.raises(NotFound):
            await link(hall, room, "a stranger's", stranger)


async def test_the_links_of_an_admin_or_moderator_who_is_locked_out_let_nobody_in(hall: Hall) -> None:
    room = await private_room(hall)
    ida = await hall.desk.person("ida", Role.ADMIN)
    for person in (hall.bob, ida):
        await hall.do(InviteMember(room=room, user=person.id))
    await hall.do(SetRoomRole(room=room, user=hall.bob.id, role=RoomRole.MODERATOR))
    made = [("bob's", hall.bob, room), ("ida's", ida, room), ("the site's", ida, None)]
    for name, who, where in made:
        await link(hall, where, name, who)
    for person in (hall.bob, ida):
        for disabled in (True, False):
            await hall.do(SetDisabled(user=person.id, disabled=disabled), hall.owner)
    for name, _, where in made:
        opened = hall.desk.database.read(invites.opens, name, 0)
        assert not opened["valid"], (name, where)
        await refused(hall, AcceptInvite(token_hash=name), hall.carol, "revoked")


async def test_the_links_of_an_admin_whom_the_app_around_makes_a_member_open_no_accounts(hall: Hall) -> None:
    def as_one(role: Role) -> AdmitIdentity:
        return AdmitIdentity(issuer="app", subject="ida", name="ida", role=role)

    user = (await hall.do(as_one(Role.ADMIN), SYSTEM))["user"]
    assert isinstance(user, dict)
    ida = Actor(user["id"], "ida", Role.ADMIN)
    await link(hall, None, "the site's", ida)
    await link(hall, await hall.room(CreateRoom(kind="public", name="A room")), "a room's", ida)
    member = replace(ida, role=Role.MEMBER)
    await hall.do(as_one(Role.ADMIN), SYSTEM)
    assert hall.desk.rows("SELECT count(*) FROM invites") == [(2,)]
    await hall.do(as_one(Role.MEMBER), SYSTEM)
    own = await hall.room(CreateRoom(kind="private", name="Her room"), member)
    await link(hall, own, "her own", member)
    await hall.do(as_one(Role.MEMBER), SYSTEM)
    assert hall.desk.rows("SELECT token_hash FROM invites") == [("her own",)]


async def test_a_rooms_links_are_for_those_who_look_after_it_page_by_page_and_bounded(hall: Hall) -> None:
    room = await private_room(hall)
    site = await link(hall, None, "site", hall.owner)
    made = [await link(hall, room, f"token{number}", expires_in=None) for number in range(invites.MAX_ROOM_INVITES)]
    with pytest.raises(Conflict, match="100 open invites"):
        await link(hall, room, "one more", expires_in=None)
    await hall.do(RevokeInvite(invite=made.pop()))
    made.append(await link(hall, room, "in its place", expires_in=None))
    found: list[str] = []
    place, more = None, True
    while more:
        page = listed(hall, hall.alice, room, place, 30)
        assert isinstance(page["invites"], list)
        assert {invite["room"] for invite in page["invites"]} == {room}
        found, more = found + [invite["id"] for invite in page["invites"]], bool(page["more"])
        place = f"{page['invites'][-1]['created_at']},{found[-1]}"
    assert sorted(found) == sorted(made)
    ours = listed(hall, hall.owner, None)["invites"]
    assert isinstance(ours, list)
    assert [invite["id"] for invite in ours] == [site], "the site's list has none into rooms"
    with pytest.raises(NotFound):
        listed(hall, hall.owner, room)
    with pytest.raises(NotFound):
        await hall.do(RevokeInvite(invite=made[0]), hall.owner)


async def test_the_same_key_gives_the_same_link_and_another_room_is_another_request(hall: Hall) -> None:
    room, other = await private_room(hall), await private_room(hall)
    asked = CreateInvite(token_hash="token", room=room, key="k")
    first = await hall.do(asked)
    assert await hall.do(asked) == first
    with pytest.raises(Conflict):
        await hall.do(asked.model_copy(update={"room": other}))
    (refusal,) = await hall.desk.together([(asked.model_copy(update={"room": None}), hall.alice)])
    assert isinstance(refusal, Forbidden)
