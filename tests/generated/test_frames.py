"""Every kind of frame, event, command and answer is exchanged with a server and checked against the contract."""

import asyncio
import copy
import itertools
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from tests.generated.contract import check, check_answer, fits, read
from tests.support.client import raw_connect
from tests.support.server import Account, Server

Frame = dict[str, Any]
MANY = 210
"""Messages to send: more than fit after `welcome`."""
DEADLINE = 30.0


class Witness:
    """Records and checks all frames of all connections."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.kinds: set[str] = set()
        self.answers: set[str] = set()

    def says(self, frame: Frame) -> str:
        check("ClientFrame", frame)
        self.kinds.add(frame["type"])
        return json.dumps(frame)

    def hears(self, text: str | bytes, asked: dict[int, str]) -> Frame:
        frame: Frame = json.loads(text)
        check("ServerFrame", frame)
        self.frames.append(frame)
        if "ok" in frame:
            kind = asked[frame["re"]]
            check_answer(kind, frame["ok"])
            self.answers.add(f"{kind} {'reset' if 'reset' in frame['ok'] else ''}".strip())
        self.kinds.add("ok" if "ok" in frame else "error" if "error" in frame else frame["type"])
        return frame


class Talker:
    """A user's connection, whose frames all pass the recorder."""

    def __init__(self, witness: Witness, socket: ClientConnection) -> None:
        self.witness = witness
        self.socket = socket
        self.asked: dict[int, str] = {}
        self.heard: list[Frame] = []
        self._ids = itertools.count(1)

    @classmethod
    async def open(cls, witness: Witness, account: Account, **hello: Any) -> "Talker":
        talker = cls(witness, await raw_connect(account.server.websocket_url))
        await talker.socket.send(witness.says({"type": "hello", "token": account.token, **hello}))
        assert (await talker.hear())["type"] == "welcome"
        return talker

    async def hear(self) -> Frame:
        async with asyncio.timeout(DEADLINE):
            frame = self.witness.hears(await self.socket.recv(), self.asked)
        self.heard.append(frame)
        return frame

    async def ask(self, kind: str, **fields: Any) -> Frame:
        """Send a command; return the whole answer."""
        number = next(self._ids)
        self.asked[number] = kind
        await self.socket.send(self.witness.says({"id": number, "type": kind, **fields}))
        return await self.until(re=number)

    async def until(self, **wanted: Any) -> Frame:
        """Return the first frame with these fields, including earlier ones."""
        for frame in self.heard:
            if wanted.items() <= frame.items():
                return frame
        while not wanted.items() <= (frame := await self.hear()).items():
            pass
        return frame


@pytest.fixture(scope="module")
def witness(server: Server) -> Witness:
    seen = Witness()
    asyncio.run(walk(seen, server.sign_up("alice"), server.sign_up("bob")))
    return seen


async def walk(witness: Witness, alice: Account, bob: Account) -> None:
    """Let two users exchange every kind of frame."""
    first, second = await Talker.open(witness, alice), await Talker.open(witness, bob)
    room: int = (await first.ask("room.create", name="A room", key="k"))["ok"]["room"]["id"]
    await coming_and_going(first, second, room, bob.id)
    await saying_and_reading(first, room)
    await a_conversation(first, second, room, bob.id)
    await looking_after(first, second, room, bob.id)
    await being_refused(first, room)
    await asyncio.to_thread(alice.server.log_in, alice.name)
    opened = await first.until(type="session.opened")
    await asyncio.to_thread(alice.request, "DELETE", f"/api/sessions/{opened['session']['id']}")
    await first.until(type="session.closed")
    await resuming(witness, alice, bob, room)
    for talker in (first, second):
        await talker.socket.close()


async def coming_and_going(first: Talker, second: Talker, room: int, bob: int) -> None:
    await second.ask("room.join", room=room)
    await second.ask("message.send", room=room, key="k", body="hello")
    await second.ask("room.leave", room=room)
    await first.until(type="member.left")
    await second.ask("room.join", room=room)
    await first.ask("room.remove", room=room, user=bob)
    await first.until(type="member.removed")
    await second.until(type="room.gone")


async def a_conversation(first: Talker, second: Talker, room: int, bob: int) -> None:
    """Exchange frames about messages, reactions, read positions, presence and typing."""
    await first.ask("room.invite", room=room, user=bob)
    sent = await first.ask("message.send", room=room, key="said", body="@here, what next?")
    target = {"room": room, "message": sent["ok"]["seq"]}
    await second.ask("message.send", room=room, key="answer", body="Lunch", reply_to=target["message"])
    for kind, more in (
        ("message.edit", {"body": "What next?"}), ("message.pin", {}), ("message.unpin", {}),
        ("reaction.add", {"emoji": "\N{THUMBS UP SIGN}"}), ("reaction.remove", {"emoji": "\N{THUMBS UP SIGN}"}),
        ("message.forward", {"from_room": room, "key": "copy"}), ("room.unread", {}), ("message.delete", {}),
    ):  # fmt: skip
        assert "ok" in await first.ask(kind, **target, **more), kind
    assert "ok" in await first.ask("rooms.read", rooms=[{"room": room, "seq": target["message"]}])
    await second.until(type="message.deleted")
    await first.ask("presence.watch", users=[bob])
    await second.ask("presence.set", status="dnd", text="Lunch")
    await first.until(type="presence")
    await second.ask("presence.idle", idle=True)
    await second.ask("typing", room=room)
    await first.until(type="typing")


async def looking_after(first: Talker, second: Talker, room: int, bob: int) -> None:
    """Exchange frames about rooms and their members."""
    for kind, more in (
        ("room.update", {"topic": "What next"}), ("room.settings", {"muted": True}), ("room.archive", {}),
        ("room.restore", {}), ("room.role", {"user": bob, "role": "moderator"}), ("room.ban", {"user": bob}),
        ("room.unban", {"user": bob}),
    ):  # fmt: skip
        assert "ok" in await first.ask(kind, room=room, **more), kind
    await second.until(type="member.banned")
    await first.until(type="member.unbanned")


async def saying_and_reading(talker: Talker, room: int) -> None:
    """Mark a message of another user as read.

    Positions only move forward, and own messages count as read.
    """
    heard = await talker.until(type="message.sent")
    assert (await talker.ask("room.read", room=room, seq=heard["seq"]))["ok"]["seq"] > 0
    assert (await talker.ask("room.read", room=room, seq=1))["ok"] == {}
    await talker.until(type="read.moved")
    for number in range(MANY):
        await talker.ask("message.send", room=room, key=f"k{number}", body=f"number {number}")
    assert (await talker.ask("events.since", topic=f"room:{room}", after=heard["seq"]))["ok"]["events"]
    assert (await talker.ask("events.since", topic="site", after=0, epoch="another"))["ok"]["reset"] is True
    await talker.ask("ping")
    await talker.socket.send(talker.witness.says({"type": "ping"}))
    await talker.until(type="pong")


async def being_refused(talker: Talker, room: int) -> None:
    assert (await talker.ask("message.send", room=room, key="k1", body="else"))["error"]["code"] == "conflict"
    await talker.socket.send("no JSON")
    assert (await talker.until(re=None))["error"]["code"] == "bad_request"


async def resuming(witness: Witness, alice: Account, bob: Account, room: int) -> None:
    """Resume with more events than fit after `welcome`, in a room the user left, and from before joining."""
    have = {f"room:{room}": 1}
    back, lost = await Talker.open(witness, alice, have=have), await Talker.open(witness, bob, have=have)
    await back.until(type="more")
    assert "head" not in await lost.until(type="reset")
    await lost.ask("room.join", room=room)
    early = await Talker.open(witness, bob, have=have)
    assert "floor" in await early.until(type="reset")
    for talker in (back, lost, early):
        await talker.socket.close()


def types(name: str) -> set[str]:
    """Return the wire names of what the contract calls `name`."""
    schema = read("schema.json")["$defs"]
    names = [ref["$ref"].rpartition("/")[2] for ref in schema[name].get("oneOf") or schema[name]["anyOf"]]
    found = set()
    for each in names:
        if "properties" in schema[each]:
            found.add(schema[each]["properties"].get("type", {}).get("const", "ok" if each == "Ok" else "error"))
        else:
            found |= types(each)
    return found


def test_every_kind_of_frame_is_exchanged_and_fits_the_contract(witness: Witness) -> None:
    assert witness.kinds == types("ClientFrame") | types("ServerFrame")


def test_every_answer_is_given_and_fits_the_contract(witness: Witness) -> None:
    assert witness.answers == {*read("schema.json")["$defs"]["Answers"]["properties"], "events.since reset"}


def test_control_a_changed_frame_is_rejected(witness: Witness) -> None:
    for real in witness.frames:
        wrong = []
        if "seq" in real:
            wrong += [{**real, "seq": str(real["seq"])}, {**real, "type": "message.shouted"}]
        if real.get("type") == "message.sent":
            wrong += [{key: value for key, value in real.items() if key != "key"}, {**real, "at": "yesterday"}]
        if real.get("type") == "welcome":
            limits = copy.deepcopy(real)
            del limits["limits"]["page"]
            wrong += [limits, {**real, "epoch": None}]
        if "error" in real:
            wrong += [{**real, "error": {**real["error"], "code": "odd"}}]
        for frame in (*wrong, {**real, "unwritten": 1}):
            assert not fits("ServerFrame", frame), f"accepted: {frame}"
