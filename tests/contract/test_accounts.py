"""Section 4.1, Accounts, and section 6: signing up, tokens, cookies, sessions, invites, the owner's link."""

import asyncio
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.contract.door import ask, cookie_of, fresh, greet, knock, refused, rest_of, say, shaped
from tests.support.server import PASSWORD, Account, Server
from tests.support.waiting import eventually_blocking

PROFILE = {"id", "name", "role", "created_at"}


def test_signing_up_gives_201_and_the_profile_and_no_cookie(house: Server) -> None:
    name = fresh("signer")
    answer = ask(house, "POST", "/api/accounts", json={"username": name, "password": PASSWORD})
    assert answer.status_code == 201
    profile = answer.json()
    assert set(profile) >= PROFILE
    assert profile["name"] == name
    assert profile["role"] == "member"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", profile["created_at"])
    assert "set-cookie" not in answer.headers
    refused(ask(house, "POST", "/api/accounts", json={"username": name.upper(), "password": PASSWORD}), "conflict")


@pytest.mark.parametrize("extra", [{"role": "owner"}, {"id": 1}, {"is_admin": True}, {"disabled": True}])
def test_nobody_signs_up_as_more_than_a_member(house: Server, extra: dict[str, Any]) -> None:
    answer = ask(house, "POST", "/api/accounts", json={"username": fresh("more"), "password": PASSWORD, **extra})
    assert answer.status_code == 400 or answer.json()["role"] == "member"


@pytest.mark.parametrize(
    "name", ["", "a b", "a#b", "#a", "a\n", "a\u200b", "аdmin", "x" * 65, "\u202eabc", "a/b", ".", "..", 7, None, ["a"]]
)  # fmt: skip
def test_names_have_no_blanks_no_hash_and_no_disguise(house: Server, name: object) -> None:
    refused(ask(house, "POST", "/api/accounts", json={"username": name, "password": PASSWORD}), "bad_request")


@pytest.mark.parametrize("password", ["", "short77", 12345678, None, "p\x00" * 8, "x" * 1025])
def test_passwords_have_limits(house: Server, password: object) -> None:
    refused(ask(house, "POST", "/api/accounts", json={"username": fresh("pw"), "password": password}), "bad_request")


def test_a_wrong_invite_is_refused_even_where_the_door_is_open(house: Server) -> None:
    body = {"username": fresh("inv"), "password": PASSWORD, "invite": "nonsense"}
    answer = ask(house, "POST", "/api/accounts", json=body)
    assert answer.status_code in (201, 403), answer.text


def test_a_wrong_setup_token_makes_no_owner(house: Server) -> None:
    body = {"username": fresh("setup"), "password": PASSWORD, "setup": "nonsense"}
    refused(ask(house, "POST", "/api/accounts", json=body), "forbidden")


def test_signing_up_without_an_invite_is_forbidden_as_it_comes(plain: Server) -> None:
    refused(ask(plain, "POST", "/api/accounts", json={"username": "early", "password": PASSWORD}), "forbidden")


def test_token_is_a_form_and_gives_the_four_fields(house: Server, alice: Account) -> None:
    form = {"username": alice.name, "password": PASSWORD}
    for fields in (form, {**form, "grant_type": "password"}, {**form, "scope": "", "client_id": "x", "client_secret": "y"}):
        answer = ask(house, "POST", "/token", data=fields)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token"}
        assert body["token_type"] == "bearer"
        assert body["expires_in"] == 600
        assert answer.headers["cache-control"] == "no-store"
    refused(ask(house, "POST", "/token", json=form), "bad_request")
    refused(ask(house, "POST", "/token", data={"username": alice.name}), "bad_request")


def test_me_is_the_profile_with_username_and_message(alice: Account) -> None:
    me = alice.get("/users/me")
    assert set(me) >= PROFILE | {"username", "message"}
    assert (me["id"], me["username"], me["name"]) == (alice.id, alice.name, alice.name)
    assert me["message"] == f"Hello, {alice.name}!"


def test_refreshing_rotates_and_an_old_refresh_token_ends_the_family(house: Server) -> None:
    one = house.sign_up("rotor")
    for how in ("json", "data"):
        arguments: dict[str, Any] = {how: {"refresh_token": one.refresh}}
        answer = ask(house, "POST", "/token/refresh", **arguments)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token"}
        assert body["refresh_token"] != one.refresh
        older, one.refresh, one.token = one.refresh, body["refresh_token"], body["access_token"]
    assert one.get("/users/me")["name"] == one.name
    assert one.try_refresh().status_code == 200
    refused(one.try_refresh(older), "unauthenticated")
    refused(one.request("GET", "/users/me"), "unauthenticated")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "a.0.c", None, 7, "x" * 5000, "é.0.é", "a.999999999999999999999.b", "..", "a.-1.b"])
def test_a_refresh_token_that_is_none_is_refused(house: Server, token: object) -> None:
    answer = ask(house, "POST", "/token/refresh", json={"refresh_token": token})
    assert answer.status_code in (400, 401), answer.text
    shaped(answer.json(), "bad_request" if answer.status_code == 400 else "unauthenticated")


def test_an_access_token_is_no_refresh_token_and_the_other_way_round(house: Server, alice: Account) -> None:
    refused(ask(house, "POST", "/token/refresh", json={"refresh_token": alice.token}), "unauthenticated")
    refused(ask(house, "GET", "/users/me", headers={"Authorization": f"Bearer {alice.refresh}"}), "unauthenticated")


def test_a_forged_token_is_refused(house: Server, alice: Account) -> None:
    head, body, signature = alice.token.split(".")
    none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0"
    for token in (f"{none}.{body}.", f"{none}.{body}.{signature}", f"{head}.{body}.", f"{head}.{body}.{signature[::-1]}"):
        refused(ask(house, "GET", "/users/me", headers={"Authorization": f"Bearer {token}"}), "unauthenticated")


def test_login_sets_a_cookie_that_scripts_cannot_read_and_logout_ends_it(house: Server) -> None:
    one = house.sign_up("cookie")
    answer = ask(house, "POST", "/api/login", json={"username": one.name, "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.json()["name"] == one.name
    set_cookie = answer.headers["set-cookie"]
    name, _, attributes = set_cookie.partition("=")
    flags = {part.strip().lower() for part in attributes.split(";")[1:]}
    assert name == "hubbub_session"
    assert {"httponly", "samesite=lax", "path=/"} <= flags
    assert "secure" not in flags
    cookie = {"Cookie": set_cookie.split(";")[0]}
    assert ask(house, "GET", "/users/me", headers=cookie).json()["name"] == one.name
    same = {**cookie, "Origin": house.url}
    out = ask(house, "POST", "/api/logout", headers=same)
    assert out.status_code == 204
    assert 'hubbub_session=""' in out.headers["set-cookie"] or "Max-Age=0" in out.headers["set-cookie"]
    refused(ask(house, "GET", "/users/me", headers=cookie), "unauthenticated")
    assert one.get("/users/me")["name"] == one.name  # the other session lives


def test_a_wrong_login_is_unauthenticated_and_sets_nothing(house: Server, alice: Account) -> None:
    answer = ask(house, "POST", "/api/login", json={"username": alice.name, "password": "wrong wrong"})
    refused(answer, "unauthenticated")
    assert "set-cookie" not in answer.headers
    assert "detail" not in answer.json()


def test_a_same_origin_proof_is_asked_only_of_unsafe_requests_with_a_cookie(house: Server) -> None:
    one = house.sign_up("origin")
    cookie = {"Cookie": cookie_of(house, one)}
    room = {"kind": "public", "name": fresh("Origin")}

    def create(headers: dict[str, str]) -> httpx.Response:
        return ask(house, "POST", "/api/rooms", json={**room, "name": fresh("Origin")}, headers=headers)

    assert ask(house, "GET", "/users/me", headers=cookie).status_code == 200
    assert ask(house, "GET", "/users/me", headers={**cookie, "Origin": "https://evil.example"}).status_code == 200
    refused(create(cookie), "forbidden")
    for origin in ("https://evil.example", "null", f"{house.url}.evil.example", f"http://127.0.0.1:{house.port + 1}",
                   f"http://user@127.0.0.1:{house.port}", ""):  # fmt: skip
        refused(create({**cookie, "Origin": origin}), "forbidden")
    refused(create({**cookie, "Sec-Fetch-Site": "cross-site"}), "forbidden")
    refused(create({**cookie, "Sec-Fetch-Site": "same-site"}), "forbidden")
    assert create({**cookie, "Origin": house.url}).status_code == 201
    assert create({**cookie, "Sec-Fetch-Site": "same-origin"}).status_code == 201
    assert create({**one.headers, "Origin": "https://evil.example"}).status_code == 201
    assert create(one.headers).status_code == 201
    strange = {"Origin": "https://evil.example"}
    token = ask(house, "POST", "/token", data={"username": one.name, "password": PASSWORD}, headers=strange)
    assert token.status_code == 200


def test_sessions_are_listed_and_deleted(house: Server) -> None:
    one = house.sign_up("sessions")
    cookie = {"Cookie": cookie_of(house, one)}
    listed = one.get("/api/sessions")["sessions"]
    assert [session["current"] for session in listed].count(True) == 1
    assert {session["kind"] for session in listed} == {"token", "browser"}
    for session in listed:
        assert set(session) == {"id", "kind", "created_at", "last_seen_at", "expires_at", "client", "current"}
        assert type(session["id"]) is str
    assert one.token not in json.dumps(listed)
    browser = next(session for session in listed if session["kind"] == "browser")
    assert one.request("DELETE", f"/api/sessions/{browser['id']}").status_code == 204
    refused(ask(house, "GET", "/users/me", headers=cookie), "unauthenticated")
    refused(one.request("DELETE", f"/api/sessions/{browser['id']}"), "not_found")
    stranger = house.sign_up("stranger")
    mine = next(session for session in one.get("/api/sessions")["sessions"] if session["current"])
    refused(stranger.request("DELETE", f"/api/sessions/{mine['id']}"), "not_found")
    assert one.request("DELETE", f"/api/sessions/{mine['id']}").status_code == 204
    refused(one.request("GET", "/users/me"), "unauthenticated")
    refused(one.try_refresh(), "unauthenticated")


async def test_deleting_a_session_closes_its_sockets_with_4503_within_a_second(house: Server) -> None:
    one = house.sign_up("revoked")
    other = house.log_in(one.name)
    ws, _ = await greet(house, {"token": one.token})
    lines = await knock(house, f"/ws/{one.name}", subprotocols=None, additional_headers=one.headers)
    ids = [session["id"] for session in other.get("/api/sessions")["sessions"] if not session["current"]]
    begun = time.monotonic()
    assert other.request("DELETE", f"/api/sessions/{ids[0]}").status_code == 204
    assert (await rest_of(ws))[1] == 4503
    assert (await rest_of(lines))[1] == 4503
    assert time.monotonic() - begun < 1.0


async def test_a_new_password_ends_the_other_sessions_and_keeps_ones_own(house: Server) -> None:
    one = house.sign_up("changer")
    other = house.log_in(one.name)
    ws, _ = await greet(house, {"token": other.token})
    mine, _ = await greet(house, {"token": one.token})
    new = "a brand new password"
    wrong = one.request("POST", "/api/password", json={"current_password": "wrong wrong", "new_password": new})
    assert wrong.status_code in (401, 403), wrong.text
    refused(one.request("POST", "/api/password", json={"current_password": PASSWORD, "new_password": "short"}), "bad_request")
    changed = one.request("POST", "/api/password", json={"current_password": PASSWORD, "new_password": new})
    assert changed.status_code == 204, changed.text
    assert (await rest_of(ws))[1] == 4503
    refused(other.request("GET", "/users/me"), "unauthenticated")
    refused(other.try_refresh(), "unauthenticated")
    assert (await say(mine, {"id": 1, "type": "ping"})) == {"re": 1, "ok": {}}
    assert one.get("/users/me")["name"] == one.name
    assert one.try_log_in().status_code == 401
    assert one.try_log_in(new).status_code == 200
    await mine.close()


def test_changing_the_password_in_a_browser_gives_a_new_cookie(house: Server) -> None:
    one = house.sign_up("browserpw")
    cookie = cookie_of(house, one)
    headers = {"Cookie": cookie, "Origin": house.url}
    new = "a brand new password"
    body = {"current_password": PASSWORD, "new_password": new}
    answer = ask(house, "POST", "/api/password", json=body, headers=headers)
    assert answer.status_code == 204, answer.text
    newer = answer.headers["set-cookie"].split(";")[0]
    assert newer != cookie
    assert ask(house, "GET", "/users/me", headers={"Cookie": newer}).status_code == 200
    refused(ask(house, "GET", "/users/me", headers={"Cookie": cookie}), "unauthenticated")


def test_tokens_and_cookies_survive_a_restart_of_the_server(strict: Server) -> None:
    one = strict.sign_up("restart")
    cookie = cookie_of(strict, one)
    token = strict.log_in(one.name).token
    strict.stop()
    assert "Traceback" not in strict.log_text()
    strict.start()
    assert ask(strict, "GET", "/users/me", headers={"Cookie": cookie}).status_code == 200
    answer = one.try_refresh()
    assert answer.status_code == 200
    assert token.count(".") == 2


async def test_a_socket_lives_as_long_as_its_session_not_its_access_token(strict: Server) -> None:
    one = strict.sign_up("longlife")
    ws, welcome = await greet(strict, {"token": one.token})
    assert welcome["type"] == "welcome"

    def is_over() -> bool:
        return one.request("GET", "/users/me").status_code == 401

    await asyncio.to_thread(eventually_blocking, is_over, 5.0, "the access token is over")
    refused(one.request("GET", "/users/me"), "unauthenticated")
    late, error = await greet(strict, {"token": one.token})
    shaped(error, "unauthenticated")
    assert (await rest_of(late))[1] == 4501
    sent = await say(ws, {"id": 1, "type": "message.send", "room": 1, "key": fresh(), "body": "still here"})
    assert set(sent["ok"]) == {"topic", "seq"}
    one.token = one.try_refresh().json()["access_token"]
    session = one.get("/api/sessions")["sessions"][0]["id"]
    assert one.request("DELETE", f"/api/sessions/{session}").status_code == 204
    assert (await rest_of(ws))[1] == 4503


def test_over_https_the_cookie_is_host_only_and_secure(strict: Server) -> None:
    one = strict.sign_up("secure")
    answer = ask(strict, "POST", "/api/login", json={"username": one.name, "password": PASSWORD})
    name, _, attributes = answer.headers["set-cookie"].partition("=")
    flags = {part.strip().lower() for part in attributes.split(";")[1:]}
    assert name.startswith("__Host-")
    assert {"httponly", "samesite=lax", "path=/", "secure"} <= flags
    assert not any(flag.startswith("domain") for flag in flags)


def test_deleting_ones_account_needs_the_password_and_ends_everything(house: Server) -> None:
    one = house.sign_up("leaver")
    assert one.request("DELETE", "/api/accounts/me", json={"password": "wrong wrong"}).status_code in (401, 403)
    refused(one.request("DELETE", "/api/accounts/me", json={}), "bad_request")
    assert one.request("DELETE", "/api/accounts/me", json={"password": PASSWORD}).status_code == 204
    refused(one.request("GET", "/users/me"), "unauthenticated")
    assert one.try_log_in().status_code == 401


# -- the owner's link and invites


def test_the_first_start_prints_a_link_that_makes_the_owner_once(plain: Server) -> None:
    before = ask(plain, "GET", "/api/setup").json()
    if before["needs_owner"]:
        token = re.findall(r"https?://\S+/setup#(\S+)", plain.log_text())[-1]
        names = [fresh("first") for _ in range(4)]

        def claim(name: str) -> httpx.Response:
            return httpx.post(
                f"{plain.url}/api/accounts",
                json={"username": name, "password": PASSWORD, "setup": token},
                trust_env=False,
            )

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(claim, names))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses[0] == 201, [answer.text for answer in answers]
        assert set(statuses[1:]) <= {403, 429}, [answer.text for answer in answers]
        assert next(answer for answer in answers if answer.status_code == 201).json()["role"] == "owner"
    assert ask(plain, "GET", "/api/setup").json()["needs_owner"] is False
    assert ask(plain, "GET", "/api/setup").json()["signup"] == "invite"


def test_an_invite_for_one_lets_exactly_one_of_many_in(house: Server, owner: Account) -> None:
    answer = owner.request("POST", "/api/invites", json={"key": "one"})
    assert answer.status_code == 201, answer.text
    invite = answer.json()
    assert (invite["uses"], invite["max_uses"]) == (0, 1)
    assert invite["link"].endswith(f"/invite#{invite['token']}")
    assert ask(house, "POST", "/api/invites/check", json={"token": invite["token"]}).json()["valid"] is True
    assert ask(house, "POST", "/api/invites/check", json={"token": "nonsense"}).json()["valid"] is False
    assert owner.request("POST", "/api/invites", json={"key": "one"}).json()["id"] == invite["id"]
    conflict = owner.request("POST", "/api/invites", json={"key": "one", "max_uses": 5})
    refused(conflict, "conflict")


def test_members_make_no_invites_and_see_none(alice: Account) -> None:
    refused(alice.request("POST", "/api/invites", json={}), "forbidden")
    refused(alice.request("GET", "/api/invites"), "forbidden")


@pytest.mark.parametrize("body", [{"max_uses": 0}, {"max_uses": -1}, {"max_uses": 1.5}, {"max_uses": "1"}, {"expires_in": 0}, {"expires_in": -5}, {"max_uses": 2**63}, {"expires_in": 10**18}])  # fmt: skip
def test_an_invite_of_nonsense_is_refused(owner: Account, body: dict[str, Any]) -> None:
    refused(owner.request("POST", "/api/invites", json=body), "bad_request")


async def test_two_credentials_of_different_users_are_unauthenticated(house: Server, alice: Account, bob: Account) -> None:
    cookie = {"Cookie": cookie_of(house, bob), "Origin": house.url}
    both: list[dict[str, str]] = [cookie, bob.headers]
    for headers in both:
        ws, error = await greet(house, {"token": alice.token}, additional_headers=headers)
        shaped(error, "unauthenticated")
        assert error["re"] is None
        assert (await rest_of(ws))[1] == 4501
    own: list[dict[str, str]] = [{"Cookie": cookie_of(house, alice), "Origin": house.url}, alice.headers]
    for headers in own:
        ws, welcome = await greet(house, {"token": alice.token}, additional_headers=headers)
        assert welcome["type"] == "welcome", welcome
        await ws.close()
        ws, welcome = await greet(house, {}, additional_headers=headers)
        assert welcome["user"]["id"] == alice.id
        await ws.close()
