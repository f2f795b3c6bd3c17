"""Fixtures: a database, a journal and five users for each test, on each engine."""

from dataclasses import dataclass

import orjson
import pytest

from hubbub.domain.commands import Command
from hubbub.domain.events import Entry
from hubbub.domain.model import LOBBY, Actor, Role, Room
from hubbub.features import rooms
from hubbub.protocol import wire
from tests.engine.conftest import Store
from tests.engine.conftest import store as store


@dataclass
class World:
    """A database with a journal, and its users: `owner` owns the site, `guest` has no account."""

    store: Store
    alice: Actor
    bob: Actor
    carol: Actor
    owner: Actor
    guest: Actor

    async def do(self, command: Command, who: Actor | None = None) -> dict[str, object]:
        """Submit a command as alice or another user and return the answer as its JSON."""
        receipt = await self.store.journal.submit(command, who or self.alice)
        answer: dict[str, object] = orjson.loads(wire.dumps(receipt.answer))
        return answer

    async def room(self, command: Command, who: Actor | None = None) -> int:
        """Submit a command and return the id of the room in its answer."""
        room = (await self.do(command, who))["room"]
        assert isinstance(room, dict)
        return int(room["id"])

    def sees(self, who: Actor, **query: bool) -> dict[int, Room]:
        """Return the user's room directory without the lobby."""
        page = self.store.database.read(rooms.directory, who.id, LOBBY, 200, **query)
        assert isinstance(page["rooms"], list)
        return {room["id"]: Room.model_validate(room) for room in page["rooms"]}

    def published(self, topic: str) -> list[str]:
        """Return the types of the entries published to a topic, in order."""
        return [entry.event.type for entry in self.told(topic)]

    def told(self, topic: str) -> list[Entry]:
        return [entry for entry in self.store.published if entry.topic == topic]


@pytest.fixture
async def world(store: Store) -> World:
    alice, bob, carol = [await store.person(name) for name in ("alice", "bob", "carol")]
    return World(
        store, alice, bob, carol, await store.person("olga", Role.OWNER), await store.person("gast", Role.GUEST)
    )
