"""New members learn nothing about earlier messages if the room hides them.

This holds over every API, for rooms with `history: joined`.
"""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.bugs.conftest import StartServer
from tests.rooms.questions import Subject, questions
from tests.support.client import Connection, Frame
from tests.support.server import Account, Server

SECRET = "marmalade"
"""A word in every message sent before the new member joined, and nowhere else."""
FAR = 10**6


@dataclass
class World:
    """A room in which alice, its owner, and bob talked before carol joined.

    `old` holds their messages.
    """

    server: Server
    people: dict[str, Account]
    connections: dict[str, Connection]
    room: int = 0
    old: tuple[int, int] = (0, 0)
    joined: int = 0

    async def do(self, who: str, kind: str, /, **fields: Any) -> Frame:
        return await self.connections[who].command(kind, **{"room": self.room, **fields})

    async def say(self, who: str, key: str, body: str, **fields: Any) -> int:
        return int((await self.do(who, "message.send", key=key, body=body, **fields))["seq"])

    async def set_up(self, history: str) -> None:
        made = await self.connections["alice"].command("room.create", kind="private", name=history, history=history,
                                                 members=[self.people["bob"].id])  # fmt: skip
        self.room = made["room"]["id"]
        first = await self.say("alice", "first", f"{SECRET} for @bob and @carol")
        for body in ("a", "b"):
            await self.do("alice", "message.edit", message=first, body=f"{SECRET} {body} @carol @room")
        self.old = (first, await self.say("bob", "second", f"more {SECRET}", reply_to=first))
        await self.do("alice", "message.pin", message=first)
        await self.do("bob", "reaction.add", message=first, emoji="🧡")
        await self.do("alice", "member.add", user=self.people["carol"].id)
        await self.connections["carol"].ping()
        self.joined = self.room_state("carol")["head"]

    def room_state(self, who: str) -> Frame:
        room: Frame = self.people[who].get(f"/api/rooms/{self.room}")["room"]
        return room

    async def change_old_messages(self) -> None:
        """Edit, delete, pin and react to the messages from before carol joined."""
        first, second = self.old
        await self.do("alice", "message.edit", message=first, body=f"{SECRET} c, @carol @room @here")
        await self.do("bob", "message.edit", message=second, body=f"other {SECRET}")
        await self.do("bob", "reaction.add", message=first, emoji="🍊")
        await self.do("bob", "reaction.remove", message=first, emoji="🧡")
        await self.do("alice", "message.unpin", message=first)
        await self.do("alice", "message.pin", message=second)
        await self.say("bob", "reply", "quite so", reply_to=first)
        await self.do("alice", "message.delete", message=second)
        for connection in self.connections.values():
            await connection.ping()


@pytest.fixture(scope="module")
def server_and_users(start_server: StartServer) -> tuple[Server, dict[str, Account]]:
    return start_server("alice", "bob", "carol")


@pytest.fixture
async def world(server_and_users: tuple[Server, dict[str, Account]]) -> AsyncIterator[World]:
    server, people = server_and_users
    connections = {name: await Connection.open(server.websocket_url, account.token) for name, account in people.items()}
    yield World(server, people, connections)
    for connection in connections.values():
        await connection.close()


async def received_by(world: World, who: str) -> dict[str, str]:
    """Return all that a user receives about the room, over every API."""
    account, room = world.people[who], world.room
    paths = ["", "/messages", "/messages?after=0", f"/messages?around={world.old[0]}", f"/messages?before={FAR}",
             "/pins", "/members", "/online-members"]  # fmt: skip
    received = {path: account.request("GET", f"/api/rooms/{room}{path}").text for path in paths}
    received["live"] = json.dumps(world.connections[who].frames)
    received["catching up over HTTP"] = json.dumps(account.log(f"room:{room}"))
    received["the user's own log"] = json.dumps(account.log(f"user:{account.id}"))
    async with await Connection.open(world.server.websocket_url, account.token, have={f"room:{room}": 1}) as again:
        await again.ping()
        received["welcome"] = json.dumps([again.welcome, again.frames])
    return received


async def test_messages_from_before_a_member_joined_never_reach_them_whatever_changes_later(world: World) -> None:
    """C23 (CVE-2022-31017, Zulip): edit events carried old text to later members.

    Here: edits, reactions, replies, quotes, pins, deletions and mentions of old messages, live, on
    catching up and over REST.
    """
    await world.set_up("joined")
    await world.change_old_messages()
    received = await received_by(world, "carol")
    assert [way for way, text in received.items() if SECRET in text] == []
    page = json.loads(received["/messages?after=0"])
    assert [message["body"] for message in page["messages"]] == ["quite so"]
    assert page["quotes"] == []
    assert page["more"] == {"before": False, "after": False}
    assert json.loads(received["/pins"])["pins"] == []
    assert {way: SECRET in text for way, text in (await received_by(world, "bob")).items()}["/messages"], "the control"


async def test_messages_from_before_a_member_joined_do_not_count_as_unread(world: World) -> None:
    """C23: counts reveal messages that a member may not see.

    Old mentions and old messages are not counted, and neither are later changes to them.
    """
    await world.set_up("joined")
    fresh = world.room_state("carol")
    assert (fresh["unread_count"], fresh["mention_count"]) == (0, 0)
    await world.change_old_messages()
    later = world.room_state("carol")
    assert (later["unread_count"], later["mention_count"]) == (1, 0), "only the reply that was sent after"
    await world.say("alice", "call", "@carol, there")
    assert (world.room_state("carol")["unread_count"], world.room_state("carol")["mention_count"]) == (2, 1)
    moved = [frame for frame in world.connections["carol"].frames if frame["type"] == "room.read_moved"]
    assert moved == []


async def test_a_message_from_before_joining_looks_like_one_that_does_not_exist(world: World) -> None:
    """C23: routes and commands answer alike about an old and a missing message."""
    await world.set_up("joined")
    found, compared = [], 0
    for question in questions():
        answers = []
        for seq in (world.old[0], FAR):
            given = replaced(question.fill(Subject(world.room, 1, seq, seq)), seq)
            if given is not None:
                answers.append(await ask(world, "carol", given))
        compared += len(answers) == 2
        if len({str(answer) for answer in answers}) > 1:
            found.append(question.name)
    assert found == []
    assert compared >= 20
    reply = {"type": "message.send", "room": world.room, "key": "k", "body": "x"}
    answers = [await ask(world, "carol", {**reply, "reply_to": seq}) for seq in (world.old[0], FAR)]
    assert answers[0] == answers[1]
    own = await world.say("carol", "own", "mine")
    assert (await world.do("carol", "message.edit", message=own, body="mine too"))["seq"] > own, "the control"


def replaced(given: dict[str, Any], seq: int) -> dict[str, Any] | None:
    """Return the request with this message's seq.

    None for a request that names no message.
    """
    if "path" in given:
        parts = given["path"].split("/")
        places = [index for index, part in enumerate(parts) if index and parts[index - 1] in ("messages", "pins")]
        body = given.get("json", {})
        if not [index for index in places if parts[index].isdecimal()] and "message" not in body:
            return None
        for index in places:
            parts[index] = str(seq)
        return {**given, "path": "/".join(parts), **({"json": {**body, "message": seq}} if "message" in body else {})}
    return {**given, "message": seq} if "message" in given else None


async def ask(world: World, who: str, given: dict[str, Any]) -> object:
    if "path" in given:
        answer = world.people[who].request(**given)
        return answer.status_code, answer.text
    reply = await (await world.connections[who].post(given["type"], **{k: v for k, v in given.items() if k != "type"}))
    return reply.get("ok", reply.get("error"))


async def test_history_visibility_follows_the_current_setting_of_the_room(world: World) -> None:
    """C24 (CVE-2024-27286, Zulip: moved messages kept their old audience).

    How far back a member reads depends on the room's setting at the time of reading, for old and
    new members; a member who was there all along keeps reading.
    """
    await world.set_up("all")
    assert SECRET in (await received_by(world, "carol"))["/messages"]
    await world.do("alice", "room.update", history="joined")
    await world.change_old_messages()
    page = await received_by(world, "carol")
    assert [way for way, text in page.items() if SECRET in text] == []
    assert SECRET in (await received_by(world, "bob"))["/messages"]
    await world.do("alice", "room.update", history="all")
    assert SECRET in (await received_by(world, "carol"))["/messages"]
