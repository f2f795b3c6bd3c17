"""Hidden rooms show in no list, count, mention, invite or presence."""

import itertools
import json
from typing import Any

import pytest

from tests.bugs.conftest import StartServer
from tests.generated.contract import operations
from tests.rooms.test_absence import ABSENT
from tests.support.client import Connection
from tests.support.server import Account, Server

SECRET = "quince"
"""A word that stands in every name and message of the rooms."""
HIDDEN = ("private", "direct")
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server_and_users(start_server: StartServer) -> tuple[Server, dict[str, Account]]:
    return start_server("alice", "bob", "carol", "owner")


async def use_room(
    alice: Connection, bob: Connection, people: dict[str, Account], kind: str
) -> tuple[int, dict[str, Any]]:
    """Do everything that users can do in a room, mentioning a user outside of it.

    Return its id and an invite.
    """
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
        await alice.command("member.ban", room=room, user=carol, reason=f"no {SECRET} for you")
        await alice.command("member.unban", room=room, user=carol)
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
    """Send a message without the secret, to be forwarded."""
    return int((await alice.command("message.send", room=room, key=fresh(), body="a plain word"))["seq"])


def all_answers(account: Account, people: dict[str, Account]) -> dict[str, str]:
    """Return the answers of all reading routes, and the logs that the user may follow."""
    given = {
        "room": 1,
        "message": 1,
        "user": people["alice"].id,
        "topic": "site",
        "after": 0,
        "q": "",
        "follower": "search",
        "webhook": 1,
    }
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
async def test_hidden_rooms_appear_nowhere_for_users_who_may_not_know_of_them(
    server_and_users: tuple[Server, dict[str, Account]], kind: str, who: str
) -> None:
    """C25 (CVE-2021-39163, -39164, Synapse): private rooms were visible to outsiders.

    Those who knew the id got name, topic and members. Here: every view that does not even name the
    room, while it is created, used, moderated and forwarded from: lists, logs, live events,
    `welcome`, presence, users, mentions by name, revoked invites.
    """
    server, people = server_and_users
    connections = {
        name: await Connection.open(server.websocket_url, people[name].token) for name in ("alice", "bob", who)
    }
    try:
        await connections[who].command("presence.watch", users=[person.id for person in people.values()])
        room, link = await use_room(connections["alice"], connections["bob"], people, kind)
        await connections[who].ping()
        answers = all_answers(people[who], people) | {"live": json.dumps(connections[who].frames)}
        async with await Connection.open(server.websocket_url, people[who].token, have={f"room:{room}": 1}) as again:
            await again.ping()
            answers["welcome"] = json.dumps(again.welcome)
        if link:
            opened = people[who].request("POST", "/api/invites/check", json={"token": link["token"]}).json()
            assert opened == {"valid": False, "signup": False, "room": None, "room_name": None}
        found = [way for way, text in answers.items() if SECRET in text or str(room) in text]
        assert found == []
        forwarded = json.loads(answers["list_messages"])["messages"][-1]
        assert forwarded["body"] == "a plain word"
        assert forwarded["forwarded"].keys() == {"by", "name", "at"}
        inside = all_answers(people["bob"], people)
        assert str(room) in inside["list_rooms"], "the control"
    finally:
        for connection in connections.values():
            await connection.close()


async def test_a_direct_room_of_others_is_not_found_by_naming_its_members(
    server_and_users: tuple[Server, dict[str, Account]],
) -> None:
    """C25: a direct room that is created with other users' ids includes its creator."""
    server, people = server_and_users
    alice, bob, carol = people["alice"], people["bob"], people["carol"]
    async with (
        await Connection.open(server.websocket_url, alice.token) as hers,
        await Connection.open(server.websocket_url, carol.token) as connection,
    ):
        theirs = (await hers.command("room.create", kind="direct", members=[bob.id]))["room"]["id"]
        asked = (await connection.command("room.create", kind="direct", members=[alice.id, bob.id]))["room"]
        assert asked["id"] != theirs
        assert [person["id"] for person in asked["members"]] == sorted([alice.id, bob.id, carol.id])
        for room in (theirs, ABSENT):
            assert carol.request("GET", f"/api/rooms/{room}").status_code == 404
