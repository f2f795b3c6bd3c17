"""A store and a journal for each test, on each engine; and three people."""

from dataclasses import dataclass

import pytest

from hubbub.domain.commands import Command
from hubbub.domain.events import Entry
from hubbub.domain.model import LOBBY, Actor, Role, Room
from hubbub.features import rooms
from tests.engine.conftest import Desk
from tests.engine.conftest import desk as desk


@dataclass
class Hall:
    """A desk, and people at it: `owner` is the site's, `guest` one without an account."""

    desk: Desk
    alice: Actor
    bob: Actor
    carol: Actor
    owner: Actor
    guest: Actor

    async def do(self, command: Command, who: Actor | None = None) -> dict[str, object]:
        """The answer to alice, or to somebody else."""
        return (await self.desk.journal.submit(command, who or self.alice)).answer

    async def room(self, command: Command, who: Actor | None = None) -> int:
        """The id of the room that the command gives."""
        room = (await self.do(command, who))["room"]
        assert isinstance(room, dict)
        return int(room["id"])

    def sees(self, who: Actor, **query: bool) -> dict[int, Room]:
        """His directory without the lobby, whole."""
        page = self.desk.database.read(rooms.directory, who.id, LOBBY, 200, **query)
        assert isinstance(page["rooms"], list)
        return {room["id"]: Room.model_validate(room) for room in page["rooms"]}

    def published(self, topic: str) -> list[str]:
        """The types of what was told on a topic, in order."""
        return [entry.event.type for entry in self.told(topic)]

    def told(self, topic: str) -> list[Entry]:
        return [entry for entry in self.desk.published if entry.topic == topic]


@pytest.fixture
async def hall(desk: Desk) -> Hall:
    alice, bob, carol = [await desk.person(name) for name in ("alice", "bob", "carol")]
    return Hall(desk, alice, bob, carol, await desk.person("olga", Role.OWNER), await desk.person("gast", Role.GUEST))
