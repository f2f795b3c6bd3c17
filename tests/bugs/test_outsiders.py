"""What goes on in a room that one may not know of shows nowhere: not in any list, count, call, link or presence."""

import itertools
import json
from typing import Any

import pytest

from tests.bugs.conftest import Settled
from tests.generated.contract import operations
from tests.rooms.test_absence import ABSENT
from tests.support.client import Connection
from tests.support.server import Account, Server

SECRET = "quince"
"""Stands in everything that is called or said in the rooms."""
HIDDEN = ("private", "direct")
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def house(settled: Settled) -> tuple[Server, dict[str, Account]]:
    return settled("alice", "bob", "carol", "owner")


async def live_in(
    alice: Connection, bob: Connection, people: dict[str, Account], kind: str
) -> tuple[int, dict[str, Any]]:
    """All that people do in a room, with words about somebody who is not in it; its id, and a link into it."""
    about: dict[str, Any] = (
        {} if kind == "direct" else {"name": f"The {SECRET} room", "topic": SECRET, "description": SECRET}
    )
    made = await alice.command("room.create", kind=kind, members=[people["bob"].id], **about)
    room: int = made["room"]["id"]
    said = (await alice.command("message.send", room=room, key=fresh(), body=f"@carol {SECRET} @room @here"))["seq"]
    await bob.command("message.send", room=room, key=fresh(), body=f"{SECRET} @carol", reply_to=said)
    await alice.command("message.edit", room=room, message=said, body=f"{SECRET} again, @carol")
    await alice.command("message.pin", room=room, message=said)
    await bob.command("reaction.add", room=room, message=said, emoji="🍐")
    await bob.command("typing", room=room)
    await alice.command("room.update", room=room, topic=f"{SECRET} jam")
    link: dict[str, Any] = {}
    if kind == "private":
        carol = people["carol"].id
        await alice.command("room.ban", room=room, user=carol, reason=f"no {SECRET} for you")
        await alice.command("room.unban", room=room, user=carol)
        await alice.command("room.archive", room=room)
        await alice.command("room.restore", room=room)
        link = people["alice"].request("POST", "/api/invites", json={"room": room}).json()
        gone = people["alice"].request("DELETE", f"/api/invites/{link['id']}")
        assert gone.status_code == 204
    await alice.command("message.forward", room=1, key=fresh(), from_room=room, message=await plain(alice, room))
    return room, link


def fresh() -> str:
    return f"key {next(numbers)}"


async def plain(alice: Connection, room: int) -> int:
    """Something without a secret, to be forwarded."""
    return int((await alice.command("message.send", room=room, key=fresh(), body="a plain word"))["seq"])


def everything(account: Account, people: dict[str, Account]) -> dict[str, str]:
    """What every route that reads answers, and the logs that one may follow."""
    given = {"room": 1, "message": 1, "user": people["alice"].id, "topic": "site", "after": 0, "q": ""}
    found = {}
    for operation, (method, path) in operations().items():
        if method == "GET" and operation != "metrics":
            people_asked = {"user": [person.id for person in people.values()]} if operation == "show_presence" else {}
            params = {"after": 0, **people_asked} if operation in ("list_events", "show_presence") else {}
            answer = account.request("GET", path.format(**given), params=params)
            assert answer.status_code < 500, f"{operation}: {answer.text}"
            found[operation] = answer.text
    logs = {topic: account.log(topic) for topic in ("room:1", "site", f"user:{account.id}")}
    return found | {topic: json.dumps(events) for topic, events in logs.items()}


@pytest.mark.parametrize("kind", HIDDEN)
@pytest.mark.parametrize("who", ["carol", "owner"])
async def test_nothing_of_a_room_shows_to_who_may_not_know_of_it(
    house: tuple[Server, dict[str, Account]], kind: str, who: str
) -> None:
    """C25 (CVE-2021-39163, -39164, Synapse): name, topic and members of private rooms came to outsiders who knew the
    id. Here by every view that does not even name the room, while it is made, talked in, looked after and forwarded
    out of: lists, logs, live events, `welcome`, presence, people, calls by name, links that were taken back."""
    server, people = house
    lines = {name: await Connection.open(server.websocket_url, people[name].token) for name in ("alice", "bob", who)}
    try:
        await lines[who].command("presence.watch", users=[person.id for person in people.values()])
        room, link = await live_in(lines["alice"], lines["bob"], people, kind)
        await lines[who].ping()
        told = everything(people[who], people) | {"live": json.dumps(lines[who].frames)}
        async with await Connection.open(server.websocket_url, people[who].token, have={f"room:{room}": 1}) as again:
            await again.ping()
            told["welcome"] = json.dumps(again.welcome)
        if link:
            opened = people[who].request("POST", "/api/invites/check", json={"token": link["token"]}).json()
            assert opened == {"valid": False, "signup": False, "room": None, "name": None}
        found = [way for way, text in told.items() if SECRET in text or str(room) in text]
        assert found == []
        forwarded = json.loads(told["list_messages"])["messages"][-1]
        assert forwarded["body"] == "a plain word"
        assert forwarded["forwarded"].keys() == {"by", "name", "at"}
        inside = everything(people["bob"], people)
        assert str(room) in inside["list_rooms"], "the control"
    finally:
        for line in lines.values():
            await line.close()


async def test_a_direct_room_is_not_found_by_asking_for_its_people(house: tuple[Server, dict[str, Account]]) -> None:
    """C25: whoever asks for a room with somebody else's people gets one of his own, with himself in it."""
    server, people = house
    alice, bob, carol = people["alice"], people["bob"], people["carol"]
    async with (
        await Connection.open(server.websocket_url, alice.token) as hers,
        await Connection.open(server.websocket_url, carol.token) as line,
    ):
        theirs = (await hers.command("room.create", kind="direct", members=[bob.id]))["room"]["id"]
        asked = (await line.command("room.create", kind="direct", members=[alice.id, bob.id]))["room"]
        assert asked["id"] != theirs
        assert [person["id"] for person in asked["people"]] == sorted([alice.id, bob.id, carol.id])
        for room in (theirs, ABSENT):
            assert carol.request("GET", f"/api/rooms/{room}").status_code == 404
