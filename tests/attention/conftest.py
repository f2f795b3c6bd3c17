"""Fixtures: a database with a journal on each database, with a room and three users."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest

from hubbub.clock import Clock
from hubbub.domain.commands import Command, CreateRoom, JoinRoom, SendMessage
from hubbub.domain.errors import HubbubError
from hubbub.domain.model import Actor
from hubbub.features import HANDLERS
from hubbub.storage.ids import Ids
from hubbub.storage.transaction import Transaction
from tests.engine.conftest import Store, store_at


@dataclass
class Table:
    """A store, and a room with its owner, a member, and a user who is not a member."""

    store: Store
    room: int
    owner: Actor
    member: Actor
    stranger: Actor
    said: int = 0

    async def say(self, who: Actor, body: str = "hello", room: int | None = None) -> int:
        """Send a message and return its seq."""
        self.said += 1
        command = SendMessage(room=room or self.room, key=f"{who.id}-{self.said}", body=body)
        return seq((await self.store.journal.submit(command, who)).answer)

    def run(self, asked: Sequence[tuple[Command, Actor]]) -> list[dict[str, object] | HubbubError]:
        """Run commands of one kind as a group in a transaction and publish its entries."""
        with self.store.elsewhere() as connection:
            tx = Transaction(connection, Ids.load(connection), Clock().now())
            tx.lock(topic for command, actor in asked for topic in command.topics(actor))
            results: list[dict[str, object] | HubbubError] = HANDLERS[type(asked[0][0])](asked, tx)
            tx.flush()
        self.store.published += tx.entries
        return results


def seq(answer: object) -> int:
    """Return the seq in a command's answer."""
    assert isinstance(answer, dict)
    place = answer["seq"]
    assert isinstance(place, int)
    return place


async def new_room(store: Store, owner: Actor, name: str, *members: Actor) -> int:
    made = await store.journal.submit(CreateRoom(name=name), owner)
    room = made.answer["room"]
    for member in members:
        await store.journal.submit(JoinRoom(room=room.id), member)
    return room.id


@pytest.fixture
async def table(database_url: str) -> AsyncIterator[Table]:
    async with store_at(database_url) as store:
        owner, member, stranger = [await store.person(name) for name in ("anna", "ben", "carla")]
        yield Table(store, await new_room(store, owner, "The Table", member), owner, member, stranger)
