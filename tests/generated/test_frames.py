"""Every frame, event, command and answer is exchanged and fits the contract."""

import asyncio
import copy
import itertools
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from tests.generated.contract import check, check_answer, fits, read
from tests.support.client import raw_connect
from tests.support.examples import Cast, Step, prepare
from tests.support.routes import ASKED
from tests.support.server import Account, Server

Frame = dict[str, Any]
MANY = 210
"""Messages to send: more than fit after `welcome`."""
DEADLINE = 30.0
numbers = itertools.count(1)


class Recorder:
    """Records and checks all frames of all connections."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.kinds: set[str] = set()
        self.answers: set[str] = set()

    def sent(self, frame: Frame) -> str:
        check("ClientFrame", frame)
        self.kinds.add(frame["type"])
        return json.dumps(frame)

    def received(self, text: str | bytes, asked: dict[int, str]) -> Frame:
        frame: Frame = json.loads(text)
        check("ServerFrame", frame)
        self.frames.append(frame)
        if "ok" in frame:
            kind = asked[frame["re"]]
            check_answer(kind, frame["ok"])
            self.answers.add(f"{kind} {'reset' if 'reset' in frame['ok'] else ''}".strip())
        self.kinds.add("ok" if "ok" in frame else "error" if "error" in frame else frame["type"])
        return frame


class RecordedConnection:
    """A user's connection, whose frames all pass the recorder."""

    def __init__(self, recorder: Recorder, socket: ClientConnection) -> None:
        self.recorder = recorder
        self.socket = socket
        self.asked: dict[int, str] = {}
        self.received: list[Frame] = []
        self._ids = itertools.count(1)

    @classmethod
    async def open(cls, recorder: Recorder, account: Account, **hello: Any) -> "RecordedConnection":
        connection = cls(recorder, await raw_connect(account.server.websocket_url))
        await connection.socket.send(recorder.sent({"type": "hello", "token": account.token, **hello}))
        assert (await connection.receive())["type"] == "welcome"
        return connection

    async def receive(self) -> Frame:
        async with asyncio.timeout(DEADLINE):
            frame = self.recorder.received(await self.socket.recv(), self.asked)
        self.received.append(frame)
        return frame

    async def ask(self, kind: str, /, **fields: Any) -> Frame:
        """Send a command; return the whole answer."""
        number = next(self._ids)
        self.asked[number] = kind
        await self.socket.send(self.recorder.sent({"id": number, "type": kind, **fields}))
        return await self.until(re=number)

    async def until(self, **wanted: Any) -> Frame:
        """Return the first frame with these fields, including earlier ones."""
        for frame in self.received:
            if wanted.items() <= frame.items():
                return frame
        while not wanted.items() <= (frame := await self.receive()).items():
            pass
        return frame


@pytest.fixture(scope="module")
def recorder(server: Server) -> Recorder:
    seen = Recorder()
    asyncio.run(exchange_all(seen, *(server.sign_up(name) for name in ("alice", "bob", "carol"))))
    return seen


async def exchange_all(recorder: Recorder, alice: Account, bob: Account, carol: Account) -> None:
    """Let two users exchange every kind of frame."""
    first, second = await RecordedConnection.open(recorder, alice), await RecordedConnection.open(recorder, bob)
    await examples(first, second, Cast(alice.id, bob.id, carol.id, bob.name, new=lambda: f"-{next(numbers)}"))
    room: int = (await first.ask("room.create", name="A room", key="k"))["ok"]["room"]["id"]
    await second.ask("room.join", room=room)
    await second.ask("message.send", room=room, key="k", body="hello")
    await send_and_read(first, room)
    await second.ask("room.leave", room=room)
    await errors(first, room)
    await asyncio.to_thread(alice.server.log_in, alice.name)
    opened = await first.until(type="session.opened")
    await asyncio.to_thread(alice.request, "DELETE", f"/api/sessions/{opened['session']}")
    await first.until(type="session.closed")
    owner = await asyncio.to_thread(alice.server.create_owner)
    await asyncio.to_thread(owner.request, "PUT", "/api/settings/name", json={"value": "The Lounge"})
    await first.until(type="site.updated")
    await resume(recorder, alice, bob, room)
    for connection in (first, second):
        await connection.socket.close()


async def examples(first: RecordedConnection, second: RecordedConnection, cast: Cast) -> None:
    """Send the example of each request, and wait for the signals between the two users."""
    users = {"actor": first, "member": second}

    async def send(step: Step) -> Frame:
        done: Frame = (await users[step.by].ask(step.request, **step.fields))["ok"]
        return done

    for kind in ASKED:
        answer = await first.ask(kind, **await prepare(kind, cast, send))
        assert "ok" in answer, f"{kind}: {answer}"
    await first.ask("presence.watch", users=[cast.member])
    await second.ask("status.set", status="dnd")
    await first.until(type="presence")
    await second.until(type="typing")


async def send_and_read(connection: RecordedConnection, room: int) -> None:
    """Mark a message of another user as read.

    Positions only move forward, and own messages count as read.
    """
    received = await connection.until(type="message.sent", topic=f"room:{room}")
    assert (await connection.ask("room.read", room=room, seq=received["seq"]))["ok"]["seq"] > 0
    assert (await connection.ask("room.read", room=room, seq=1))["ok"] == {}
    await connection.until(type="room.read_moved")
    for number in range(MANY):
        await connection.ask("message.send", room=room, key=f"k{number}", body=f"number {number}")
    assert (await connection.ask("events.since", topic=f"room:{room}", after=received["seq"]))["ok"]["events"]
    assert (await connection.ask("events.since", topic="site", after=0, epoch="another"))["ok"]["reset"] is True
    await connection.ask("ping")
    await connection.socket.send(connection.recorder.sent({"type": "ping"}))
    await connection.until(type="pong")


async def errors(connection: RecordedConnection, room: int) -> None:
    assert (await connection.ask("message.send", room=room, key="k1", body="else"))["error"]["code"] == "conflict"
    await connection.socket.send("no JSON")
    assert (await connection.until(re=None))["error"]["code"] == "bad_request"


async def resume(recorder: Recorder, alice: Account, bob: Account, room: int) -> None:
    """Resume with more events than fit after `welcome`, and without a right to them.

    bob resumes in a room that bob left, and from a position before joining.
    """
    have = {f"room:{room}": 1}
    back, lost = (
        await RecordedConnection.open(recorder, alice, have=have),
        await RecordedConnection.open(recorder, bob, have=have),
    )
    await back.until(type="more")
    assert "head" not in await lost.until(type="reset")
    await lost.ask("room.join", room=room)
    early = await RecordedConnection.open(recorder, bob, have=have)
    assert "floor" in await early.until(type="reset")
    for connection in (back, lost, early):
        await connection.socket.close()


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


def test_every_kind_of_frame_is_exchanged_and_fits_the_contract(recorder: Recorder) -> None:
    assert recorder.kinds == types("ClientFrame") | types("ServerFrame")


def test_every_answer_is_given_and_fits_the_contract(recorder: Recorder) -> None:
    assert recorder.answers == {*read("schema.json")["$defs"]["Answers"]["properties"], "events.since reset"}


def test_control_a_changed_frame_is_rejected(recorder: Recorder) -> None:
    for real in recorder.frames:
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
