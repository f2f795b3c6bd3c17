"""Section 4.1, Rooms and Positions.

The directory, joining, removal, reading, history, heads.
"""

import json
from typing import Any

import pytest

from tests.contract.client import expect_error, fresh, greet, receive, request, send
from tests.support.server import Account, Server

LOBBY = 1


def test_the_directory_lists_every_public_room_with_the_lobby_first(alice: Account, bob: Account) -> None:
    theirs = bob.create_room(fresh("Directory"))
    page = alice.get("/api/rooms")
    assert set(page) == {"rooms", "more"}
    assert page["rooms"][0]["id"] == LOBBY
    assert page["rooms"][0]["joined"] is True
    rooms: list[dict[str, Any]] = []
    after = 0
    while True:
        page = alice.get("/api/rooms", after=after, limit=3)
        assert len(page["rooms"]) <= 3
        rooms += page["rooms"]
        if not page["more"]:
            break
        after = rooms[-1]["id"]
    ids = [room["id"] for room in rooms]
    assert len(set(ids)) == len(ids)
    assert ids[0] == LOBBY
    found = next(room for room in rooms if room["id"] == theirs)
    assert found["joined"] is False
    assert "read_seq" not in found


async def test_a_room_can_be_created_joined_left_and_joined_again(
    open_server: Server, alice: Account, bob: Account
) -> None:
    his, _ = await greet(open_server, {"token": bob.token})
    name = fresh("Life")
    made = alice.request("POST", "/api/rooms", json={"kind": "public", "name": name, "key": name})
    assert made.status_code == 201
    room = made.json()["room"]["id"]
    assert made.json()["seq"] == 1
    again = alice.request("POST", "/api/rooms", json={"kind": "public", "name": name, "key": name})
    assert again.status_code in (200, 201)
    assert (again.json()["room"]["id"], again.json()["seq"]) == (room, made.json()["seq"])
    expect_error(alice.request("POST", "/api/rooms", json={"kind": "public", "name": "x", "key": name}), "conflict")
    news = await receive(his)
    assert (news["topic"], news["type"], news["room"]) == ("site", "room.created", room)
    joined = await send(his, {"id": 1, "type": "room.join", "room": room})
    twice = await send(his, {"id": 2, "type": "room.join", "room": room})
    assert joined["ok"]["room"]["id"] == twice["ok"]["room"]["id"] == room
    assert twice["ok"]["seq"] == joined["ok"]["seq"]
    assert bob.request("POST", f"/api/rooms/{room}/join").status_code == 200
    left = await send(his, {"id": 3, "type": "room.leave", "room": room})
    assert left["ok"]["seq"] == joined["ok"]["seq"] + 1
    assert bob.request("POST", f"/api/rooms/{room}/messages", json={"key": fresh(), "body": "x"}).status_code in (
        403,
        404,
    )
    assert (await send(his, {"id": 4, "type": "room.join", "room": room}))["ok"]["seq"] == left["ok"]["seq"] + 1
    kinds = [event["type"] for event in alice.log(f"room:{room}", after=2)]
    assert kinds == ["member.joined", "member.left", "member.joined"]
    await his.close()


async def test_a_user_hears_of_own_rooms_on_every_device_and_members_hear_of_the_user(
    open_server: Server, alice: Account, bob: Account
) -> None:
    room = alice.create_room(fresh("Devices"))
    hers, _ = await greet(open_server, {"token": alice.token})
    his, _ = await greet(open_server, {"token": bob.token})
    bob.join(room)
    added = await receive(his)
    assert (added["topic"], added["type"], added["room"]) == (f"user:{bob.id}", "room.added", room)
    assert set(added["details"]) >= {"head", "floor", "read_seq", "unread_count", "role"}
    joined = await receive(his)
    assert (joined["type"], joined["user"], joined["by"]) == ("member.joined", bob.id, bob.id)
    assert await receive(hers) == joined
    removed = alice.request("DELETE", f"/api/rooms/{room}/members/{bob.id}")
    assert removed.status_code == 200
    event = await receive(hers)
    assert (event["type"], event["user"], event["by"], event["seq"]) == (
        "member.removed",
        bob.id,
        alice.id,
        removed.json()["seq"],
    )
    frames = [await receive(his)]
    assert frames[-1]["type"] in ("room.removed", "member.removed")
    alice.request("POST", f"/api/rooms/{room}/messages", json={"key": "1", "body": "among us"})
    await his.send('{"id":1,"type":"ping"}')
    while (frame := await receive(his)) != {"re": 1, "ok": {}}:
        frames.append(frame)
    assert "among us" not in json.dumps(frames)
    assert "room.removed" in [frame.get("type") for frame in frames]
    assert bob.request("DELETE", f"/api/rooms/{room}/members/{alice.id}").status_code in (403, 404)
    await hers.close()
    await his.close()


def test_members_cannot_remove_members_and_the_site_owner_can(alice: Account, bob: Account, owner: Account) -> None:
    room = alice.create_room(fresh("Removal"))
    bob.join(room)
    expect_error(bob.request("DELETE", f"/api/rooms/{room}/members/{alice.id}"), "forbidden")
    assert owner.request("DELETE", f"/api/rooms/{room}/members/{bob.id}").status_code == 200
    expect_error(alice.request("DELETE", f"/api/rooms/{room}/members/{bob.id}"), "not_found")


def test_a_room_answers_with_members_read_position_and_heads(alice: Account, bob: Account) -> None:
    room = alice.create_room(fresh("Detail"))
    bob.join(room)
    detail = alice.get(f"/api/rooms/{room}")
    assert set(detail) >= {"room", "members", "heads"}
    assert {member["id"] for member in detail["members"]} == {alice.id, bob.id}
    assert detail["heads"] == {f"room:{room}": detail["room"]["head"]}
    assert detail["room"]["member_count"] == 2
    page = alice.get(f"/api/rooms/{room}/members", limit=1)
    assert (len(page["members"]), page["more"]) == (1, True)
    rest = alice.get(f"/api/rooms/{room}/members", limit=1, after=page["members"][0]["id"])
    assert (len(rest["members"]), rest["more"]) == (1, False)
    assert page["members"][0]["id"] != rest["members"][0]["id"]


async def test_online_members_are_listed_once_each(open_server: Server) -> None:
    alice, bob = open_server.sign_up("offline"), open_server.sign_up("online")
    room = alice.create_room(fresh("Online"))
    bob.join(room)
    assert alice.get(f"/api/rooms/{room}/online-members")["users"] == []
    one, _ = await greet(open_server, {"token": bob.token})
    two, _ = await greet(open_server, {"token": bob.token})
    assert alice.get(f"/api/rooms/{room}/online-members")["users"] == [{"id": bob.id, "name": bob.name}]
    await one.close()
    await two.close()


@pytest.fixture
def filled(alice: Account) -> tuple[int, list[int]]:
    """A room with ten messages: its id and their seqs."""
    room = alice.create_room(fresh("Filled"))
    seqs = []
    for number in range(10):
        sent = alice.request("POST", f"/api/rooms/{room}/messages", json={"key": f"{number}", "body": f"{number}"})
        assert sent.status_code == 201
        assert set(sent.json()) == {"topic", "seq"}
        seqs.append(sent.json()["seq"])
    return room, seqs


@pytest.mark.parametrize(
    ("query", "wanted", "more"),
    [
        ({}, range(10), (False, False)), ({"limit": 3}, range(7, 10), (True, False)),
        ({"before": 5, "limit": 2}, range(3, 5), (True, True)),
        ({"after": 4, "limit": 2}, range(5, 7), (True, True)), ({"after": 9}, [], (True, False)),
        ({"before": 0}, [], (False, True)),
        ({"around": 5, "limit": 3}, range(4, 7), (True, True)), ({"after": 0, "limit": 200}, range(1, 10),
        (True, False)),
    ],
)  # fmt: skip
def test_history_pages_in_ascending_order(
    alice: Account, filled: tuple[int, list[int]], query: dict[str, int], wanted: Any, more: tuple[bool, bool]
) -> None:
    room, seqs = filled
    asked = {name: value if name == "limit" else seqs[value] for name, value in query.items()}
    page = alice.get(f"/api/rooms/{room}/messages", **asked)
    assert set(page) == {"messages", "quotes", "more", "heads"}
    assert [message["seq"] for message in page["messages"]] == [seqs[number] for number in wanted]
    assert (page["more"]["before"], page["more"]["after"]) == more
    assert page["heads"] == {f"room:{room}": seqs[-1]}
    for message in page["messages"]:
        assert (message["room"], message["by"], message["name"]) == (room, alice.id, alice.name)


async def test_reading_moves_the_position_only_forward_and_updates_unread(
    open_server: Server, alice: Account, bob: Account
) -> None:
    room = alice.create_room(fresh("Reading"))
    bob.join(room)
    ws, welcome = await greet(open_server, {"token": bob.token})

    def mine() -> dict[str, Any]:
        found: dict[str, Any] = bob.get(f"/api/rooms/{room}")["room"]
        return found

    newest = [
        alice.request("POST", f"/api/rooms/{room}/messages", json={"key": fresh("n"), "body": "new"}).json()["seq"]
        for _ in range(2)
    ]
    assert mine()["unread_count"] == 2
    assert (await send(ws, {"id": 1, "type": "room.read", "room": room, "seq": newest[0]}))["ok"][
        "topic"
    ] == f"user:{bob.id}"
    assert (mine()["read_seq"], mine()["unread_count"]) == (newest[0], 1)
    back = await send(ws, {"id": 2, "type": "room.read", "room": room, "seq": 1})
    assert "ok" in back
    assert (mine()["read_seq"], mine()["unread_count"]) == (newest[0], 1)
    future = await send(ws, {"id": 3, "type": "room.read", "room": room, "seq": 10**9})
    assert future.get("error", {}).get("code") == "bad_request" or mine()["read_seq"] <= mine()["head"]
    assert (
        bob.request("POST", f"/api/rooms/{room}/messages", json={"key": fresh("own"), "body": "mine"}).status_code
        == 201
    )
    assert mine()["unread_count"] == 0
    assert mine()["read_seq"] == mine()["head"]
    assert welcome["type"] == "welcome"
    await ws.close()


def test_a_topic_in_an_address_may_be_percent_encoded(open_server: Server, alice: Account) -> None:
    for topic in ("room:1", "room%3A1", "site", f"user:{alice.id}"):
        answer = alice.request("GET", f"/api/topics/{topic}/events?after=0&limit=1")
        assert answer.status_code == 200, answer.text
        assert set(answer.json()) in ({"epoch", "events", "head", "more"}, {"epoch", "reset", "head", "floor"})
    expect_error(request(open_server, "GET", "/api/topics/room:1/events?after=0"), "unauthenticated")


def test_a_user_who_is_no_member_reads_no_messages(alice: Account, bob: Account) -> None:
    """Section 1, P6: no reading without membership."""
    room = alice.create_room(fresh("Closed"))
    alice.request("POST", f"/api/rooms/{room}/messages", json={"key": "1", "body": "among us"})
    for path in (f"/api/rooms/{room}/messages", f"/api/topics/room:{room}/events?after=1"):
        answer = bob.request("GET", path)
        assert answer.status_code in (403, 404), answer.text
        assert "among us" not in answer.text
    assert bob.get(f"/api/rooms/{room}")["room"]["joined"] is False
