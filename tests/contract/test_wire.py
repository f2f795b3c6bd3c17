"""Section 4: hello, welcome, events, commands, errors, closes, frame limits."""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from tests.contract.client import (
    Frame,
    expect_error_body,
    fresh,
    greet,
    open_socket,
    receive,
    receive_rest,
    reply_to,
    send,
)
from tests.support.server import Account, Server

LOBBY = 1


async def all_of(ws: ClientConnection) -> list[Frame]:
    """Return everything the server has sent so far, using a ping as a barrier."""
    await ws.send('{"id":424242,"type":"ping"}')
    found = []
    while (frame := await receive(ws)) != {"re": 424242, "ok": {}}:
        if frame != {"type": "pong"}:
            found.append(frame)
    return found


async def test_welcome_is_the_first_frame_and_has_every_field(open_server: Server, alice: Account) -> None:
    ws, welcome = await greet(open_server, {"token": alice.token})
    assert ws.subprotocol == "hubbub.v1"
    assert set(welcome) >= {"type", "epoch", "user", "rooms", "heads", "limits"}
    assert welcome["type"] == "welcome"
    assert type(welcome["epoch"]) is str
    assert welcome["user"]["id"] == alice.id
    assert welcome["rooms"][0]["id"] == LOBBY
    for room in welcome["rooms"]:
        assert set(room) >= {"id", "name", "kind", "head", "floor", "read_seq", "unread_count"}
        assert welcome["heads"][f"room:{room['id']}"] == room["head"]
    assert {"site", f"user:{alice.id}"} <= set(welcome["heads"])
    assert await all_of(ws) == []  # topics that `have` does not name are not replayed
    await ws.close()


async def test_have_replays_missed_events_topic_by_topic(open_server: Server, alice: Account) -> None:
    room = alice.create_room(fresh("Have"))
    for number in range(3):
        alice.request("POST", f"/api/rooms/{room}/messages", json={"key": f"{number}", "body": f"{number}"})
    topic = f"room:{room}"
    ws, welcome = await greet(open_server, {"token": alice.token})
    await ws.close()
    epoch, head = welcome["epoch"], welcome["heads"][topic]
    cases: list[tuple[dict[str, Any], list[Any]]] = [
        ({"have": {topic: head}, "epoch": epoch}, []),
        ({"have": {topic: head - 2}, "epoch": epoch}, [head - 1, head]),
        ({"have": {topic: head - 2}}, [head - 1, head]),
        ({"have": {}, "epoch": epoch}, []),
        ({"have": {}, "epoch": "wrong"}, []),
        ({"epoch": "wrong"}, []),
        ({"have": {topic: head + 1}, "epoch": epoch}, ["reset"]),
        ({"have": {topic: head}, "epoch": "wrong"}, ["reset"]),
        ({"have": {topic: 0}, "epoch": epoch}, ["reset"]),
    ]
    for hello, wanted in cases:
        ws, welcome = await greet(open_server, {"token": alice.token, **hello})
        frames = await all_of(ws)
        assert [frame["type"] if "head" in frame else frame["seq"] for frame in frames] == wanted, (hello, frames)
        for frame in frames:
            assert frame["topic"] == topic
            if frame["type"] == "reset":
                assert set(frame) == {"type", "topic", "head", "floor"}
        await ws.close()


async def test_have_with_foreign_or_invalid_topics_returns_no_events(
    open_server: Server, alice: Account, bob: Account
) -> None:
    """A room without membership, a missing room, another user's topic, invalid names.

    No event, no crash.
    """
    foreign = bob.create_room(fresh("Foreign"))
    bob.request("POST", f"/api/rooms/{foreign}/messages", json={"key": "1", "body": "secret"})
    for topic in (
        f"room:{foreign}",
        "room:987654321",
        f"user:{bob.id}",
        "security",
        "nonsense",
        "room:x",
        "room:01",
        "",
        "site:1",
        "room:1 ",
    ):
        ws, first = await greet(open_server, {"token": alice.token, "have": {topic: 0}})
        assert first.get("type") == "welcome" or first["error"]["code"] == "bad_request", (topic, first)
        if first.get("type") == "welcome":
            frames = await all_of(ws)
            assert "secret" not in json.dumps(frames)
            assert all(frame["type"] in ("reset", "more") for frame in frames), (topic, frames)
            await ws.close()
        else:
            assert (await receive_rest(ws))[1] == 4501


@pytest.mark.parametrize(
    "first",
    ['{"type":"ping"}', '{"id":1,"type":"ping"}', '{"id":1,"type":"message.send","room":1,"key":"x","body":"x"}',
    "nonsense", "[]", "null",
     '{"type":"hello"}', '{"type":"hello","token":""}', '{"type":"hello","token":null}',
     '{"type":"hello","token":7}', '{"type":"hello","token":"a.b.c"}',
     '{"type":"hello","token":"x","have":[]}', '{"type":"hello","have":{"room:1":-1}}', '{"type":"Hello"}', "", "{}"],
)  # fmt: skip
async def test_a_first_frame_without_a_valid_hello_closes_with_4501(open_server: Server, first: str) -> None:
    ws = await open_socket(open_server)
    await ws.send(first)
    error = await receive(ws)
    assert error["re"] is None
    assert error["error"]["code"] in ("unauthenticated", "bad_request")
    expect_error_body(error, error["error"]["code"])
    assert (await receive_rest(ws)) == ([], 4501)


async def test_a_message_reaches_every_member_once_and_its_author_is_acknowledged(
    open_server: Server, alice: Account, bob: Account
) -> None:
    room = alice.create_room(fresh("Talk"))
    bob.join(room)
    hers, _ = await greet(open_server, {"token": alice.token})
    his, _ = await greet(open_server, {"token": bob.token})
    await hers.send(json.dumps({"id": 7, "type": "message.send", "room": room, "key": "01J", "body": "hello ☃"}))
    frames = [await receive(hers), await receive(hers)]
    event = next(frame for frame in frames if "re" not in frame)
    assert {"re": 7, "ok": {"topic": f"room:{room}", "seq": event["seq"]}} in frames
    assert event["type"] == "message.sent"
    assert (event["topic"], event["by"], event["key"], event["body"]) == (f"room:{room}", alice.id, "01J", "hello ☃")
    assert await receive(his) == event
    again = await send(hers, {"id": 8, "type": "message.send", "room": room, "key": "01J", "body": "hello ☃"})
    assert again == {"re": 8, "ok": {"topic": f"room:{room}", "seq": event["seq"]}}
    assert await all_of(his) == []
    other = await send(his, {"id": 8, "type": "message.send", "room": room, "key": "01J", "body": "another's key"})
    assert other["ok"]["seq"] == event["seq"] + 1
    expect_error_body(
        await send(hers, {"id": 9, "type": "message.send", "room": room, "key": "01J", "body": "other"}), "conflict"
    )
    await hers.close()
    await his.close()


async def test_one_event_is_one_text_message(open_server: Server, alice: Account) -> None:
    """Twenty commands in one segment.

    Twenty events, each a message of its own with its body in it once.
    """
    room = alice.create_room(fresh("Burst"))
    ws, _ = await greet(open_server, {"token": alice.token})
    for number in range(20):
        await ws.send(
            json.dumps(
                {"id": number, "type": "message.send", "room": room, "key": f"{number}", "body": f"body-{number}-"}
            )
        )
    texts: list[str] = []
    while len(texts) < 40:
        text = await asyncio.wait_for(ws.recv(), 20)
        assert isinstance(text, str)
        texts.append(text)
    events = [json.loads(text) for text in texts if '"re"' not in text]
    assert [event["body"] for event in events] == [f"body-{number}-" for number in range(20)]
    assert [event["seq"] for event in events] == list(range(events[0]["seq"], events[0]["seq"] + 20))
    for number, text in enumerate(text for text in texts if '"re"' not in text):
        assert text.count(f"body-{number}-") == 1
    await ws.close()


@pytest.mark.parametrize("number", [0, -1, 2**53 - 1, -(2**53) + 1])
async def test_a_command_id_may_be_any_safe_integer(open_server: Server, alice: Account, number: int) -> None:
    ws, _ = await greet(open_server, {"token": alice.token})
    await ws.send(json.dumps({"id": number, "type": "room.join", "room": LOBBY}))
    assert (await receive(ws)).get("re") == number
    await ws.close()


async def test_the_same_command_id_twice_gets_two_answers(open_server: Server, alice: Account) -> None:
    ws, _ = await greet(open_server, {"token": alice.token})
    for _ in range(2):
        await ws.send('{"id":5,"type":"room.join","room":1}')
    assert [(await reply_to(ws, 5))["ok"]["topic"] for _ in range(2)] == ["room:1", "room:1"]
    await ws.close()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"type": "message.send", "room": 1, "key": "x"}, "bad_request"),
        ({"type": "message.send", "room": 1, "key": "x", "body": ""}, "bad_request"),
        ({"type": "message.send", "room": 1, "key": "x", "body": " \n\u3000"}, "bad_request"),
        ({"type": "message.send", "room": "1", "key": "x", "body": "x"}, "bad_request"),
        ({"type": "message.send", "room": 1.0, "key": "x", "body": "x"}, "bad_request"),
        ({"type": "message.send", "room": True, "key": "x", "body": "x"}, "bad_request"),
        ({"type": "message.send", "room": 2**53, "key": "x", "body": "x"}, "bad_request"),
        ({"type": "message.send", "room": 987654321, "key": "x", "body": "x"}, "not_found"),
        ({"type": "room.create", "kind": "public", "name": ""}, "bad_request"),
        ({"type": "room.create", "kind": "public", "name": "x" * 65}, "bad_request"),
        ({"type": "room.create", "kind": "public", "name": "two\nlines"}, "bad_request"),
        ({"type": "room.create", "kind": "public", "name": "\u202eevil"}, "bad_request"),
        ({"type": "room.join", "room": 987654321}, "not_found"),
        ({"type": "room.join"}, "bad_request"),
        ({"type": "room.leave", "room": 1}, "forbidden"),
        ({"type": "room.leave", "room": 987654321}, "not_found"),
        ({"type": "room.read", "room": 987654321, "seq": 1}, "not_found"),
        ({"type": "room.read", "room": 1, "seq": -1}, "bad_request"),
        ({"type": "room.read", "room": 1, "seq": "1"}, "bad_request"),
        ({"type": "events.since", "topic": "room:1"}, "bad_request"),
        ({"type": "events.since", "topic": "room:1", "after": "0"}, "bad_request"),
        ({"type": "events.since", "topic": "room:1", "after": 0, "limit": 201}, "bad_request"),
        ({"type": "events.since", "topic": "room:1", "after": 0, "limit": 0}, "bad_request"),
        ({"type": "events.since", "topic": "room:987654321", "after": 0}, "not_found"),
        ({"type": "events.since", "topic": "user:4444", "after": 0}, "not_found"),
        ({"type": "no.such.thing"}, "bad_request"),
        ({"type": 7}, "bad_request"),
        ({}, "bad_request"),
        ({"type": "hello", "token": "x"}, "bad_request"),
        ({"type": "welcome"}, "bad_request"),
    ],
)  # fmt: skip
async def test_an_invalid_command_is_refused_with_its_code_and_the_socket_stays_open(
    open_server: Server, alice: Account, command: Frame, code: str
) -> None:
    ws, _ = await greet(open_server, {"token": alice.token})
    answer = await send(ws, {"id": 31, **command})
    error = expect_error_body(answer, code)
    assert set(answer) == {"re", "error"}
    assert "987654321" not in error["message"]
    assert "4444" not in error["message"]
    assert await all_of(ws) == []
    await ws.close()


@pytest.mark.parametrize("body", ['"a\\u0000b"', '"\\ud83d"', "NaN", '{"a":1,"a":2}', "[" * 33 + "]" * 33])
async def test_a_command_with_invalid_json_content_is_refused_under_its_id(
    open_server: Server, alice: Account, body: str
) -> None:
    """Half an emoji is easily pasted.

    A client that waits for the answer to that message must get it.
    """
    ws, _ = await greet(open_server, {"token": alice.token})
    await ws.send(f'{{"id":9,"type":"message.send","room":1,"key":"q","body":{body}}}')
    answer = await receive(ws)
    expect_error_body(answer, "bad_request")
    assert answer["re"] == 9
    await ws.close()


async def test_a_ping_needs_no_id(open_server: Server, alice: Account) -> None:
    ws, _ = await greet(open_server, {"token": alice.token})
    await ws.send('{"type":"ping"}')
    assert await receive(ws) == {"type": "pong"}
    pong = await ws.ping()
    await asyncio.wait_for(pong, 20)
    await ws.close()
    assert ws.close_code == 1000


async def test_events_since_pages_and_resets(open_server: Server, alice: Account) -> None:
    room = alice.create_room(fresh("Since"))
    for number in range(5):
        alice.request("POST", f"/api/rooms/{room}/messages", json={"key": f"{number}", "body": f"{number}"})
    topic = f"room:{room}"
    ws, welcome = await greet(open_server, {"token": alice.token})
    head, floor = welcome["heads"][topic], next(r["floor"] for r in welcome["rooms"] if r["id"] == room)

    async def since(**fields: Any) -> Frame:
        answer: Frame = (await send(ws, {"id": 1, "type": "events.since", "topic": topic, **fields}))["ok"]
        rest = {name: value for name, value in fields.items() if value is not None}
        assert alice.get(f"/api/topics/{topic}/events", **rest) == answer
        return answer

    page = await since(after=floor, limit=2)
    assert set(page) == {"epoch", "events", "head", "more"}
    assert [event["seq"] for event in page["events"]] == [floor + 1, floor + 2]
    assert page["head"] == head
    assert page["epoch"] == welcome["epoch"]
    assert (await since(after=head, epoch=welcome["epoch"]))["events"] == []
    gone = {"epoch": welcome["epoch"], "reset": True, "head": head, "floor": floor}
    assert await since(after=head, epoch="wrong") == gone
    assert await since(after=head + 1) == gone
    assert await since(after=floor - 1) == gone
    await ws.close()
