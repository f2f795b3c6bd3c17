"""Logging in, authentication of requests, and the end of sessions."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from hubbub.domain.commands import SetDisabled
from hubbub.domain.errors import Forbidden
from hubbub.domain.model import LOBBY, SYSTEM, Actor, Role
from hubbub.features import sessions
from hubbub.protocol.tokens import secret_hash
from hubbub.storage.schema import sessions as stored_sessions
from tests.support.waiting import eventually_async
from tests.support.world import PASSWORD, SAME_ORIGIN, World, world_at

DAY = 86_400
CLOSED_TO_STRANGERS = [
    ("GET", "/users/me"), ("GET", "/api/sessions"), ("GET", "/api/rooms"), ("GET", f"/api/rooms/{LOBBY}"),
    ("GET", f"/api/rooms/{LOBBY}/members"), ("GET", f"/api/rooms/{LOBBY}/online-members"),
    ("GET", f"/api/rooms/{LOBBY}/messages"), ("GET", "/api/topics/site/events?after=0"), ("GET", "/api/invites"),
    ("POST", "/api/logout"), ("POST", f"/api/rooms/{LOBBY}/join"), ("DELETE", "/api/sessions/x"),
]  # fmt: skip


async def test_the_token_route_answers_as_in_the_fastapi_tutorial(world: World) -> None:
    await world.create("alice")
    visitor = world.visitor()
    for extra in ({}, {"grant_type": "password", "scope": "", "client_id": "x", "client_secret": "y"}):
        answer = await visitor.post("/token", data={"username": "alice", "password": PASSWORD, **extra})
        assert answer.status_code == 200
        assert answer.json().keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
        assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("bearer", 600)
        assert answer.headers["cache-control"] == "no-store"
    refused = await visitor.post("/token", data={"username": "alice", "password": "wrong"})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.json()["detail"] == refused.json()["error"]["message"]


async def test_the_own_profile_greets_the_user(world: World) -> None:
    alice = await world.program("alice", Role.OWNER)
    found = (await alice.get("/users/me")).json()
    assert (found["id"], found["name"], found["username"], found["role"]) == (alice.id, "alice", "alice", "owner")
    assert "alice" in found["message"]


@pytest.mark.parametrize("route", ["/api/login", "/token"])
async def test_a_wrong_password_an_unknown_name_and_a_disabled_user_get_the_same_answer(
    world: World, route: str
) -> None:
    await world.create("alice")
    user = await world.create("carol")
    await world.services.journal.submit(SetDisabled(user=user, disabled=True), SYSTEM)
    answers = []
    for name, password in [
        ("alice", "wrong"), ("nobody-here", "wrong"), ("carol", PASSWORD), ("alice", "x" * 5_000), ("no name #", "x"),
        ("", ""),
    ]:  # fmt: skip
        body = {"username": name, "password": password}
        visitor = world.visitor()
        answer = await visitor.post(route, json=body) if route == "/api/login" else await visitor.post(route, data=body)
        answers.append((answer.status_code, answer.content))
    assert len(set(answers)) == 1
    assert answers[0][0] == 401


async def test_the_session_cookie_is_not_readable_by_scripts(world: World) -> None:
    await world.create("alice")
    answer = await world.visitor().post("/api/login", json={"username": "alice", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("hubbub_session=")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


async def test_over_https_the_cookie_is_bound_to_the_host(tmp_path: Path) -> None:
    async with world_at(tmp_path / "data", public_url="https://chat.example.org") as world:
        await world.create("alice")
        answer = await world.visitor().post("/api/login", json={"username": "alice", "password": PASSWORD})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-hubbub_session=")
        assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
        assert "domain" not in cookie.lower()
        assert "max-age=31536000" in answer.headers["strict-transport-security"]
        value = cookie.split(";")[0].partition("=")[2]
        for name, status in (("__Host-hubbub_session", 200), ("hubbub_session", 401)):
            found = await world.visitor().get("/users/me", headers={"Cookie": f"{name}={value}"})
            assert found.status_code == status


async def test_each_log_in_opens_a_session_of_its_own(world: World) -> None:
    await world.create("alice")
    first, second = await world.browser("alice"), await world.browser("alice")
    assert first.client.cookies["hubbub_session"] != second.client.cookies["hubbub_session"]
    assert len((await first.get("/api/sessions")).json()["sessions"]) == 2


@pytest.mark.parametrize("kind", ["browser", "token"])
async def test_a_credential_is_refused_everywhere_after_log_out(world: World, kind: str) -> None:
    await world.create("alice")
    alice = await (world.browser if kind == "browser" else world.token)("alice")
    stolen = world.visitor()
    stolen.client.headers.update(SAME_ORIGIN)
    if kind == "token":
        stolen.client.headers["Authorization"] = alice.client.headers["Authorization"]
    stolen.client.headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in alice.client.cookies.items())
    assert (await stolen.get("/users/me")).status_code == 200
    assert (await alice.post("/api/logout")).status_code == 204
    for method, path in CLOSED_TO_STRANGERS:
        assert (await stolen.ask(method, path)).status_code == 401, path
    if kind == "token":
        assert (await stolen.post("/token/refresh", json={"refresh_token": alice.refresh})).status_code == 401


async def test_a_refresh_token_is_good_until_its_successor_was_used(world: World) -> None:
    """Answers get lost, for longer than a moment: an hour passes before each step."""
    await world.create("alice")
    first = (await world.token("alice")).refresh

    async def refresh(token: str) -> tuple[int, str, str]:
        world.clock.ahead += 3_600.0
        answer = await world.visitor().post("/token/refresh", json={"refresh_token": token})
        found = answer.json()
        return answer.status_code, found.get("refresh_token", ""), found.get("access_token", "")

    async def use(access: str) -> int:
        headers = {"Authorization": f"Bearer {access}"}
        return (await world.visitor().get("/users/me", headers=headers)).status_code

    _, second, _ = await refresh(first)
    status, again, access = await refresh(first)
    assert (status, again) == (200, second), "the first answer was lost: the same pair comes again"
    _, third, _ = await refresh(second)
    status, again, access = await refresh(second)
    assert (status, again) == (200, third)
    assert await use(access) == 200
    await eventually_async(lambda: confirmed(world), 10, "the use is noted")
    assert (await refresh(second))[0] == 401, "control: now only a copy can come with the former token"
    assert (await refresh(third))[0] == 401
    assert await use(access) == 401


async def confirmed(world: World) -> bool:
    def find(connection: Connection) -> bool:
        return all(connection.scalars(select(stored_sessions.c.confirmed)))

    return await world.services.read(find)


async def test_a_revoked_session_is_refused_and_other_sessions_are_notified(world: World) -> None:
    alice, other = await world.program("alice"), await world.token("alice")
    sessions = (await alice.get("/api/sessions")).json()["sessions"]
    victim = next(session["id"] for session in sessions if not session["current"])
    assert (await alice.ask("DELETE", f"/api/sessions/{victim}")).status_code == 204
    assert (await alice.ask("DELETE", f"/api/sessions/{victim}")).status_code == 404
    assert (await other.get("/users/me")).status_code == 401
    events = (await alice.get(f"/api/topics/user:{alice.id}/events?after=0")).json()["events"]
    assert (events[-1]["type"], events[-1]["session"]) == ("session.closed", victim)


async def test_users_cannot_end_sessions_of_others(world: World) -> None:
    alice, bob = await world.program("alice"), await world.program("bob")
    session = (await alice.get("/api/sessions")).json()["sessions"][0]["id"]
    assert (await bob.ask("DELETE", f"/api/sessions/{session}")).status_code == 404
    assert (await alice.get("/users/me")).status_code == 200


async def test_an_idle_session_ends_after_two_weeks_and_any_session_after_ninety_days(world: World) -> None:
    await world.create("alice")
    idle, busy = await world.browser("alice"), await world.browser("alice")
    for day in range(10, 90, 10):
        world.clock.ahead = day * DAY
        assert (await busy.get("/users/me")).status_code == 200
        await busy.get("/users/me")  # By now the last use is written: there is one writer, in order.
        await world.services.journal.submit(SetDisabled(user=busy.id, disabled=False), SYSTEM)
    assert (await idle.get("/users/me")).status_code == 401
    world.clock.ahead = 90 * DAY + 1
    assert (await busy.get("/users/me")).status_code == 401


async def test_a_disabled_user_is_refused_everywhere(world: World) -> None:
    alice = await world.program("alice")
    browser = await world.browser("alice")
    await world.services.journal.submit(SetDisabled(user=alice.id, disabled=True), SYSTEM)
    for person in (alice, browser):
        assert (await person.get("/users/me")).status_code == 401
        assert (await person.post(f"/api/rooms/{LOBBY}/messages", json={"key": "k", "body": "x"})).status_code == 401
    assert (await world.visitor().post("/token/refresh", json={"refresh_token": alice.refresh})).status_code == 401
    form = {"username": "alice", "password": PASSWORD}
    assert (await world.visitor().post("/token", data=form)).status_code == 401
    assert (await world.visitor().post("/api/login", json=form)).status_code == 401
    await world.services.journal.submit(SetDisabled(user=alice.id, disabled=False), SYSTEM)
    assert (await alice.get("/users/me")).status_code == 401
    assert (await world.visitor().post("/token", data=form)).status_code == 200


async def test_a_session_is_listed_with_its_client_and_without_secrets(world: World) -> None:
    await world.create("alice")
    alice = world.visitor()
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
    alice.client.headers["User-Agent"] = agent
    await alice.post("/api/login", json={"username": "alice", "password": PASSWORD})
    answer = await alice.get("/api/sessions")
    (session,) = answer.json()["sessions"]
    assert (session["client"], session["kind"], session["current"]) == ("Firefox on Linux", "browser", True)
    secret = alice.client.cookies["hubbub_session"]
    assert secret not in answer.text
    assert secret_hash(secret) not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Authorization": ""}, {"Authorization": "Bearer"}, {"Authorization": "Bearer "},
        {"Authorization": "Bearer null"}, {"Authorization": "Bearer 1-"}, {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer " + "a" * 20_000}, {"Authorization": "Bearer a.b.c"}, {"Cookie": "hubbub_session="},
        {"Cookie": "hubbub_session=1-"}, {"Cookie": "hubbub_session=" + "0" * 64}, {"Cookie": "=;;;=hubbub_session"},
    ],
)  # fmt: skip
async def test_a_malformed_credential_is_refused(world: World, headers: dict[str, str]) -> None:
    await world.create("alice")
    for method, path in CLOSED_TO_STRANGERS:
        assert (await world.visitor().ask(method, path, headers={**headers, **SAME_ORIGIN})).status_code == 401


async def test_a_stored_session_id_or_hash_is_not_a_credential(world: World) -> None:
    """Neither a session's id nor the hash of its cookie is a credential.

    The database looks up both.
    """
    await world.create("alice")
    alice = await world.browser("alice")
    session = (await alice.get("/api/sessions")).json()["sessions"][0]["id"]
    stored = secret_hash(alice.client.cookies["hubbub_session"])
    for value in (session, stored):
        assert (
            await world.visitor().get("/users/me", headers={"Cookie": f"hubbub_session={value}"})
        ).status_code == 401
    token = world.services.tokens.access(alice.id, session, world.clock.now())
    # The server never issues a token for a browser's session; one that is signed anyway is refused.
    assert (await world.visitor().get("/users/me", headers={"Authorization": f"Bearer {token}"})).status_code == 401


async def test_admins_can_disable_members_only_and_no_user_can_disable_themselves(world: World) -> None:
    owner = await world.create("owner1", Role.OWNER)
    admin, other = await world.create("a1", Role.ADMIN), await world.create("a2", Role.ADMIN)
    member = await world.create("m1")

    async def lock(actor: Actor, user: int) -> None:
        await world.services.journal.submit(SetDisabled(user=user, disabled=True), actor)

    boss = Actor(admin, "a1", Role.ADMIN)
    for actor, user in [
        (boss, admin), (boss, other), (boss, owner), (Actor(member, "m1", Role.MEMBER), other),
        (Actor(owner, "owner1", Role.OWNER), owner), (SYSTEM, owner),
    ]:  # fmt: skip
        with pytest.raises(Forbidden):
            await lock(actor, user)
    await lock(boss, member)
    await lock(Actor(owner, "owner1", Role.OWNER), other)


async def test_a_new_session_over_the_limit_ends_the_oldest_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 3)
    alice = await world.program("alice")
    for seconds in range(1, 4):
        world.clock.ahead = seconds
        latest = await world.token("alice")
    assert (await alice.get("/users/me")).status_code == 401
    assert len((await latest.get("/api/sessions")).json()["sessions"]) == 3
