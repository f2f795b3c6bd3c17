"""Section 4.1, Accounts, and section 6.

Sign-up, tokens, cookies, sessions, invites, the setup link.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.contract.client import expect_error, expect_error_body, fresh, request
from tests.support.server import PASSWORD, Account, Server

PROFILE = {"id", "name", "role", "created_at"}


def test_sign_up_answers_201_with_the_profile_and_without_a_cookie(open_server: Server) -> None:
    name = fresh("signer")
    answer = request(open_server, "POST", "/api/users", json={"username": name, "password": PASSWORD})
    assert answer.status_code == 201
    profile = answer.json()
    assert set(profile) >= PROFILE
    assert profile["name"] == name
    assert profile["role"] == "member"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", profile["created_at"])
    assert "set-cookie" not in answer.headers
    expect_error(
        request(open_server, "POST", "/api/users", json={"username": name.upper(), "password": PASSWORD}), "conflict"
    )


@pytest.mark.parametrize("extra", [{"role": "owner"}, {"id": 1}, {"is_admin": True}, {"disabled": True}])
def test_sign_up_never_creates_more_than_a_member(open_server: Server, extra: dict[str, Any]) -> None:
    answer = request(open_server, "POST", "/api/users", json={"username": fresh("more"), "password": PASSWORD, **extra})
    assert answer.status_code == 400 or answer.json()["role"] == "member"


@pytest.mark.parametrize(
    "name", ["", "a b", "a#b", "#a", "a\n", "a\u200b", "аdmin", "x" * 65, "\u202eabc", "a/b", ".", "..", 7, None, ["a"]]
)  # fmt: skip
def test_names_with_blanks_hashes_or_lookalikes_are_refused(open_server: Server, name: object) -> None:
    expect_error(
        request(open_server, "POST", "/api/users", json={"username": name, "password": PASSWORD}), "bad_request"
    )


@pytest.mark.parametrize("password", ["", "short77", 12345678, None, "p\x00" * 8, "x" * 1025])
def test_passwords_that_are_too_short_or_too_long_are_refused(open_server: Server, password: object) -> None:
    expect_error(
        request(open_server, "POST", "/api/users", json={"username": fresh("pw"), "password": password}),
        "bad_request",
    )


def test_a_wrong_invite_is_refused_or_ignored_with_open_sign_up(open_server: Server) -> None:
    body = {"username": fresh("inv"), "password": PASSWORD, "invite": "nonsense"}
    answer = request(open_server, "POST", "/api/users", json=body)
    assert answer.status_code in (201, 403), answer.text


def test_a_wrong_setup_token_creates_no_owner(open_server: Server) -> None:
    body = {"username": fresh("setup"), "password": PASSWORD, "setup": "nonsense"}
    expect_error(request(open_server, "POST", "/api/users", json=body), "forbidden")


def test_sign_up_without_an_invite_is_forbidden_by_default(plain: Server) -> None:
    expect_error(request(plain, "POST", "/api/users", json={"username": "early", "password": PASSWORD}), "forbidden")


def test_the_token_route_takes_a_form_and_answers_four_fields(open_server: Server, alice: Account) -> None:
    form = {"username": alice.name, "password": PASSWORD}
    for fields in (
        form,
        {**form, "grant_type": "password"},
        {**form, "scope": "", "client_id": "x", "client_secret": "y"},
    ):
        answer = request(open_server, "POST", "/token", data=fields)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token"}
        assert body["token_type"] == "bearer"
        assert body["expires_in"] == 600
        assert answer.headers["cache-control"] == "no-store"
    expect_error(request(open_server, "POST", "/token", json=form), "bad_request")
    expect_error(request(open_server, "POST", "/token", data={"username": alice.name}), "bad_request")


def test_users_me_is_the_profile_with_username_and_message(alice: Account) -> None:
    me = alice.get("/users/me")
    assert set(me) >= PROFILE | {"username", "message"}
    assert (me["id"], me["username"], me["name"]) == (alice.id, alice.name, alice.name)
    assert me["message"] == f"Hello, {alice.name}!"


def test_refreshing_rotates_and_reusing_an_old_refresh_token_ends_the_session(open_server: Server) -> None:
    one = open_server.sign_up("rotor")
    for how in ("json", "data"):
        arguments: dict[str, Any] = {how: {"refresh_token": one.refresh}}
        answer = request(open_server, "POST", "/token/refresh", **arguments)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token"}
        assert body["refresh_token"] != one.refresh
        older, one.refresh, one.token = one.refresh, body["refresh_token"], body["access_token"]
    assert one.get("/users/me")["name"] == one.name
    assert one.try_refresh().status_code == 200
    expect_error(one.try_refresh(older), "unauthenticated")
    expect_error(one.request("GET", "/users/me"), "unauthenticated")


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "a.0.c", None, 7, "x" * 5000, "é.0.é", "a.999999999999999999999.b", "..", "a.-1.b"]
)
def test_an_invalid_refresh_token_is_refused(open_server: Server, token: object) -> None:
    answer = request(open_server, "POST", "/token/refresh", json={"refresh_token": token})
    assert answer.status_code in (400, 401), answer.text
    expect_error_body(answer.json(), "bad_request" if answer.status_code == 400 else "unauthenticated")


def test_access_and_refresh_tokens_are_not_interchangeable(open_server: Server, alice: Account) -> None:
    expect_error(request(open_server, "POST", "/token/refresh", json={"refresh_token": alice.token}), "unauthenticated")
    expect_error(
        request(open_server, "GET", "/users/me", headers={"Authorization": f"Bearer {alice.refresh}"}),
        "unauthenticated",
    )


def test_a_forged_token_is_refused(open_server: Server, alice: Account) -> None:
    head, body, signature = alice.token.split(".")
    none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0"
    for token in (
        f"{none}.{body}.",
        f"{none}.{body}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}.{signature[::-1]}",
    ):
        expect_error(
            request(open_server, "GET", "/users/me", headers={"Authorization": f"Bearer {token}"}), "unauthenticated"
        )


def test_deleting_an_account_needs_its_password_and_ends_its_sessions(open_server: Server) -> None:
    one = open_server.sign_up("leaver")
    assert one.request("DELETE", "/api/users/me", json={"password": "wrong wrong"}).status_code in (401, 403)
    expect_error(one.request("DELETE", "/api/users/me", json={}), "bad_request")
    assert one.request("DELETE", "/api/users/me", json={"password": PASSWORD}).status_code == 204
    expect_error(one.request("GET", "/users/me"), "unauthenticated")
    assert one.try_log_in().status_code == 401


# -- setup link and invites


def test_the_setup_link_of_the_first_start_creates_one_owner(plain: Server) -> None:
    before = request(plain, "GET", "/api/site").json()
    if before["needs_owner"]:
        token = plain.setup_link().partition("#")[2]
        names = [fresh("first") for _ in range(4)]

        def claim(name: str) -> httpx.Response:
            return httpx.post(
                f"{plain.url}/api/users",
                json={"username": name, "password": PASSWORD, "setup": token},
                trust_env=False,
            )

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(claim, names))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses[0] == 201, [answer.text for answer in answers]
        assert set(statuses[1:]) <= {403, 429}, [answer.text for answer in answers]
        assert next(answer for answer in answers if answer.status_code == 201).json()["role"] == "owner"
    assert request(plain, "GET", "/api/site").json()["needs_owner"] is False
    assert request(plain, "GET", "/api/site").json()["signup"] == "invite"


def test_an_invite_is_created_once_per_key_and_checked(open_server: Server, owner: Account) -> None:
    answer = owner.request("POST", "/api/invites", json={"key": "one"})
    assert answer.status_code == 201, answer.text
    invite = answer.json()
    assert (invite["uses"], invite["max_uses"]) == (0, 1)
    assert invite["link"].endswith(f"/invite#{invite['token']}")
    assert request(open_server, "POST", "/api/invites/check", json={"token": invite["token"]}).json()["valid"] is True
    assert request(open_server, "POST", "/api/invites/check", json={"token": "nonsense"}).json()["valid"] is False
    assert owner.request("POST", "/api/invites", json={"key": "one"}).json()["id"] == invite["id"]
    conflict = owner.request("POST", "/api/invites", json={"key": "one", "max_uses": 5})
    expect_error(conflict, "conflict")


def test_members_cannot_create_or_list_site_invites(alice: Account) -> None:
    expect_error(alice.request("POST", "/api/invites", json={}), "forbidden")
    expect_error(alice.request("GET", "/api/invites"), "forbidden")


@pytest.mark.parametrize("body", [{"max_uses": 0}, {"max_uses": -1}, {"max_uses": 1.5}, {"max_uses": "1"},
{"expires_in": 0}, {"expires_in": -5}, {"max_uses": 2**63}, {"expires_in": 10**18}])  # fmt: skip
def test_an_invite_with_invalid_limits_is_refused(owner: Account, body: dict[str, Any]) -> None:
    expect_error(owner.request("POST", "/api/invites", json=body), "bad_request")
