"""Invites into rooms: creation, admission, and counting of uses."""

from dataclasses import replace

import pytest

from hubbub.domain.commands import (
    AcceptInvite,
    AddMember,
    AdmitIdentity,
    ArchiveRoom,
    BanMember,
    Command,
    CreateAccount,
    CreateInvite,
    CreateRoom,
    RemoveMember,
    RestoreRoom,
    RevokeInvite,
    SetDisabled,
    SetMemberRole,
    UnbanMember,
)
from hubbub.domain.errors import Conflict, Forbidden, NotFound
from hubbub.domain.model import ANYBODY, LOBBY, SYSTEM, Actor, Role, RoomRole, room_topic, user_topic
from hubbub.engine.batch import Receipt
from hubbub.features import invites
from tests.rooms.conftest import World

MANY = 50


async def private_room(world: World) -> int:
    return await world.room(CreateRoom(kind="private", name="A room"))


async def link(world: World, room: int | None, name: str = "token", who: Actor | None = None, **how: int | None) -> str:
    """Create an invite for one use and return its id.

    `name` stands for its token's hash.
    """
    made = await world.do(CreateInvite.model_validate({"room": room, "token_hash": name, **how}), who)
    invite = made["invite"]
    assert isinstance(invite, dict)
    return str(invite["id"])


def uses(world: World, name: str = "token") -> object:
    return world.store.rows(f"SELECT uses FROM invites WHERE token_hash = '{name}'")[0][0]


def listed(world: World, who: Actor, room: int | None, after: str | None = None, limit: int = 200) -> dict[str, object]:
    """Return a page of the invites that never expire."""
    return world.store.database.read(invites.listing, who, room, 2**50, after, limit)


async def refused(world: World, command: Command, who: Actor, why: str) -> None:
    with pytest.raises(Forbidden, match=why):
        await world.do(command, who)


ACCEPT = AcceptInvite(token_hash="token")


async def test_an_invite_into_a_room_admits_once_and_accepting_it_is_idempotent(world: World) -> None:
    room = await private_room(world)
    await link(world, room)
    answer = await world.do(ACCEPT, world.bob)
    assert answer["topic"] == room_topic(room)
    assert answer["seq"] == world.told(room_topic(room))[-1].seq
    assert world.published(user_topic(world.bob.id))[-1] == "room.added"
    for inside in (world.alice, world.bob):
        again = await world.do(ACCEPT, inside)
        assert isinstance(again["room"], dict)
        assert again["room"]["id"] == room, "a member may retry a used-up invite after a lost answer"
    assert uses(world) == 1
    await refused(world, ACCEPT, world.carol, "used up")
    await refused(world, AcceptInvite(token_hash="another"), world.carol, "used up")


async def test_a_refused_acceptance_does_not_use_up_the_invite(world: World) -> None:
    room = await private_room(world)
    await link(world, room)
    await world.do(ACCEPT)
    await world.do(BanMember(room=room, user=world.bob.id))
    await refused(world, ACCEPT, world.bob, "banned")
    await refused(world, ACCEPT, world.guest, "Guests")
    await world.do(ArchiveRoom(room=room))
    await refused(world, ACCEPT, world.carol, "archived")
    assert uses(world) == 0
    await world.do(RestoreRoom(room=room))
    await world.do(UnbanMember(room=room, user=world.bob.id))
    await world.do(ACCEPT, world.bob)
    assert uses(world) == 1


async def test_a_revoked_or_expired_invite_admits_no_users(world: World) -> None:
    room = await private_room(world)
    await world.do(RevokeInvite(invite=await link(world, room)))
    await link(world, room, "late", expires_in=-1)
    for name in ("token", "late"):
        await refused(world, AcceptInvite(token_hash=name), world.bob, "expired")
        opens = world.store.database.read(invites.opens, name, 2**50)
        assert opens == {"valid": False, "signup": False, "room": None, "room_name": None}
    with pytest.raises(NotFound):
        await world.do(RevokeInvite(invite="nothing"))


async def test_only_invites_of_staff_admit_new_accounts_which_also_join_the_room(world: World) -> None:
    room = await private_room(world)
    await link(world, room)
    new = CreateAccount(username="dora", password_hash="-", invite_hash="token")
    await refused(world, new, ANYBODY, "people who have an account")
    assert world.store.database.read(invites.opens, "token", 0)["signup"] is False
    await world.do(AddMember(room=room, user=world.owner.id))
    await link(world, room, "staff", world.owner)
    opens = world.store.database.read(invites.opens, "staff", 0)
    assert opens == {"valid": True, "signup": True, "room": room, "room_name": "A room"}
    new = new.model_copy(update={"invite_hash": "staff"})
    await world.do(ArchiveRoom(room=room))
    await refused(world, new, ANYBODY, "archived")
    await world.do(RestoreRoom(room=room))
    user = (await world.do(new, ANYBODY))["user"]
    assert isinstance(user, dict)
    told = [entry.event.type for entry in world.store.published][-4:]
    assert told == ["room.added", "member.joined", "room.added", "member.joined"]
    assert [entry.event.type for entry in world.told(user_topic(user["id"]))] == ["room.added", "room.added"]
    assert world.store.rows(f'SELECT room FROM members WHERE "user" = {user["id"]} ORDER BY room') == [
        (LOBBY,),
        (room,),
    ]
    assert uses(world, "staff") == 1
    again = new.model_copy(update={"username": "emil"})
    await refused(world, again, ANYBODY, "used up")


async def test_an_invite_for_one_use_admits_one_of_fifty_concurrent_users(world: World) -> None:
    room = await private_room(world)
    crowd = [await world.store.person(f"person{number}") for number in range(MANY)]
    await link(world, room)
    results = await world.store.together([(ACCEPT, person) for person in crowd])
    assert sum(isinstance(result, Receipt) for result in results) == 1
    assert all(isinstance(result, Receipt | Forbidden) for result in results)
    assert world.store.rows(f"SELECT count(*) FROM members WHERE room = {room}") == [(2,)]
    assert uses(world) == 1


async def test_an_invite_ends_when_its_creator_loses_the_right_to_create_it(world: World) -> None:
    room = await private_room(world)
    for person in (world.bob, world.carol):
        await world.do(AddMember(room=room, user=person.id))
    endings: list[Command] = [
        SetMemberRole(room=room, user=world.bob.id, role=RoomRole.MEMBER), RemoveMember(room=room, user=world.bob.id),
        BanMember(room=room, user=world.bob.id),
    ]  # fmt: skip
    for number, ending in enumerate(endings):
        await world.do(UnbanMember(room=room, user=world.bob.id))
        await world.do(AddMember(room=room, user=world.bob.id))
        await world.do(SetMemberRole(room=room, user=world.bob.id, role=RoomRole.MODERATOR))
        await link(world, room, f"bob's {number}", world.bob)
        await world.do(ending)
        await refused(world, AcceptInvite(token_hash=f"bob's {number}"), world.owner, "revoked")
    with pytest.raises(Forbidden):
        await link(world, room, "a member's", world.carol)
    for stranger in (world.bob, world.owner):
        with pytest.raises(NotFound):
            await link(world, room, "a stranger's", stranger)


async def test_invites_of_a_disabled_admin_or_moderator_admit_no_users(world: World) -> None:
    room = await private_room(world)
    ida = await world.store.person("ida", Role.ADMIN)
    for person in (world.bob, ida):
        await world.do(AddMember(room=room, user=person.id))
    await world.do(SetMemberRole(room=room, user=world.bob.id, role=RoomRole.MODERATOR))
    made = [("bob's", world.bob, room), ("ida's", ida, room), ("the site's", ida, None)]
    for name, who, where in made:
        await link(world, where, name, who)
    for person in (world.bob, ida):
        for disabled in (True, False):
            await world.do(SetDisabled(user=person.id, disabled=disabled), world.owner)
    for name, _, where in made:
        opened = world.store.database.read(invites.opens, name, 0)
        assert not opened["valid"], (name, where)
        await refused(world, AcceptInvite(token_hash=name), world.carol, "revoked")


async def test_invites_of_an_admin_demoted_by_the_host_application_are_deleted(world: World) -> None:
    def as_one(role: Role) -> AdmitIdentity:
        return AdmitIdentity(issuer="app", subject="ida", name="ida", role=role)

    await world.do(as_one(Role.ADMIN), SYSTEM)
    ((user,),) = world.store.rows("SELECT id FROM users WHERE name = 'ida'")
    ida = Actor(int(str(user)), "ida", Role.ADMIN)
    await link(world, None, "the site's", ida)
    await link(world, await world.room(CreateRoom(kind="public", name="A room")), "a room's", ida)
    member = replace(ida, role=Role.MEMBER)
    await world.do(as_one(Role.ADMIN), SYSTEM)
    assert world.store.rows("SELECT count(*) FROM invites") == [(2,)]
    await world.do(as_one(Role.MEMBER), SYSTEM)
    own = await world.room(CreateRoom(kind="private", name="Her room"), member)
    await link(world, own, "her own", member)
    await world.do(as_one(Role.MEMBER), SYSTEM)
    assert world.store.rows("SELECT token_hash FROM invites") == [("her own",)]


async def test_a_rooms_invites_are_listed_in_pages_for_moderators_and_bounded(world: World) -> None:
    room = await private_room(world)
    site = await link(world, None, "site", world.owner)
    made = [await link(world, room, f"token{number}", expires_in=None) for number in range(invites.MAX_ROOM_INVITES)]
    with pytest.raises(Conflict, match="100 open invites"):
        await link(world, room, "one more", expires_in=None)
    await world.do(RevokeInvite(invite=made.pop()))
    made.append(await link(world, room, "in its place", expires_in=None))
    found: list[str] = []
    place, more = None, True
    while more:
        page = listed(world, world.alice, room, place, 30)
        assert isinstance(page["invites"], list)
        assert {invite["room"] for invite in page["invites"]} == {room}
        found, more = found + [invite["id"] for invite in page["invites"]], bool(page["more"])
        place = f"{page['invites'][-1]['created_at']},{found[-1]}"
    assert sorted(found) == sorted(made)
    ours = listed(world, world.owner, None)["invites"]
    assert isinstance(ours, list)
    assert [invite["id"] for invite in ours] == [site], "the site's list contains no invites into rooms"
    with pytest.raises(NotFound):
        listed(world, world.owner, room)
    with pytest.raises(NotFound):
        await world.do(RevokeInvite(invite=made[0]), world.owner)


async def test_the_same_key_returns_the_same_invite_and_another_room_is_a_conflict(world: World) -> None:
    room, other = await private_room(world), await private_room(world)
    asked = CreateInvite(token_hash="token", room=room, key="k")
    first = await world.do(asked)
    assert await world.do(asked) == first
    with pytest.raises(Conflict):
        await world.do(asked.model_copy(update={"room": other}))
    (refusal,) = await world.store.together([(asked.model_copy(update={"room": None}), world.alice)])
    assert isinstance(refusal, Forbidden)
