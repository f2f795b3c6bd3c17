"""Whoever comes into a room that does not tell what was said before learns nothing of it, by no way."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.bugs.conftest import Settled
from tests.rooms.questions import Place, questions
from tests.support.client import Connection, Frame
from tests.support.server import Account, Server

SECRET = "marmalade"
"""Stands in all that was said before the newcomer came, and nowhere else."""
FAR = 10**6


@dataclass
class Scene:
    """A room in which alice, who owns it, and bob have talked before carol came; `old` is what was said then."""

    server: Server
    people: dict[str, Account]
    lines: dict[str, Connection]
    room: int = 0
    old: tuple[int, int] = (0, 0)
    joined: int = 0

    async def do(self, who: str, kind: str, /, **fields: Any) -> Frame:
        return await self.lines[who].command(kind, **{"room": self.room, **fields})

    async def say(self, who: str, key: str, body: str, **fields: Any) -> int:
        return int((await self.do(who, "message.send", key=key, body=body, **fields))["seq"])

    async def furnish(self, history: str) -> None:
        made = await self.lines["alice"].command("room.create", kind="private", name=history, history=history,
                                                 members=[self.people["bob"].id])  # fmt: skip
        self.room = made["room"]["id"]
        first = await self.say("alice", "first", f"{SECRET} for @bob and @carol")
        for body in ("a", "b"):
            await self.do("alice", "message.edit", message=first, body=f"{SECRET} {body} @carol @room")
        self.old = (first, await self.say("bob", "second", f"more {SECRET}", reply_to=first))
        await self.do("alice", "message.pin", message=first)
        await self.do("bob", "reaction.add", message=first, emoji="🧡")
        await self.do("alice", "room.invite", user=self.people["carol"].id)
        await self.lines["carol"].ping()
        self.joined = self.standing("carol")["head"]

    def standing(self, who: str) -> Frame:
        room: Frame = self.people[who].get(f"/api/rooms/{self.room}")["room"]
        return room

    async def go_on(self) -> None:
        """What is done afterwards to what was said before."""
        first, second = self.old
        await self.do("alice", "message.edit", message=first, body=f"{SECRET} c, @carol @room @here")
        await self.do("bob", "message.edit", message=second, body=f"other {SECRET}")
        await self.do("bob", "reaction.add", message=first, emoji="🍊")
        await self.do("bob", "reaction.remove", message=first, emoji="🧡")
        await self.do("alice", "message.unpin", message=first)
        await self.do("alice", "message.pin", message=second)
        await self.say("bob", "reply", "quite so", reply_to=first)
        await self.do("alice", "message.delete", message=second)
        for line in self.lines.values():
            await line.ping()


@pytest.fixture(scope="module")
def house(settled: Settled) -> tuple[Server, dict[str, Account]]:
    return settled("alice", "bob", "carol")


@pytest.fixture
async def scene(house: tuple[Server, dict[str, Account]]) -> AsyncIterator[Scene]:
    server, people = house
    lines = {name: await Connection.open(server.websocket_url, account.token) for name, account in people.items()}
    yield Scene(server, people, lines)
    for line in lines.values():
        await line.close()


async def learnt(scene: Scene, who: str) -> dict[str, str]:
    """Everything that somebody is told of the room, by whatever way, once it has gone on."""
    account, room = scene.people[who], scene.room
    paths = ["", "/messages", "/messages?after=0", f"/messages?around={scene.old[0]}", f"/messages?before={FAR}",
             "/pins", "/members", "/online"]  # fmt: skip
    told = {path: account.request("GET", f"/api/rooms/{room}{path}").text for path in paths}
    told["live"] = json.dumps(scene.lines[who].frames)
    told["catching up over HTTP"] = json.dumps(account.log(f"room:{room}"))
    told["of oneself"] = json.dumps(account.log(f"user:{account.id}"))
    async with await Connection.open(scene.server.websocket_url, account.token, have={f"room:{room}": 1}) as again:
        await again.ping()
        told["welcome"] = json.dumps([again.welcome, again.frames])
    return told


async def test_what_was_said_before_reaches_no_newcomer_whatever_is_done_to_it_later(scene: Scene) -> None:
    """C23 (CVE-2022-31017, Zulip): the edit event carried old and new text to people who joined later. Here: edits,
    reactions, replies, quotes, pins, deletions and mentions of old messages, live, on catching up and over REST."""
    await scene.furnish("joined")
    await scene.go_on()
    told = await learnt(scene, "carol")
    assert [way for way, text in told.items() if SECRET in text] == []
    page = json.loads(told["/messages?after=0"])
    assert [message["body"] for message in page["messages"]] == ["quite so"]
    assert page["quotes"] == []
    assert page["more"] == {"before": False, "after": False}
    assert json.loads(told["/pins"])["pins"] == []
    assert {way: SECRET in text for way, text in (await learnt(scene, "bob")).items()}["/messages"], "the control"


async def test_old_messages_count_for_no_newcomer(scene: Scene) -> None:
    """C23: counts tell of what one may not see. Old calls and old words are not counted, nor what is done to them."""
    await scene.furnish("joined")
    fresh = scene.standing("carol")
    assert (fresh["unread"], fresh["mentions"]) == (0, 0)
    await scene.go_on()
    later = scene.standing("carol")
    assert (later["unread"], later["mentions"]) == (1, 0), "only the answer that came after"
    await scene.say("alice", "call", "@carol, there")
    assert (scene.standing("carol")["unread"], scene.standing("carol")["mentions"]) == (2, 1)
    moved = [frame for frame in scene.lines["carol"].frames if frame["type"] == "read.moved"]
    assert moved == []


async def test_an_old_message_is_to_a_newcomer_as_one_that_is_not_there(scene: Scene) -> None:
    """C23: every route and every command that names a message answers alike about an old one and about none."""
    await scene.furnish("joined")
    found, compared = [], 0
    for question in questions():
        answers = []
        for seq in (scene.old[0], FAR):
            given = replaced(question.fill(Place(scene.room, 1, seq, seq)), seq)
            if given is not None:
                answers.append(await ask(scene, "carol", given))
        compared += len(answers) == 2
        if len({str(answer) for answer in answers}) > 1:
            found.append(question.name)
    assert found == []
    assert compared >= 20
    reply = {"type": "message.send", "room": scene.room, "key": "k", "body": "x"}
    answers = [await ask(scene, "carol", {**reply, "reply_to": seq}) for seq in (scene.old[0], FAR)]
    assert answers[0] == answers[1]
    own = await scene.say("carol", "own", "mine")
    assert (await scene.do("carol", "message.edit", message=own, body="mine too"))["seq"] > own, "the control"


def replaced(given: dict[str, Any], seq: int) -> dict[str, Any] | None:
    """The same about this very message; None for what does not name one."""
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


async def ask(scene: Scene, who: str, given: dict[str, Any]) -> object:
    if "path" in given:
        answer = scene.people[who].request(**given)
        return answer.status_code, answer.text
    reply = await (await scene.lines[who].post(given["type"], **{k: v for k, v in given.items() if k != "type"}))
    return reply.get("ok", reply.get("error"))


async def test_who_may_read_back_does_and_loses_it_when_the_room_says_so(scene: Scene) -> None:
    """C24 (CVE-2024-27286, Zulip: what was moved kept its old audience): how far one reads back is what the room says
    when one reads, for those who are in it as for those who come; who was there all along goes on reading."""
    await scene.furnish("all")
    assert SECRET in (await learnt(scene, "carol"))["/messages"]
    await scene.do("alice", "room.update", history="joined")
    await scene.go_on()
    page = await learnt(scene, "carol")
    assert [way for way, text in page.items() if SECRET in text] == []
    assert SECRET in (await learnt(scene, "bob"))["/messages"]
    await scene.do("alice", "room.update", history="all")
    assert SECRET in (await learnt(scene, "carol"))["/messages"]
