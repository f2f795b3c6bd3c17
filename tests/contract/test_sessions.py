"""Section 4.1, Accounts, and section 6.

Sessions, their end, cookies and the origin check.
"""

import asyncio
import contextlib
import json
import sqlite3
import time
from datetime import datetime

import httpx

from tests.contract.client import (
    cookie_of,
    expect_error,
    expect_error_body,
    fresh,
    greet,
    open_socket,
    receive_rest,
    request,
    send,
)
from tests.support.server import PASSWORD, Account, Server
from tests.support.timing import three_attempts, within
from tests.support.waiting import eventually_blocking


def test_log_in_sets_a_cookie_that_scripts_cannot_read_and_log_out_ends_it(open_server: Server) -> None:
    one = open_server.sign_up("cookie")
    answer = request(open_server, "POST", "/api/login", json={"username": one.name, "password": PASSWORD})
    assert answer.status_code == 200
    assert answer.json()["name"] == one.name
    set_cookie = answer.headers["set-cookie"]
    name, _, attributes = set_cookie.partition("=")
    flags = {part.strip().lower() for part in attributes.split(";")[1:]}
    assert name == "hubbub_session"
    assert {"httponly", "samesite=lax", "path=/"} <= flags
    assert "secure" not in flags
    cookie = {"Cookie": set_cookie.split(";")[0]}
    assert request(open_server, "GET", "/users/me", headers=cookie).json()["name"] == one.name
    same = {**cookie, "Origin": open_server.url}
    out = request(open_server, "POST", "/api/logout", headers=same)
    assert out.status_code == 204
    assert 'hubbub_session=""' in out.headers["set-cookie"] or "Max-Age=0" in out.headers["set-cookie"]
    expect_error(request(open_server, "GET", "/users/me", headers=cookie), "unauthenticated")
    assert one.get("/users/me")["name"] == one.name  # the other session continues


def test_a_wrong_log_in_is_unauthenticated_and_sets_no_cookie(open_server: Server, alice: Account) -> None:
    answer = request(open_server, "POST", "/api/login", json={"username": alice.name, "password": "wrong wrong"})
    expect_error(answer, "unauthenticated")
    assert "set-cookie" not in answer.headers
    assert "detail" not in answer.json()


def test_only_unsafe_requests_with_a_cookie_need_the_same_origin(open_server: Server) -> None:
    one = open_server.sign_up("origin")
    cookie = {"Cookie": cookie_of(open_server, one)}
    room = {"kind": "public", "name": fresh("Origin")}

    def create(headers: dict[str, str]) -> httpx.Response:
        return request(open_server, "POST", "/api/rooms", json={**room, "name": fresh("Origin")}, headers=headers)

    assert request(open_server, "GET", "/users/me", headers=cookie).status_code == 200
    assert (
        request(open_server, "GET", "/users/me", headers={**cookie, "Origin": "https://evil.example"}).status_code
        == 200
    )
    expect_error(create(cookie), "forbidden")
    for origin in (
        "https://evil.example",
        "null",
        f"{open_server.url}.evil.example",
        f"http://127.0.0.1:{open_server.port + 1}",
        f"http://user@127.0.0.1:{open_server.port}",
        "",
    ):
        expect_error(create({**cookie, "Origin": origin}), "forbidden")
    expect_error(create({**cookie, "Sec-Fetch-Site": "cross-site"}), "forbidden")
    expect_error(create({**cookie, "Sec-Fetch-Site": "same-site"}), "forbidden")
    assert create({**cookie, "Origin": open_server.url}).status_code == 201
    assert create({**cookie, "Sec-Fetch-Site": "same-origin"}).status_code == 201
    assert create({**one.headers, "Origin": "https://evil.example"}).status_code == 201
    assert create(one.headers).status_code == 201
    strange = {"Origin": "https://evil.example"}
    token = request(open_server, "POST", "/token", data={"username": one.name, "password": PASSWORD}, headers=strange)
    expect_error(token, "forbidden")  # no page guesses passwords from the browsers of its visitors


def test_sessions_are_listed_and_deleted(open_server: Server) -> None:
    one = open_server.sign_up("sessions")
    cookie = {"Cookie": cookie_of(open_server, one)}
    listed = one.get("/api/sessions")["sessions"]
    assert [session["current"] for session in listed].count(True) == 1
    assert {session["kind"] for session in listed} == {"token", "browser"}
    for session in listed:
        assert set(session) == {"id", "kind", "created_at", "last_seen_at", "expires_at", "client", "current"}
        assert type(session["id"]) is str
    assert one.token not in json.dumps(listed)
    browser = next(session for session in listed if session["kind"] == "browser")
    assert one.request("DELETE", f"/api/sessions/{browser['id']}").status_code == 204
    expect_error(request(open_server, "GET", "/users/me", headers=cookie), "unauthenticated")
    expect_error(one.request("DELETE", f"/api/sessions/{browser['id']}"), "not_found")
    stranger = open_server.sign_up("stranger")
    mine = next(session for session in one.get("/api/sessions")["sessions"] if session["current"])
    expect_error(stranger.request("DELETE", f"/api/sessions/{mine['id']}"), "not_found")
    assert one.request("DELETE", f"/api/sessions/{mine['id']}").status_code == 204
    expect_error(one.request("GET", "/users/me"), "unauthenticated")
    expect_error(one.try_refresh(), "unauthenticated")


@three_attempts
async def test_deleting_a_session_closes_its_sockets_with_4503_within_a_second(open_server: Server) -> None:
    one = open_server.sign_up("revoked")
    other = open_server.log_in(one.name)
    ws, _ = await greet(open_server, {"token": one.token})
    lines = await open_socket(open_server, f"/ws/{one.name}", subprotocols=None, additional_headers=one.headers)
    ids = [session["id"] for session in other.get("/api/sessions")["sessions"] if not session["current"]]
    with within(1.0):
        assert other.request("DELETE", f"/api/sessions/{ids[0]}").status_code == 204
        assert (await receive_rest(ws))[1] == 4503
        assert (await receive_rest(lines))[1] == 4503


async def test_a_session_was_seen_when_it_last_had_a_connection_or_a_request(open_server: Server) -> None:
    """Half an hour ago it was noted last."""
    one = open_server.sign_up("seen")
    other = open_server.log_in(one.name)

    def age() -> float:
        (found,) = [each for each in other.get("/api/sessions")["sessions"] if not each["current"]]
        return time.time() - datetime.fromisoformat(found["last_seen_at"]).timestamp()

    def half_an_hour_ago() -> None:
        with contextlib.closing(sqlite3.connect(open_server.database)) as connection, connection:
            values = (int((time.time() - 1800) * 1000), one.id)
            connection.execute("UPDATE sessions SET last_seen_at = ? WHERE user = ?", values)

    half_an_hour_ago()
    assert age() > 1700, "control: not in use since"
    ws, _ = await greet(open_server, {"token": one.token})
    assert age() < 60, "it has a connection"
    half_an_hour_ago()
    await ws.close()
    await asyncio.to_thread(eventually_blocking, lambda: age() < 60, 20.0, "the end of the connection is noted")
    half_an_hour_ago()
    assert one.get("/users/me")["name"] == one.name
    await asyncio.to_thread(eventually_blocking, lambda: age() < 60, 20.0, "a request is noted")


async def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(open_server: Server) -> None:
    one = open_server.sign_up("changer")
    other = open_server.log_in(one.name)
    ws, _ = await greet(open_server, {"token": other.token})
    mine, _ = await greet(open_server, {"token": one.token})
    new = "a brand new password"
    wrong = one.request("PUT", "/api/users/me/password", json={"current_password": "wrong wrong", "new_password": new})
    assert wrong.status_code in (401, 403), wrong.text
    expect_error(
        one.request("PUT", "/api/users/me/password", json={"current_password": PASSWORD, "new_password": "short"}),
        "bad_request",
    )
    changed = one.request("PUT", "/api/users/me/password", json={"current_password": PASSWORD, "new_password": new})
    assert changed.status_code == 204, changed.text
    assert (await receive_rest(ws))[1] == 4503
    expect_error(other.request("GET", "/users/me"), "unauthenticated")
    expect_error(other.try_refresh(), "unauthenticated")
    assert (await send(mine, {"id": 1, "type": "ping"})) == {"re": 1, "ok": {}}
    assert one.get("/users/me")["name"] == one.name
    assert one.try_log_in().status_code == 401
    assert one.try_log_in(new).status_code == 200
    await mine.close()


def test_changing_the_password_in_a_browser_gives_a_new_cookie(open_server: Server) -> None:
    one = open_server.sign_up("browserpw")
    cookie = cookie_of(open_server, one)
    headers = {"Cookie": cookie, "Origin": open_server.url}
    new = "a brand new password"
    body = {"current_password": PASSWORD, "new_password": new}
    answer = request(open_server, "PUT", "/api/users/me/password", json=body, headers=headers)
    assert answer.status_code == 204, answer.text
    newer = answer.headers["set-cookie"].split(";")[0]
    assert newer != cookie
    assert request(open_server, "GET", "/users/me", headers={"Cookie": newer}).status_code == 200
    expect_error(request(open_server, "GET", "/users/me", headers={"Cookie": cookie}), "unauthenticated")


def test_tokens_and_cookies_survive_a_restart_of_the_server(strict: Server) -> None:
    one = strict.sign_up("restart")
    cookie = cookie_of(strict, one)
    token = strict.log_in(one.name).token
    strict.stop()
    assert "Traceback" not in strict.log_text()
    strict.start()
    assert request(strict, "GET", "/users/me", headers={"Cookie": cookie}).status_code == 200
    answer = one.try_refresh()
    assert answer.status_code == 200
    assert token.count(".") == 2


async def test_a_socket_lives_as_long_as_its_session_not_its_access_token(strict: Server) -> None:
    one = strict.sign_up("longlife")
    ws, welcome = await greet(strict, {"token": one.token})
    assert welcome["type"] == "welcome"

    def is_over() -> bool:
        return one.request("GET", "/users/me").status_code == 401

    await asyncio.to_thread(eventually_blocking, is_over, 5.0, "the access token expires")
    expect_error(one.request("GET", "/users/me"), "unauthenticated")
    late, error = await greet(strict, {"token": one.token})
    expect_error_body(error, "unauthenticated")
    assert (await receive_rest(late))[1] == 4501
    sent = await send(ws, {"id": 1, "type": "message.send", "room": 1, "key": fresh(), "body": "still here"})
    assert set(sent["ok"]) == {"topic", "seq"}
    one.token = one.try_refresh().json()["access_token"]
    session = one.get("/api/sessions")["sessions"][0]["id"]
    assert one.request("DELETE", f"/api/sessions/{session}").status_code == 204
    assert (await receive_rest(ws))[1] == 4503


def test_over_https_the_cookie_is_host_only_and_secure(strict: Server) -> None:
    one = strict.sign_up("secure")
    answer = request(strict, "POST", "/api/login", json={"username": one.name, "password": PASSWORD})
    name, _, attributes = answer.headers["set-cookie"].partition("=")
    flags = {part.strip().lower() for part in attributes.split(";")[1:]}
    assert name.startswith("__Host-")
    assert {"httponly", "samesite=lax", "path=/", "secure"} <= flags
    assert not any(flag.startswith("domain") for flag in flags)


async def test_two_credentials_of_different_users_are_unauthenticated(
    open_server: Server, alice: Account, bob: Account
) -> None:
    cookie = {"Cookie": cookie_of(open_server, bob), "Origin": open_server.url}
    both: list[dict[str, str]] = [cookie, bob.headers]
    for headers in both:
        ws, error = await greet(open_server, {"token": alice.token}, additional_headers=headers)
        expect_error_body(error, "unauthenticated")
        assert error["re"] is None
        assert (await receive_rest(ws))[1] == 4501
    own: list[dict[str, str]] = [{"Cookie": cookie_of(open_server, alice), "Origin": open_server.url}, alice.headers]
    for headers in own:
        ws, welcome = await greet(open_server, {"token": alice.token}, additional_headers=headers)
        assert welcome["type"] == "welcome", welcome
        await ws.close()
        ws, welcome = await greet(open_server, {}, additional_headers=headers)
        assert welcome["user"]["id"] == alice.id
        await ws.close()
