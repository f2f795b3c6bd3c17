"""Section 4.1, Accounts, and section 6.

Sessions, their end, cookies and the origin check.
"""

import asyncio
import json

import httpx

from tests.contract.door import ask, cookie_of, fresh, greet, knock, refused, rest_of, say, shaped
from tests.support.server import PASSWORD, Account, Server
from tests.support.timing import three_attempts, within
from tests.support.waiting import eventually_blocking


def test_log_in_sets_a_cookie_that_scripts_cannot_read_and_log_out_ends_it(house: Server) -> None:
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
    assert one.get("/users/me")["name"] == one.name  # the other session continues


def test_a_wrong_log_in_is_unauthenticated_and_sets_no_cookie(house: Server, alice: Account) -> None:
    answer = ask(house, "POST", "/api/login", json={"username": alice.name, "password": "wrong wrong"})
    refused(answer, "unauthenticated")
    assert "set-cookie" not in answer.headers
    assert "detail" not in answer.json()


def test_only_unsafe_requests_with_a_cookie_need_the_same_origin(house: Server) -> None:
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


@three_attempts
async def test_deleting_a_session_closes_its_sockets_with_4503_within_a_second(house: Server) -> None:
    one = house.sign_up("revoked")
    other = house.log_in(one.name)
    ws, _ = await greet(house, {"token": one.token})
    lines = await knock(house, f"/ws/{one.name}", subprotocols=None, additional_headers=one.headers)
    ids = [session["id"] for session in other.get("/api/sessions")["sessions"] if not session["current"]]
    with within(1.0):
        assert other.request("DELETE", f"/api/sessions/{ids[0]}").status_code == 204
        assert (await rest_of(ws))[1] == 4503
        assert (await rest_of(lines))[1] == 4503


async def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(house: Server) -> None:
    one = house.sign_up("changer")
    other = house.log_in(one.name)
    ws, _ = await greet(house, {"token": other.token})
    mine, _ = await greet(house, {"token": one.token})
    new = "a brand new password"
    wrong = one.request("POST", "/api/password", json={"current_password": "wrong wrong", "new_password": new})
    assert wrong.status_code in (401, 403), wrong.text
    refused(
        one.request("POST", "/api/password", json={"current_password": PASSWORD, "new_password": "short"}),
        "bad_request",
    )
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

    await asyncio.to_thread(eventually_blocking, is_over, 5.0, "the access token expires")
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


async def test_two_credentials_of_different_users_are_unauthenticated(
    house: Server, alice: Account, bob: Account
) -> None:
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
