"""A hello that races with a removal never leaves the removed member subscribed.

The long form runs 1,000 races.
"""

import asyncio
import random
import time

import pytest

from tests.conftest import MakeServer
from tests.faults.conftest import BOTH_DATABASES
from tests.support import depth
from tests.support.client import Connection, Frame, outcome
from tests.support.server import Account, Server

pytestmark = [pytest.mark.faults, BOTH_DATABASES]

PAIRS = 20  # Many rooms in parallel load the server, so that the two commands meet at ever new points.
SPREAD = 0.01  # Seconds around the meeting: the removal comes before, during or after the handshake.
STEP = 0.1


class Pair:
    """One room, and one member who connects while being removed."""

    def __init__(self, member: Account, room: int, speaker: Connection, keeper: Connection) -> None:
        self.member = member
        self.room = room
        self.topic = f"room:{room}"
        self.speaker = speaker
        self.keeper = keeper
        self.lead = 0.0
        """Seconds by which the removal starts before the hello.

        Both are to finish at about the same time.
        """

    async def race(self, number: int) -> list[str]:
        """Join the room; then race hello and removal amid messages.

        Return what the member received although removed.
        """
        await self.keeper.command("room.join", room=self.room)
        lead = self.lead + random.uniform(-SPREAD, SPREAD)
        opening = asyncio.create_task(self._come_in(max(0.0, lead)))
        await asyncio.sleep(max(0.0, -lead))
        sends = [await self._send(f"{number} before {n}") for n in range(random.randrange(4))]
        removal = asyncio.create_task(
            _timed(await self.speaker.post("member.remove", room=self.room, user=self.member.id))
        )
        sends += [await self._send(f"{number} after {n}") for n in range(3)]
        socket, came_in = await opening
        reply, thrown_out = await removal
        removed = outcome(reply)["seq"]
        self.lead += max(-STEP, min(STEP, (thrown_out - came_in) / 2))
        await asyncio.gather(*sends)
        outcome(await (await self._send(f"{number} last")))
        await socket.ping()
        late = [frame for frame in socket.frames if self._is_late(frame, removed)]
        told = socket.of_type("room.removed") or self.topic not in socket.welcome["heads"]
        await socket.abort()
        untold = [] if told else [f"round {number}: welcome names the room and no room.removed follows"]
        return [f"round {number}: removed at {removed}, heard {frame}" for frame in late] + untold

    async def _come_in(self, delay: float) -> tuple[Connection, float]:
        await asyncio.sleep(delay)
        socket = await Connection.open(self.member.server.websocket_url, self.member.token)
        return socket, time.monotonic()

    async def _send(self, key: str) -> "asyncio.Future[Frame]":
        return await self.speaker.post(
            "message.send", room=self.room, key=key, body="the member must not receive the later ones"
        )

    def _is_late(self, frame: Frame, removed: int) -> bool:
        return frame.get("topic") == self.topic and frame["seq"] > removed


async def _timed(reply: "asyncio.Future[Frame]") -> tuple[Frame, float]:
    return await reply, time.monotonic()


async def races(server: Server, rounds: int, enough: bool = False) -> list[str]:
    """Run races in `PAIRS` rooms in parallel and return all violations.

    With `enough`, stop at the first one.
    """
    creator = server.sign_up()
    speaker = await Connection.open(server.websocket_url, creator.token, on_event=lambda _: None)
    pairs = []
    for _ in range(PAIRS):
        member = server.sign_up()
        keeper = await Connection.open(server.websocket_url, member.token, on_event=lambda _: None)
        room = creator.create_room(f"race {random.getrandbits(40):x}")
        pairs.append(Pair(member, room, speaker, keeper))

    found: list[str] = []

    async def run(pair: Pair) -> None:
        for number in range(rounds // PAIRS):
            if not (enough and found):
                found.extend(await pair.race(number))

    await asyncio.gather(*map(run, pairs))
    for pair in pairs:
        await pair.keeper.close()
    await speaker.close()
    return found


async def test_a_hello_that_races_with_a_removal_never_stays_subscribed(server: Server) -> None:
    found = await races(server, depth.rounds("races", short=160, long=1_000))
    assert not found, "\n".join(found[:10])


async def test_a_slow_greeting_opens_no_window_for_removed_members(make_server: MakeServer) -> None:
    server = make_server({"BROKEN": "slow-greeting"}, ("-m", "tests.support.broken_server"))
    await asyncio.to_thread(server.start)
    found = await races(server, depth.rounds("races", short=60, long=1_000))
    assert not found, "\n".join(found[:10])


async def test_control_a_hello_that_ignores_concurrent_events_leaves_removed_members_subscribed(
    make_server: MakeServer,
) -> None:
    server = make_server({"BROKEN": "hello-without-fold"}, ("-m", "tests.support.broken_server"))
    await asyncio.to_thread(server.start)
    assert await races(server, PAIRS * 50, enough=True)
