"""Log entries of account handlers, and races that one command must win."""

import asyncio
from collections import Counter

import pytest

from hubbub.domain.commands import (
    AddReaction,
    CloseGuest,
    CreateAccount,
    CreateInvite,
    CreateOneTimeToken,
    DeleteAccount,
    OpenGuest,
    OpenSession,
    PinMessage,
    RevokeInvite,
    SendMessage,
    SetDisabled,
    SetMemberRole,
    SetStatus,
)
from hubbub.domain.errors import Conflict, Forbidden, HubbubError, NotFound, Unauthenticated
from hubbub.domain.events import RoomRemoved, StatusChanged
from hubbub.domain.model import ANYBODY, LOBBY, SYSTEM, Actor, Role, RoomRole, Status
from hubbub.features import accounts, pins, presence, reactions, sessions
from hubbub.storage import log
from tests.support.world import World


async def guest(world: World, name: str) -> Actor:
    user = (await world.services.journal.submit(OpenGuest(username=name), ANYBODY)).answer["user"]
    return Actor(user.id, name, Role.GUEST, f"guest:{user.id}")


async def types(world: World, topic: str) -> list[str]:
    found = await world.services.read(log.entries, topic, 0)
    return [entry.event.type for entry in found]


async def outcome(world: World, command: CreateAccount) -> str:
    try:
        await world.services.journal.submit(command, ANYBODY)
    except HubbubError as error:
        return error.code
    return "ok"


async def test_an_invite_for_one_use_admits_one_of_fifty_concurrent_sign_ups(world: World) -> None:
    owner = Actor(await world.create("alice", Role.OWNER), "alice", Role.OWNER)
    for round_ in range(30):
        await world.services.journal.submit(CreateInvite(token_hash=f"hash {round_}"), owner)
        tries = [
            CreateAccount(username=f"p{round_}.{n}", password_hash="-", invite_hash=f"hash {round_}") for n in range(50)
        ]
        results = await asyncio.gather(*(outcome(world, command) for command in tries))
        assert Counter(results) == {"ok": 1, "forbidden": 49}


async def test_fifty_concurrent_sign_ups_with_one_name_create_one_account(world: World) -> None:
    tries = [CreateAccount(username="alice", password_hash="-", signup="open") for _ in range(50)]
    assert Counter(await asyncio.gather(*(outcome(world, command) for command in tries))) == {"ok": 1, "conflict": 49}


async def test_two_owners_who_disable_each_other_concurrently_leave_one_owner(world: World) -> None:
    first = Actor(await world.create("first", Role.OWNER), "first", Role.OWNER)
    second = Actor(await world.create("second", Role.OWNER), "second", Role.OWNER)
    journal = world.services.journal
    results = await asyncio.gather(
        journal.submit(SetDisabled(user=second.id, disabled=True), first),
        journal.submit(SetDisabled(user=first.id, disabled=True), second),
        return_exceptions=True,
    )
    assert [isinstance(result, Forbidden) for result in results] == [False, True]


async def test_a_guest_without_messages_is_deleted_on_close_and_the_name_is_free(world: World) -> None:
    first = await guest(world, "zoe")
    with pytest.raises(Conflict):
        await guest(world, "zoe")
    for _ in range(2):
        await world.services.journal.submit(CloseGuest(user=first.id), first)
    with pytest.raises(NotFound):
        await world.services.read(accounts.profile, first.id)
    assert (await types(world, f"room:{LOBBY}"))[-2:] == ["member.joined", "member.left"]
    assert (await guest(world, "zoe")).id != first.id


async def test_a_guest_with_messages_keeps_the_name_and_others_may_take_it(world: World) -> None:
    first = await guest(world, "zoe")
    await world.services.journal.submit(SendMessage(room=LOBBY, key="k", body="hello"), first)
    await world.services.journal.submit(CloseGuest(user=first.id), first)
    assert (await world.services.read(accounts.profile, first.id)).name == "zoe"
    assert await world.services.read(accounts.open_guests) == []
    assert (await guest(world, "zoe")).id != first.id


async def test_a_guest_who_only_reacted_or_pinned_is_still_listed_by_name_after_closing(world: World) -> None:
    boss = Actor(await world.create("alice", Role.OWNER), "alice", Role.OWNER)
    submit = world.services.journal.submit
    said = (await submit(SendMessage(room=LOBBY, key="k", body="hello"), boss)).answer["seq"]
    assert isinstance(said, int)
    zoe, eve = await guest(world, "zoe"), await guest(world, "eve")
    await submit(SetMemberRole(room=LOBBY, user=eve.id, role=RoomRole.MODERATOR), boss)
    await submit(AddReaction(room=LOBBY, message=said, emoji="👍"), zoe)
    await submit(PinMessage(room=LOBBY, message=said), eve)
    for person in (zoe, eve):
        await submit(CloseGuest(user=person.id), person)
    people = await world.services.read(reactions.listing, boss.id, (LOBBY, said), 0, 10)
    kept = await world.services.read(pins.listing, boss.id, LOBBY, None, 10)
    assert "'zoe'" in str(people)
    assert "'eve'" in str(kept)
    assert await world.services.read(accounts.open_guests) == []


async def test_a_guest_session_resolves_while_open_and_another_guest_cannot_close_it(world: World) -> None:
    zoe, eve = await guest(world, "zoe"), await guest(world, "eve")
    reference = sessions.guest(zoe.id, zoe.name).session
    found = await world.services.read(sessions.resolve, reference, world.clock.now())
    assert found is not None
    assert found.actor() == zoe
    with pytest.raises(Forbidden):
        await world.services.journal.submit(CloseGuest(user=zoe.id), eve)
    await world.services.journal.submit(CloseGuest(user=zoe.id), SYSTEM)
    assert await world.services.read(sessions.resolve, reference, world.clock.now()) is None


async def test_guests_cannot_take_names_of_users_or_reserved_names(world: World) -> None:
    await world.create("alice")
    for name in ("alice", "Alice", "system"):
        with pytest.raises(Conflict):
            await guest(world, name)


async def test_disabling_an_account_logs_the_lock_out_before_the_revocation(world: World) -> None:
    alice = await world.program("alice")
    await world.services.journal.submit(SetDisabled(user=alice.id, disabled=True), SYSTEM)
    assert await types(world, "security") == ["user.locked_out", "session.revoked"]
    assert (await types(world, f"user:{alice.id}"))[-1] == "session.closed"


async def test_deleting_an_account_writes_member_left_to_every_room_of_the_user(world: World) -> None:
    alice = await world.program("alice")
    rooms = [
        (await alice.post("/api/rooms", json={"kind": "public", "name": f"Room {n}"})).json()["room"]["id"]
        for n in range(3)
    ]
    await world.services.journal.submit(DeleteAccount(user=alice.id), SYSTEM)
    for room in (LOBBY, *rooms):
        assert (await types(world, f"room:{room}"))[-1] == "member.left"
    told = [entry.event for entry in await world.services.read(log.entries, f"user:{alice.id}", 0)]
    assert [event.why for event in told if isinstance(event, RoomRemoved)] == [None] * 4, (
        "memberships that end with the account have no reason"
    )
    with pytest.raises(NotFound):
        await world.services.journal.submit(DeleteAccount(user=alice.id), SYSTEM)


async def test_deleting_an_account_clears_the_chosen_status_for_readers_and_watchers(world: World) -> None:
    alice = Actor(await world.create("alice"), "alice", Role.MEMBER)
    journal = world.services.journal
    await journal.submit(SetStatus(status="dnd", text="In hospital", emoji="🏥"), alice)
    await journal.submit(DeleteAccount(user=alice.id), SYSTEM)
    entries = await world.services.read(log.entries, f"user:{alice.id}", 0)
    told = [entry.event.status for entry in entries if isinstance(entry.event, StatusChanged)]
    assert [chosen.text for chosen in told] == [None], "the text of the status is not in the log any more"
    ((chosen, _),) = (await world.services.read(presence.chosen, [alice.id], world.clock.now())).values()
    assert chosen == Status(status="online")


async def test_only_the_server_creates_one_time_tokens_and_setup_fails_once_there_is_an_owner(world: World) -> None:
    alice = Actor(await world.create("alice", Role.OWNER), "alice", Role.OWNER)
    journal = world.services.journal
    with pytest.raises(Forbidden):
        await journal.submit(CreateOneTimeToken(purpose="reset", token_hash="x", user=alice.id), alice)
    with pytest.raises(Conflict):
        await journal.submit(CreateOneTimeToken(purpose="setup", token_hash="x"), SYSTEM)
    with pytest.raises(NotFound):
        await journal.submit(CreateOneTimeToken(purpose="reset", token_hash="x", user=5), SYSTEM)


async def test_log_in_fails_if_the_password_changed_meanwhile(world: World) -> None:
    user = await world.create("alice")
    command = OpenSession(
        user=user, session="s", browser=False, token_hash=None, client="", idle=1, longest=1, seen_hash="an old hash"
    )
    with pytest.raises(Unauthenticated):
        await world.services.journal.submit(command, ANYBODY)


async def test_only_staff_may_revoke_an_invite(world: World) -> None:
    owner = Actor(await world.create("alice", Role.OWNER), "alice", Role.OWNER)
    bob = Actor(await world.create("bob"), "bob", Role.MEMBER)
    made = (await world.services.journal.submit(CreateInvite(token_hash="h", max_uses=None), owner)).answer["invite"]
    with pytest.raises(Forbidden):
        await world.services.journal.submit(RevokeInvite(invite=str(made["id"])), bob)
    await world.services.journal.submit(RevokeInvite(invite=str(made["id"])), owner)
    assert await outcome(world, CreateAccount(username="eve", password_hash="-", invite_hash="h")) == "forbidden"
