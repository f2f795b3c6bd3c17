"""Changing a password, and resetting it with a link."""

from argon2 import PasswordHasher

from hubbub.domain.commands import ChangePassword, CreateOneTimeToken, SetDisabled
from hubbub.domain.model import SYSTEM
from hubbub.features import accounts
from hubbub.protocol.tokens import secret_hash
from tests.support.world import PASSWORD, World


async def test_a_new_password_ends_all_other_sessions(world: World) -> None:
    await world.create("alice")
    browser, other, program = await world.browser("alice"), await world.browser("alice"), await world.token("alice")
    old = browser.client.cookies["hubbub_session"]
    body = {"current_password": PASSWORD, "new_password": "a much better one"}
    wrong = await browser.ask("PUT", "/api/users/me/password", json={**body, "current_password": "wrong"})
    assert wrong.status_code == 403
    assert (await browser.ask("PUT", "/api/users/me/password", json=body)).status_code == 204
    assert browser.client.cookies["hubbub_session"] != old
    assert (await browser.get("/users/me")).status_code == 200
    assert (await world.visitor().get("/users/me", headers={"Cookie": f"hubbub_session={old}"})).status_code == 401
    assert (await other.get("/users/me")).status_code == 401
    assert (await program.get("/users/me")).status_code == 401
    assert (await program.post("/token/refresh", json={"refresh_token": program.refresh})).status_code == 401
    assert (
        await world.visitor().post("/api/login", json={"username": "alice", "password": PASSWORD})
    ).status_code == 401
    assert (await world.token("alice", "a much better one")).name == "alice"


async def test_a_program_keeps_its_session_when_it_changes_its_password(world: World) -> None:
    alice = await world.program("alice")
    body = {"current_password": PASSWORD, "new_password": "a much better one"}
    assert (await alice.ask("PUT", "/api/users/me/password", json=body)).status_code == 204
    assert (await alice.get("/users/me")).status_code == 200


async def test_a_reset_link_sets_the_password_once(world: World) -> None:
    alice = await world.program("alice")
    await _reset_link(world, alice.id, "token")
    visitor = world.visitor()
    assert (await visitor.post("/api/reset", json={"token": "other", "password": "a new password"})).status_code == 403
    assert (await visitor.post("/api/reset", json={"token": "token", "password": "short"})).status_code == 400
    assert (await visitor.post("/api/reset", json={"token": "token", "password": "a new password"})).status_code == 204
    assert (await visitor.post("/api/reset", json={"token": "token", "password": "a new password"})).status_code == 403
    assert (await alice.get("/users/me")).status_code == 401
    assert (await world.token("alice", "a new password")).name == "alice"


async def test_a_reset_link_expires(world: World) -> None:
    alice = await world.program("alice")
    await _reset_link(world, alice.id, "token")
    world.clock.ahead = 3_601
    answer = await world.visitor().post("/api/reset", json={"token": "token", "password": "a new password"})
    assert answer.status_code == 403


async def test_the_reset_link_of_a_locked_account_is_answered_as_an_unknown_one(world: World) -> None:
    """Otherwise the link tells that the account exists and is locked."""
    alice = await world.program("alice")
    await _reset_link(world, alice.id, "token")
    await world.services.journal.submit(SetDisabled(user=alice.id, disabled=True), SYSTEM)
    given = {"password": "a new password"}
    locked = await world.visitor().post("/api/reset", json={**given, "token": "token"})
    unknown = await world.visitor().post("/api/reset", json={**given, "token": "other"})
    assert (locked.status_code, locked.content) == (unknown.status_code, unknown.content)
    assert locked.status_code == 403


async def _reset_link(world: World, user: int, token: str) -> None:
    expires = world.clock.now() + 3_600_000
    command = CreateOneTimeToken(purpose="reset", token_hash=secret_hash(token), user=user, expires=expires)
    await world.services.journal.submit(command, SYSTEM)


async def test_a_log_in_rehashes_a_weak_password_hash(world: World) -> None:
    user = await world.create("alice")
    weak = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(PASSWORD)
    await world.services.journal.submit(ChangePassword(user=user, password_hash=weak), SYSTEM)
    await world.token("alice")
    account = await world.services.read(accounts.by_id, user)
    assert account is not None
    assert account.password_hash is not None
    assert not world.services.passwords.needs_rehash(account.password_hash)
    assert (await world.token("alice")).name == "alice"
