"""Followers that break the contract, to show that the suite notices."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from hubbub.domain.commands.followers import FollowerCommand
from hubbub.domain.events import Entry
from hubbub.engine.follower import Follower
from tests.followers.case import FollowerCase
from tests.followers.node import Node
from tests.followers.recording import RecordingCase, RecordingFollower
from tests.followers.sending import CarelessCase

DELAY = 30.0


class ForgetfulFollower(RecordingFollower):
    """Returns before its effect, so that the position is stored first."""

    async def handle(self, topic: str, entries: Sequence[Entry]) -> FollowerCommand | None:
        loop = asyncio.get_running_loop()
        for entry in entries:
            loop.call_later(DELAY, self.record, topic, entry.seq)
        return None


class ForgetfulCase(RecordingCase):
    name = "forgetful"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._forgetful = ForgetfulFollower(folder)

    def follower(self, node: Node) -> Follower:
        return self._forgetful


BROKEN: tuple[type[FollowerCase], ...] = (ForgetfulCase, CarelessCase)
