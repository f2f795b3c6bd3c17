"""Sign-up, invites and deletion of accounts."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from hubbub.domain.model import LOBBY, Role
from tests.support.world import PASSWORD, Person, World, world_at


def new(username: str, password: str = PASSWORD, **more: Any) -> dict[str, Any]:
    return {"username": username, "password": password, **more}


async def sign_up(person: Person, username: str, **more: Any) -> httpx.Response:
    return await person.post("/api/users", json=new(username, **more))


async def test_the_setup_link_creates_the_owner_and_works_once(world: World) -> None:
    visitor = world.visitor()
    assert (await visitor.get("/api/site")).json()["needs_owner"] is True
    token = await world.setup_token()
    answer = await sign_up(visitor, "alice", setup=token)
    assert (answer.status_code, answer.json()["role"]) == (201, "owner")
    assert (await visitor.get("/api/site")).json()["needs_owner"] is False
    assert (await sign_up(visitor, "bob", setup=token)).status_code == 403


async def test_a_new_setup_link_replaces_the_older_one(world: World) -> None:
    older, newer = await world.setup_token(), await world.setup_token()
    visitor = world.visitor()
    assert (await sign_up(visitor, "alice", setup=older)).status_code == 403
    assert (await sign_up(visitor, "alice", setup=newer)).status_code == 201


async def test_open_sign_up_creates_a_member_even_without_an_owner(world: World) -> None:
    answer = await sign_up(world.visitor(), "alice")
    assert (answer.status_code, answer.json()["role"]) == (201, "member")
    assert (await world.visitor().get("/api/site")).json()["needs_owner"] is True


async def test_fifty_concurrent_sign_ups_with_one_setup_link_create_one_owner(world: World) -> None:
    token = await world.setup_token()
    visitor = world.visitor()
    answers = await asyncio.gather(*(sign_up(visitor, f"person{n}", setup=token) for n in range(50)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 403: 49}


async def test_fifty_concurrent_sign_ups_with_an_invite_for_one_use_create_one_member(tmp_path: Path) -> None:
    async with world_at(tmp_path / "data", signup="invite") as world:
        alice = await world.program("alice", Role.OWNER)
        invite = (await alice.post("/api/invites", json={})).json()
        visitor = world.visitor()
        answers = await asyncio.gather(*(sign_up(visitor, f"person{n}", invite=invite["token"]) for n in range(50)))
        assert Counter(answer.status_code for answer in answers) == {201: 1, 403: 49}
        assert (await alice.get("/api/invites")).json() == {"invites": [], "more": False}


async def test_an_invite_admits_as_many_users_as_it_has_uses(tmp_path: Path) -> None:
    async with world_at(tmp_path / "data", signup="invite") as world:
        alice = await world.program("alice", Role.ADMIN)
        assert (await sign_up(world.visitor(), "eve")).status_code == 403
        invite = (await alice.post("/api/invites", json={"max_uses": 2})).json()
        assert invite["link"] == f"http://127.0.0.1:8000/invite#{invite['token']}"
        checked = await world.visitor().post("/api/invites/check", json={"token": invite["token"]})
        assert checked.json() == {"valid": True, "room": None, "room_name": None, "signup": True}
        codes = [(await sign_up(world.visitor(), f"p{n}", invite=invite["token"])).status_code for n in range(3)]
        assert codes == [201, 201, 403]


@pytest.mark.parametrize("how", ["revoked", "expired", "unknown"])
async def test_a_revoked_expired_or_unknown_invite_admits_no_users(tmp_path: Path, how: str) -> None:
    async with world_at(tmp_path / "data", signup="invite") as world:
        alice = await world.program("alice", Role.OWNER)
        invite = (await alice.post("/api/invites", json={"max_uses": None, "expires_in": 60})).json()
        token = invite["token"]
        if how == "revoked":
            assert (await alice.ask("DELETE", f"/api/invites/{invite['id']}")).status_code == 204
            assert (await alice.ask("DELETE", f"/api/invites/{invite['id']}")).status_code == 404
        elif how == "expired":
            world.clock.ahead = 61
        else:
            token = "another"
        assert (await world.visitor().post("/api/invites/check", json={"token": token})).json()["valid"] is False
        assert (await sign_up(world.visitor(), "bob", invite=token)).status_code == 403


async def test_the_same_key_returns_the_same_invite_and_token(world: World) -> None:
    alice = await world.program("alice", Role.OWNER)
    first = (await alice.post("/api/invites", json={"key": "k"})).json()
    assert (await alice.post("/api/invites", json={"key": "k"})).json() == first
    assert (await alice.post("/api/invites", json={"key": "k", "max_uses": 9})).status_code == 409


async def test_members_cannot_create_list_or_revoke_invites(world: World) -> None:
    bob = await world.program("bob")
    assert (await bob.post("/api/invites", json={})).status_code == 403
    assert (await bob.get("/api/invites")).status_code == 403
    assert (await bob.ask("DELETE", "/api/invites/x")).status_code == 404


async def test_closed_sign_up_admits_only_the_owner(tmp_path: Path) -> None:
    async with world_at(tmp_path / "data", signup="closed") as world:
        assert (await sign_up(world.visitor(), "bob")).status_code == 403
        assert (await sign_up(world.visitor(), "alice", setup=await world.setup_token())).status_code == 201
        alice = await world.token("alice")
        token = (await alice.post("/api/invites", json={})).json()["token"]
        assert (await sign_up(world.visitor(), "bob", invite=token)).status_code == 403


async def test_sign_up_without_an_invite_does_not_reveal_taken_names(tmp_path: Path) -> None:
    async with world_at(tmp_path / "data", signup="invite") as world:
        await world.create("alice")
        taken, free = await sign_up(world.visitor(), "alice"), await sign_up(world.visitor(), "zoe")
        assert (taken.status_code, taken.content) == (free.status_code, free.content)


@pytest.mark.parametrize("name", ["alice", "ALICE", "аlice", "ａlice", "here", "System", "deleted-7"])
async def test_a_taken_reserved_or_lookalike_name_is_refused(world: World, name: str) -> None:
    await world.create("alice")
    answer = await sign_up(world.visitor(), name)
    # A name that mixes two scripts is invalid.
    assert answer.status_code == (400 if name == "аlice" else 409), answer.text


async def test_the_operator_may_create_users_with_reserved_names(world: World) -> None:
    assert await world.create("system", Role.ADMIN) > 0


@pytest.mark.parametrize(
    ("password", "status"),
    [
        ("1234567", 400), ("12345678", 400), ("Password1", 400), ("aaaaaaaaaa", 400), ("somebody", 400),
        ("somebody1", 400), ("x7 q9 zz", 201), ("пароль-на-ночь", 201), ("abc7" * 256, 201), ("abc7" * 256 + "a", 400),
        ("é9" * 341 + "a", 201), ("é9" * 341 + "ab", 400),
    ],
)  # fmt: skip
async def test_passwords_are_accepted_within_their_limits_and_refused_beyond(
    world: World, password: str, status: int
) -> None:
    assert (await sign_up(world.visitor(), "somebody", password=password)).status_code == status


async def test_extra_fields_at_sign_up_give_no_privileges(world: World) -> None:
    """CVE-2022-31168: all columns of the table as extra fields.

    The account is a plain member.
    """
    extra = {"role": "owner", "id": 1, "disabled": False, "password_hash": "x", "skeleton": "x", "created_at": 1}
    answer = await sign_up(world.visitor(), "mallory", **extra, signup="open", setup_hash="x", invite_hash="x")
    assert (answer.status_code, answer.json()["role"]) == (201, "member")
    assert answer.json()["id"] != 1


async def test_new_users_are_in_the_lobby(world: World) -> None:
    alice = await world.program("alice")
    room = (await alice.get("/api/rooms")).json()["rooms"][0]
    assert (room["id"], room["lobby"], room["joined"], room["unread_count"]) == (LOBBY, True, True, 0)
    events = (await alice.get(f"/api/topics/user:{alice.id}/events?after=0")).json()["events"]
    assert [event["type"] for event in events] == ["room.added", "session.opened"]


async def test_a_deleted_account_leaves_its_messages_and_frees_its_name(world: World) -> None:
    alice, bob = await world.program("alice"), await world.program("bob")
    await bob.post(f"/api/rooms/{LOBBY}/messages", json={"key": "k", "body": "I was here"})
    own = (await bob.post("/api/rooms", json={"kind": "public", "name": "Bob's"})).json()["room"]["id"]
    assert (await bob.ask("DELETE", "/api/users/me", json={"password": "wrong"})).status_code == 403
    assert (await bob.ask("DELETE", "/api/users/me", json={"password": PASSWORD})).status_code == 204

    assert (await bob.get("/users/me")).status_code == 401
    refused = await world.visitor().post("/token", data={"username": "bob", "password": PASSWORD})
    assert refused.status_code == 401
    page = (await alice.get(f"/api/rooms/{LOBBY}/messages")).json()["messages"]
    assert [(m["body"], m["name"]) for m in page] == [("I was here", f"deleted-{bob.id}")]
    last = (await alice.get(f"/api/topics/room:{LOBBY}/events?after=2")).json()["events"][-1]
    assert (last["type"], last["user"], last["user_name"]) == ("member.left", bob.id, "bob")
    assert (await alice.get(f"/api/rooms/{own}")).json()["room"]["member_count"] == 0
    assert (await alice.get(f"/api/users/{bob.id}")).json()["name"] == f"deleted-{bob.id}"
    again = await sign_up(world.visitor(), "bob")
    assert again.status_code == 201
    assert again.json()["id"] != bob.id


async def test_the_last_owner_cannot_delete_the_account(world: World) -> None:
    alice = await world.program("alice", Role.OWNER)
    body = {"password": PASSWORD}
    assert (await alice.ask("DELETE", "/api/users/me", json=body)).status_code == 403
    await world.create("second", Role.OWNER)
    assert (await alice.ask("DELETE", "/api/users/me", json=body)).status_code == 204


async def test_two_hundred_concurrent_requests_each_get_their_own_profile(world: World) -> None:
    """CVE-2020-35681: request scopes were mixed up."""
    people = [await world.program(f"person{n}") for n in range(5)]
    answers = await asyncio.gather(*(people[n % 5].get("/users/me") for n in range(200)))
    assert [answer.json()["name"] for answer in answers] == [f"person{n % 5}" for n in range(200)]


async def test_a_message_sent_twice_over_rest_with_one_key_is_one_message(world: World) -> None:
    alice = await world.program("alice")
    sent = await alice.post(f"/api/rooms/{LOBBY}/messages", json={"key": "k", "body": "hello"})
    again = await alice.post(f"/api/rooms/{LOBBY}/messages", json={"key": "k", "body": "hello"})
    assert (sent.status_code, again.json()) == (201, sent.json())
    assert (await alice.post(f"/api/rooms/{LOBBY}/messages", json={"key": "k", "body": "other"})).status_code == 409
