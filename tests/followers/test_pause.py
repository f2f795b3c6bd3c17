"""A follower with a pause handles the messages of a busy room together."""

import time
from collections.abc import Sequence

from hubbub.domain.commands.followers import FollowerCommand
from hubbub.domain.events import Entry, MessageSent
from hubbub.engine.follower import Follower
from tests.followers.node import node_at
from tests.support.waiting import eventually

PATIENCE = 60.0
PAUSE = 2.0


class Noting(Follower):
    """Notes what it is given with each call."""

    scope = "room:"
    types = frozenset({MessageSent.type})

    def __init__(self, name: str, pause: float) -> None:
        self.name, self.pause = name, pause
        self.calls: list[list[int]] = []

    async def handle(self, topic: str, entries: Sequence[Entry]) -> FollowerCommand | None:
        self.calls.append([entry.seq for entry in entries])
        return None

    async def reset(self, topic: str, floor: int) -> FollowerCommand | None:
        raise AssertionError("no log was trimmed")

    def seqs(self) -> list[int]:
        return [seq for call in self.calls for seq in call]


async def test_a_follower_with_a_pause_gets_many_messages_at_a_time(database_url: str) -> None:
    async with node_at(database_url, interval=PATIENCE) as node:
        await node.enrol()
        patient, eager = Noting("patient", PAUSE), Noting("eager", 0.0)
        for follower in (patient, eager):
            await node.followers.add(follower)
        room = await node.room("busy")
        sent: list[int] = []
        began = time.monotonic()

        def most() -> float:
            return (time.monotonic() - began) / PAUSE + 2

        while len(eager.calls) < 3 * most():  # the follower without a pause is the control
            assert time.monotonic() - began < PATIENCE
            sent.append(await node.send(room, "hello", f"k{len(sent)}"))
        assert len(patient.calls) <= most()
        await eventually(lambda: patient.seqs() == eager.seqs() == sent, PATIENCE, "both have handled all messages")


async def test_the_first_message_after_a_quiet_time_is_handled_without_the_pause(database_url: str) -> None:
    async with node_at(database_url, interval=PATIENCE) as node:
        await node.enrol()
        follower = Noting("patient", PATIENCE)
        await node.followers.add(follower)
        room = await node.room("quiet")
        sent = await node.send(room, "hello", "k")
        await eventually(
            lambda: follower.seqs() == [sent], PATIENCE / 2, "the message is handled before the pause ends"
        )
