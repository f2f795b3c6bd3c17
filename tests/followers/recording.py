"""A follower whose effect is outside the database: it appends lines to a file, like a receiver would."""

import os
from collections.abc import Sequence
from pathlib import Path

from hubbub.domain.commands.followers import FollowerCommand
from hubbub.domain.events import Entry, MessageSent
from hubbub.engine.follower import Follower, Poison, RetryLater
from tests.followers.case import Effects, FollowerCase
from tests.followers.node import Node

POISON = "poison"
FAILING = "failing"


class RecordingFollower(Follower):
    """Appends a line for each message. Its receiver is down while the file `down` exists."""

    name = "recording"
    scope = "room:"
    types = frozenset({MessageSent.type})
    parallel = 1

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.attempts = 0
        self.failing = True

    async def handle(self, topic: str, entries: Sequence[Entry]) -> FollowerCommand | None:
        done = entries[0].seq - 1
        for entry in entries:
            if (self.folder / "down").exists():
                self.attempts += 1
                raise RetryLater(None, "the receiver is down", done=done)
            body = getattr(entry.event, "body", None)
            if body == POISON:
                raise Poison(entry.seq, "the receiver will never take it")
            if body == FAILING and self.failing:
                raise ValueError(body)
            self.record(topic, entry.seq)
            done = entry.seq
        return None

    async def reset(self, topic: str, floor: int) -> FollowerCommand | None:
        return None

    def record(self, topic: str, seq: int) -> None:
        with (self.folder / "received").open("a") as file:
            file.write(f"{topic} {seq}\n")
            file.flush()
            os.fsync(file.fileno())


class RecordingCase(FollowerCase):
    """The follower whose position is stored after its effect."""

    name = "recording"
    exactly_once = False
    can_be_down = True
    poison = POISON
    failing = FAILING

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.recorder = RecordingFollower(folder)

    def follower(self, node: Node) -> Follower:
        return self.recorder

    def effects(self, node: Node) -> Effects:
        file = self.folder / "received"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(line.split()[0], int(line.split()[1])) for line in lines]

    def set_down(self, down: bool) -> None:
        file = self.folder / "down"
        file.touch() if down else file.unlink()

    def set_failing(self, failing: bool) -> None:
        self.recorder.failing = failing
