"""The tutorial chapter's surface, row by row: what its readers know works here, under the same names."""

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
def name(open_house: Server) -> str:
    return open_house.sign_up("alice").name


def test_the_front_page_welcomes_programs_in_json(open_house: Server) -> None:
    for accept in ("application/json", "*/*"):
        answer = get(open_house, "/", accept=accept)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/json")
        assert "Accept" in answer.headers["vary"]
        assert isinstance(answer.json()["message"], str)


def test_the_front_page_welcomes_browsers_with_the_web_client(open_house: Server) -> None:
    answer = get(open_house, "/", accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "Accept" in answer.headers["vary"]
    assert "<script" in answer.text


def test_health_is_ok(open_house: Server) -> None:
    assert get(open_house, "/health").json() == {"status": "ok"}
    assert get(open_house, "/health/ready").status_code == 200


def test_a_name_and_a_password_give_a_bearer_token(open_house: Server, name: str) -> None:
    answer = httpx.post(f"{open_house.url}/token", data={"username": name, "password": PASSWORD})
    assert answer.status_code == 200
    body = answer.json()
    assert body["token_type"] == "bearer"
    assert body["access_token"].count(".") == 2
    assert body["expires_in"] > 0
    assert isinstance(body["refresh_token"], str)


@pytest.mark.parametrize("username", ["alice", "nobody-of-that-name"])
def test_a_wrong_password_is_a_401_with_a_challenge(open_house: Server, username: str) -> None:
    answer = httpx.post(f"{open_house.url}/token", data={"username": username, "password": "wrong wrong wrong"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    body = answer.json()
    assert body["error"]["code"] == "unauthenticated"
    assert isinstance(body["detail"], str)


def test_who_am_i(open_house: Server) -> None:
    account = open_house.sign_up("bob")
    me = account.get("/users/me")
    assert me["username"] == me["name"] == account.name
    assert me["id"] == account.id
    assert account.name in me["message"]
    assert get(open_house, "/users/me").status_code == 401


async def test_everybody_hears_joining_saying_and_leaving_the_sender_too(open_house: Server) -> None:
    one, two = fresh(), fresh()
    first = await enter(open_house, one)
    assert await line(first) == f"Client #{one} joined the chat."
    second = await enter(open_house, two)
    assert await line(second) == f"Client #{two} joined the chat."
    assert await line(first) == f"Client #{two} joined the chat."
    await first.send("hello")
    assert await line(first) == f"Client #{one} says: hello"
    assert await line(second) == f"Client #{one} says: hello"
    await second.close()
    assert await line(first, within=1.0) == f"Client #{two} left the chat."
    await first.close()


async def test_a_message_goes_to_the_users_in_a_room_and_to_nobody_else(open_house: Server) -> None:
    account, other = open_house.sign_up("room"), open_house.sign_up("room")
    room = account.create_room(f"Room of {account.name}")
    other.join(room)
    inside = await enter(open_house, account.name, room=room, headers=account.headers)
    await until(inside, f"Client #{account.name} joined the chat.")
    beside = await enter(open_house, other.name, room=room, headers=other.headers)
    outside = await enter(open_house, other.name, headers=other.headers)
    await until(outside, f"Client #{other.name} joined the chat.")
    await until(inside, f"Client #{other.name} joined the chat.")
    await inside.send("only here")
    await until(beside, f"Client #{account.name} says: only here")
    await outside.send("only there")
    lobby = await until(outside, f"Client #{other.name} says: only there")
    assert [text for text in lobby if "only here" in text] == []
    for socket in (inside, beside, outside):
        await socket.close()


async def test_history_survives_a_restart(open_house: Server) -> None:
    account = open_house.sign_up("history")
    socket = await enter(open_house, account.name, headers=account.headers)
    body = f"remember {account.name}"
    await socket.send(body)
    await until(socket, f"Client #{account.name} says: {body}")
    open_house.kill()
    open_house.start()
    assert [message["body"] for message in account.history(1)][-1] == body


async def test_plain_text_and_the_protocol_meet_in_one_room(open_house: Server) -> None:
    account, other = open_house.sign_up("json"), open_house.sign_up("text")
    text = await enter(open_house, other.name, headers=other.headers)
    await line(text)
    async with connect(open_house.websocket_url, proxy=None) as socket:
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
