"""What the tutorial's readers know works here under the same names."""

import json
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from tests.support.lines import enter, fresh, line, until
from tests.support.server import PASSWORD, Server


def get(server: Server, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{server.url}{path}", headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.fixture(scope="module")
def name(guest_server: Server) -> str:
    return guest_server.sign_up("alice").name


def test_the_front_page_answers_programs_in_json(guest_server: Server) -> None:
    for accept in ("application/json", "*/*"):
        answer = get(guest_server, "/", accept=accept)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/json")
        assert "Accept" in answer.headers["vary"]
        assert isinstance(answer.json()["message"], str)


def test_the_front_page_serves_the_web_client_to_browsers(guest_server: Server) -> None:
    answer = get(guest_server, "/", accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "Accept" in answer.headers["vary"]
    assert "<script" in answer.text


def test_the_health_routes_answer_ok(guest_server: Server) -> None:
    assert get(guest_server, "/health").json() == {"status": "ok"}
    assert get(guest_server, "/health/ready").status_code == 200


def test_a_name_and_a_password_give_a_bearer_token(guest_server: Server, name: str) -> None:
    answer = httpx.post(f"{guest_server.url}/token", data={"username": name, "password": PASSWORD})
    assert answer.status_code == 200
    body = answer.json()
    assert body["token_type"] == "bearer"
    assert body["access_token"].count(".") == 2
    assert body["expires_in"] > 0
    assert isinstance(body["refresh_token"], str)


@pytest.mark.parametrize("username", ["alice", "nobody-of-that-name"])
def test_a_wrong_password_is_a_401_with_a_challenge(guest_server: Server, username: str) -> None:
    answer = httpx.post(f"{guest_server.url}/token", data={"username": username, "password": "wrong wrong wrong"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    body = answer.json()
    assert body["error"]["code"] == "unauthenticated"
    assert isinstance(body["detail"], str)


def test_users_me_returns_the_logged_in_user(guest_server: Server) -> None:
    account = guest_server.sign_up("bob")
    me = account.get("/users/me")
    assert me["username"] == me["name"] == account.name
    assert me["id"] == account.id
    assert account.name in me["message"]
    assert get(guest_server, "/users/me").status_code == 401


async def test_all_clients_receive_joins_messages_and_leaves_including_the_sender(guest_server: Server) -> None:
    one, two = fresh(), fresh()
    first = await enter(guest_server, one)
    assert await line(first) == f"Client #{one} joined the chat."
    second = await enter(guest_server, two)
    assert await line(second) == f"Client #{two} joined the chat."
    assert await line(first) == f"Client #{two} joined the chat."
    await first.send("hello")
    assert await line(first) == f"Client #{one} says: hello"
    assert await line(second) == f"Client #{one} says: hello"
    await second.close()
    assert await line(first, within=1.0) == f"Client #{two} left the chat."
    await first.close()


async def test_a_message_reaches_users_in_its_room_and_no_others(guest_server: Server) -> None:
    account, other = guest_server.sign_up("room"), guest_server.sign_up("room")
    room = account.create_room(f"Room of {account.name}")
    other.join(room)
    inside = await enter(guest_server, account.name, room=room, headers=account.headers)
    await until(inside, f"Client #{account.name} joined the chat.")
    beside = await enter(guest_server, other.name, room=room, headers=other.headers)
    outside = await enter(guest_server, other.name, headers=other.headers)
    await until(outside, f"Client #{other.name} joined the chat.")
    await until(inside, f"Client #{other.name} joined the chat.")
    await inside.send("only here")
    await until(beside, f"Client #{account.name} says: only here")
    await outside.send("only there")
    lobby = await until(outside, f"Client #{other.name} says: only there")
    assert [text for text in lobby if "only here" in text] == []
    for socket in (inside, beside, outside):
        await socket.close()


async def test_history_survives_a_restart(guest_server: Server) -> None:
    account = guest_server.sign_up("history")
    socket = await enter(guest_server, account.name, headers=account.headers)
    body = f"remember {account.name}"
    await socket.send(body)
    await until(socket, f"Client #{account.name} says: {body}")
    guest_server.kill()
    guest_server.start()
    assert [message["body"] for message in account.history(1)][-1] == body


async def test_plain_text_and_the_json_protocol_share_a_room(guest_server: Server) -> None:
    account, other = guest_server.sign_up("json"), guest_server.sign_up("text")
    text = await enter(guest_server, other.name, headers=other.headers)
    await line(text)
    async with connect(guest_server.websocket_url, proxy=None) as socket:
        await socket.send(json.dumps({"type": "hello", "token": account.token}))
        assert json.loads(await socket.recv())["type"] == "welcome"
        await socket.send(json.dumps({"id": 1, "type": "message.send", "room": 1, "key": "k", "body": "from JSON"}))
        await until(text, f"Client #{account.name} says: from JSON")
        await text.send("from text")
        while (event := json.loads(await socket.recv())).get("body") != "from text":
            pass
        check_message(event, other.name)
    await text.close()


def check_message(event: dict[str, Any], name: str) -> None:
    assert event["type"] == "message.sent"
    assert event["name"] == name
    assert event["topic"] == "room:1"
    assert 1 <= len(event["key"]) <= 64
