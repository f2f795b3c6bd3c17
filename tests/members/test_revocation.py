"""A banned user receives and reads nothing: live, by position, over REST."""

import asyncio
import random
from typing import Any

import httpx
import pytest

from tests.conftest import MakeServer
from tests.faults.conftest import BOTH_DATABASES
from tests.faults.conftest import engine as engine
from tests.faults.conftest import make_server as make_server
from tests.faults.conftest import new_database as new_database
from tests.faults.conftest import server as server
from tests.faults.test_revocation import loses_the_room
from tests.support import depth
from tests.support.checker import leaks, memberships, unheard
from tests.support.client import Connection, Frame, RefusedError, outcome
from tests.support.server import Account, Server

pytestmark = [pytest.mark.faults, BOTH_DATABASES]

BROKEN = ("-m", "tests.support.broken_server")


def ban(owner: Account, user: int, room: int, reason: str = "") -> httpx.Response:
    return owner.request("PUT", f"/api/rooms/{room}/bans/{user}", json={"reason": reason})


class MembershipRace:
    """A room that a user joins and is banned from, with an owner and a witness."""

    def __init__(self, server: Server) -> None:
        self.owner, self.member, self.witness = (server.sign_up() for _ in range(3))
        self.room = self.owner.create_room(f"joins and bans {random.getrandbits(40):x}")
        self.topic = f"room:{self.room}"
        self.witness.join(self.room)
        self.read: list[Frame] = []
        self.late: list[str] = []

    async def round(self, number: int, owner: Connection, member: Connection) -> None:
        """Let the member join; then submit a send, the ban, a send and a read at once."""
        joined = await member.command("room.join", room=self.room)
        since = {"topic": self.topic, "after": joined["seq"]}
        banned = {"room": self.room, "user": self.member.id}
        replies = [
            await owner.post("message.send", room=self.room, key=f"a{number}", body="for the member too"),
            await owner.post("member.ban", **banned),
            await owner.post("message.send", room=self.room, key=f"b{number}", body="not for the member"),
            await member.post("events.since", **since),
        ]
        for reply in replies[:2]:
            outcome(await reply)
        await self.reads_nothing(member, since)
        outcome(await replies[2])
        page = await replies[3]
        self.read += page["ok"].get("events", []) if "ok" in page else []
        await owner.command("member.unban", **banned)

    async def reads_nothing(self, member: Connection, since: dict[str, Any]) -> None:
        """Assert that a read that starts after the ban was acknowledged fails."""
        try:
            await member.command("events.since", **since)
        except RefusedError as refused:
            if refused.code != "not_found":
                raise
        else:
            self.late.append("events.since")


async def run_races(server: Server, rounds: int) -> list[str]:
    """Return what was received or read wrongly, and what was missed."""
    race = await asyncio.to_thread(MembershipRace, server)
    async with (
        await Connection.open(server.websocket_url, race.owner.token) as owner,
        await Connection.open(server.websocket_url, race.member.token) as member,
        await Connection.open(server.websocket_url, race.witness.token) as witness,
    ):
        for number in range(rounds):
            await race.round(number, owner, member)
            if number % 20 == 0:
                answer = await asyncio.to_thread(race.member.request, "GET", f"/api/rooms/{race.room}/messages")
                race.late += [] if answer.status_code == 404 else ["messages"]
        await member.ping()
        await witness.ping()
        heard, listened = (
            [frame for frame in socket.frames if frame.get("topic") == race.topic] for socket in (member, witness)
        )
        gone = member.of_type("room.removed")
    log = await asyncio.to_thread(race.owner.log, race.topic)
    assert [(frame["room"], frame["why"]) for frame in gone] == [(race.room, "banned")] * rounds
    assert len(memberships(log, race.member.id)) == rounds
    found = leaks(log, race.member.id, heard + race.read) + unheard(log, race.member.id, heard)
    return found + unheard(log, race.witness.id, listened) + [f"I8: {each} after the ban" for each in race.late]


async def test_a_send_a_ban_a_send_and_a_read_at_once_reach_exactly_the_members_of_that_moment(server: Server) -> None:
    assert await run_races(server, depth.rounds("bans", short=30, long=1_000)) == []


async def test_control_a_server_that_keeps_banned_users_subscribed_leaks_events(make_server: MakeServer) -> None:
    server = make_server({"BROKEN": "keep-subscribed"}, BROKEN)
    await asyncio.to_thread(server.start)
    found = await run_races(server, 5)
    assert any(sentence.startswith("I8") for sentence in found), found


async def test_a_banned_user_receives_nothing_more_also_with_an_old_position(server: Server) -> None:
    await loses_the_room(server, lambda owner, member, room: ban(owner, member.id, room, "enough"))


async def test_the_reason_of_a_ban_reaches_all_devices_of_the_user_also_after_reconnecting(server: Server) -> None:
    owner, member = server.sign_up(), server.sign_up()
    room = owner.create_room(f"reasons {random.getrandbits(40):x}")
    member.join(room)
    away = await Connection.open(server.websocket_url, member.token)
    await away.close()
    async with await Connection.open(server.websocket_url, member.token) as there:
        assert (await asyncio.to_thread(ban, owner, member.id, room, "shouting")).status_code == 200
        await there.ping()
        (live,) = there.of_type("room.removed")
    position = {topic: away.welcome["heads"][topic] for topic in (f"user:{member.id}", f"room:{room}")}
    async with await Connection.open(server.websocket_url, member.token, have=position) as back:
        await back.ping()
        (later,) = back.of_type("room.removed")
        assert [frame for frame in back.frames if frame.get("topic") == f"room:{room}"] == [
            {"type": "reset", "topic": f"room:{room}"}
        ]
    assert live == later
    assert (live["why"], live["reason"]) == ("banned", "shouting")


def test_a_banned_user_cannot_reach_even_their_own_messages_over_any_route(server: Server) -> None:
    owner, member = server.sign_up(), server.sign_up()
    room = owner.create_room(f"own messages {random.getrandbits(40):x}")
    member.join(room)
    own = f"/api/rooms/{room}/messages"
    seq = member.request("POST", own, json={"key": "k", "body": "said while in"}).json()["seq"]
    assert member.request("PATCH", f"{own}/{seq}", json={"body": "said otherwise"}).status_code == 200
    assert owner.request("PUT", f"/api/rooms/{room}/pins/{seq}").status_code == 200
    assert owner.request("POST", own, json={"key": "r", "body": "a reply", "reply_to": seq}).status_code == 201
    requests: list[tuple[str, str, dict[str, Any] | None]] = [
        ("GET", own, None), ("GET", f"{own}/{seq}", None), ("GET", f"{own}/{seq}/edits", None),
        ("GET", f"{own}/{seq}/reactions", None), ("GET", f"/api/rooms/{room}/pins", None),
        ("GET", f"/api/topics/room:{room}/events?after=0", None), ("PATCH", f"{own}/{seq}", {"body": "changed"}),
        ("PUT", f"{own}/{seq}/reactions/%F0%9F%91%8D", None), ("POST", f"/api/rooms/{room}/read", {"seq": seq}),
        ("POST", "/api/rooms/1/forwards", {"key": "f", "from_room": room, "message": seq}),
        ("POST", own, {"key": "again", "body": "again", "reply_to": seq}), ("DELETE", f"{own}/{seq}", None),
    ]  # fmt: skip
    assert ban(owner, member.id, room).status_code == 200
    for method, path, body in requests:
        answer = member.request(method, path, **({"json": body} if body else {}))
        assert answer.status_code == 404, f"{method} {path} → {answer.status_code} {answer.text}"
        assert "said" not in answer.text
    again = member.request("POST", own, json={"key": "k", "body": "said while in"})
    assert again.json()["seq"] == seq, "a retry of a stored message returns the first answer"
    log = owner.log(f"room:{room}")
    assert [event["type"] for event in log][-1] == "member.banned"
