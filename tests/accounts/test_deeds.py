"""What the deeds leave in the logs, and races that must have one winner."""

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
    SetPresence,
    SetRoomRole,
)
from hubbub.domain.errors import Conflict, Forbidden, HubbubError, NotFound, Unauthenticated
from hubbub.domain.events import RoomRemoved, StatusChanged
from hubbub.domain.model import ANYBODY, LOBBY, SYSTEM, Actor, Role, RoomRole, Status
from hubbub.features import accounts, pins, presence, reactions, sessions
from hubbub.storage import log
from tests.support.place import Place


async def guest(here: Place, name: str) -> Actor:
    user = (await here.services.journal.submit(OpenGuest(username=name), ANYBODY)).answer["user"]
    assert isinstance(user, dict)
    return Actor(int(user["id"]), name, Role.GUEST, f"guest:{user['id']}")


async def types(here: Place, topic: str) -> list[str]:
    found = await here.services.read(log.entries, topic, 0)
    return [entry.event.type for entry in found]


async def outcome(here: Place, command: CreateAccount) -> str:
    try:
        await here.services.journal.submit(command, ANYBODY)
    except HubbubError as error:
        return error.code
    return "ok"


async def test_in_thirty_rounds_of_fifty_an_invite_for_one_lets_in_one(here: Place) -> None:
    owner = Actor(await here.create("alice", Role.OWNER), "alice", Role.OWNER)
    for round_ in range(30):
        await here.services.journal.submit(CreateInvite(token_hash=f"hash {round_}"), owner)
        tries = [
            CreateAccount(username=f"p{round_}.{n}", password_hash="-", invite_hash=f"hash {round_}") for n in range(50)
        ]
        results = await asyncio.gather(*(outcome(here, command) for command in tries))
        assert Counter(results) == {"ok": 1, "forbidden": 49}


async def test_fifty_at_once_on_one_name_give_it_to_one(here: Place) -> None:
    tries = [CreateAccount(username="alice", password_hash="-", signup="open") for _ in range(50)]
    assert Counter(await asyncio.gather(*(outcome(here, command) for command in tries))) == {"ok": 1, "conflict": 49}


async def test_two_owners_who_lock_out_each_other_leave_one(here: Place) -> None:
    first = Actor(await here.create("first", Role.OWNER), "first", Role.OWNER)
    second = Actor(await here.create("second", Role.OWNER), "second", Role.OWNER)
    journal = here.services.journal
    results = await asyncio.gather(
        journal.submit(SetDisabled(user=second.id, disabled=True), first),
        journal.submit(SetDisabled(user=first.id, disabled=True), second),
        return_exceptions=True,
    )
    assert [isinstance(result, Forbidden) for result in results] == [False, True]


async def test_a_guest_who_said_nothing_is_forgotten_and_the_name_is_free(here: Place) -> None:
    first = await guest(here, "zoe")
    with pytest.raises(Conflict):
        await guest(here, "zoe")
    for _ in range(2):
        await here.services.journal.submit(CloseGuest(user=first.id), first)
    with pytest.raises(NotFound):
        await here.services.read(accounts.profile, first.id)
    assert (await types(here, f"room:{LOBBY}"))[-2:] == ["member.joined", "member.left"]
    assert (await guest(here, "zoe")).id != first.id


async def test_a_guest_who_spoke_stays_under_the_name_that_others_may_take(here: Place) -> None:
    first = await guest(here, "zoe")
    await here.services.journal.submit(SendMessage(room=LOBBY, key="k", body="hello"), first)
    await here.services.journal.submit(CloseGuest(user=first.id), first)
    assert (await here.services.read(accounts.profile, first.id)).name == "zoe"
    assert await here.services.read(accounts.open_guests) == []
    assert (await guest(here, "zoe")).id != first.id


async def test_a_guest_who_only_reacted_or_pinned_leaves_no_nameless_person_behind(here: Place) -> None:
    boss = Actor(await here.create("alice", Role.OWNER), "alice", Role.OWNER)
    submit = here.services.journal.submit
    said = (await submit(SendMessage(room=LOBBY, key="k", body="hello"), boss)).answer["seq"]
    assert isinstance(said, int)
    zoe, eve = await guest(here, "zoe"), await guest(here, "eve")
    await submit(SetRoomRole(room=LOBBY, user=eve.id, role=RoomRole.MODERATOR), boss)
    await submit(AddReaction(room=LOBBY, message=said, emoji="👍"), zoe)
    await submit(PinMessage(room=LOBBY, message=said), eve)
    for person in (zoe, eve):
        await submit(CloseGuest(user=person.id), person)
    people = await here.services.read(reactions.listing, boss.id, (LOBBY, said), 0, 10)
    kept = await here.services.read(pins.listing, boss.id, LOBBY, None, 10)
    assert "'zoe'" in str(people)
    assert "'eve'" in str(kept)
    assert await here.services.read(accounts.open_guests) == []


async def test_a_guest_is_recognised_while_the_account_is_open_and_closed_by_nobody_else(here: Place) -> None:
    zoe, eve = await guest(here, "zoe"), await guest(here, "eve")
    reference = sessions.guest(zoe.id, zoe.name).session
    found = await here.services.read(sessions.resolve, reference, here.clock.now())
    assert found is not None
    assert found.actor() == zoe
    with pytest.raises(Forbidden):
        await here.services.journal.submit(CloseGuest(user=zoe.id), eve)
    await here.services.journal.submit(CloseGuest(user=zoe.id), SYSTEM)
    assert await here.services.read(sessions.resolve, reference, here.clock.now()) is None


async def test_a_guest_name_is_nobody_elses(here: Place) -> None:
    await here.create("alice")
    for name in ("alice", "Alice", "system"):
        with pytest.raises(Conflict):
            await guest(here, name)


async def test_a_lock_out_is_told_before_the_sessions_end(here: Place) -> None:
    alice = await here.program("alice")
    await here.services.journal.submit(SetDisabled(user=alice.id, disabled=True), SYSTEM)
    assert await types(here, "security") == ["user.locked_out", "session.revoked"]
    assert (await types(here, f"user:{alice.id}"))[-1] == "session.closed"


async def test_a_deletion_writes_to_every_room_the_person_was_in(here: Place) -> None:
    alice = await here.program("alice")
    rooms = [
        (await alice.post("/api/rooms", json={"kind": "public", "name": f"Room {n}"})).json()["room"]["id"]
        for n in range(3)
    ]
    await here.services.journal.submit(DeleteAccount(user=alice.id), SYSTEM)
    for room in (LOBBY, *rooms):
        assert (await types(here, f"room:{room}"))[-1] == "member.left"
    told = [entry.event for entry in await here.services.read(log.entries, f"user:{alice.id}", 0)]
    assert [event.why for event in told if isinstance(event, RoomRemoved)] == [None] * 4, "it ended with the account"
    with pytest.raises(NotFound):
        await here.services.journal.submit(DeleteAccount(user=alice.id), SYSTEM)


async def test_what_a_deleted_person_said_of_himself_is_forgotten_also_by_those_who_look_on(here: Place) -> None:
    alice = Actor(await here.create("alice"), "alice", Role.MEMBER)
    journal = here.services.journal
    await journal.submit(SetPresence(status="dnd", text="In hospital", emoji="🏥"), alice)
    await journal.submit(DeleteAccount(user=alice.id), SYSTEM)
    entries = await here.services.read(log.entries, f"user:{alice.id}", 0)
    told = [entry.event.chosen for entry in entries if isinstance(entry.event, StatusChanged)]
    assert [chosen.text for chosen in told] == ["In hospital", None]
    ((chosen, _),) = (await here.services.read(presence.chosen, [alice.id], here.clock.now())).values()
    assert chosen == Status(status="online")


async def test_links_are_made_by_the_server_alone_and_never_a_second_owner(here: Place) -> None:
    alice = Actor(await here.create("alice", Role.OWNER), "alice", Role.OWNER)
    journal = here.services.journal
    with pytest.raises(Forbidden):
        await journal.submit(CreateOneTimeToken(purpose="reset", token_hash="x", user=alice.id), alice)
    with pytest.raises(Conflict):
        await journal.submit(CreateOneTimeToken(purpose="setup", token_hash="x"), SYSTEM)
    with pytest.raises(NotFound):
        await journal.submit(CreateOneTimeToken(purpose="reset", token_hash="x", user=5), SYSTEM)


async def test_a_log_in_is_in_vain_when_the_password_changed_meanwhile(here: Place) -> None:
    user = await here.create("alice")
    command = OpenSession(
        user=user, session="s", browser=False, token_hash=None, client="", idle=1, longest=1, seen_hash="an old hash"
    )
    with pytest.raises(Unauthenticated):
        await here.services.journal.submit(command, ANYBODY)


async def test_an_invite_is_taken_back_by_staff_only(here: Place) -> None:
    owner = Actor(await here.create("alice", Role.OWNER), "alice", Role.OWNER)
    bob = Actor(await here.create("bob"), "bob", Role.MEMBER)
    made = (await here.services.journal.submit(CreateInvite(token_hash="h", max_uses=None), owner)).answer["invite"]
    assert isinstance(made, dict)
    with pytest.raises(Forbidden):
        await here.services.journal.submit(RevokeInvite(invite=made["id"]), bob)
    await here.services.journal.submit(RevokeInvite(invite=made["id"]), owner)
    assert await outcome(here, CreateAccount(username="eve", password_hash="-", invite_hash="h")) == "forbidden"
