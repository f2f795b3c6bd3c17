"""A desk on each database, with a room in which three people have something to talk about."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest

from hubbub.domain.commands import Command, CreateRoom, JoinRoom, ReadRoom, SendMessage
from hubbub.domain.errors import HubbubError
from hubbub.domain.model import Actor
from hubbub.engine.work import Receipt
from tests.engine.conftest import Desk, desk_at


@dataclass
class Table:
    """A desk, and a room with its owner, a member, and somebody who is not in it."""

    desk: Desk
    room: int
    owner: Actor
    member: Actor
    stranger: Actor
    said: int = 0

    async def say(self, who: Actor, body: str = "hello", room: int | None = None) -> int:
        """The seq of a new message."""
        self.said += 1
        command = SendMessage(room=room or self.room, key=f"{who.id}-{self.said}", body=body)
        return seq((await self.desk.journal.submit(command, who)).answer)

    async def together(self, asked: Sequence[tuple[Command, Actor]]) -> list[Receipt | HubbubError]:
        """Runs commands in one batch, behind one that the desk has begun with."""
        first = ReadRoom(room=self.room, seq=0), self.owner
        return (await self.desk.together([first, *asked]))[1:]


def seq(answer: object) -> int:
    """Where an answer says that something stands."""
    found = answer.answer if isinstance(answer, Receipt) else answer
    assert isinstance(found, dict)
    place = found["seq"]
    assert isinstance(place, int)
    return place


async def new_room(desk: Desk, owner: Actor, name: str, *members: Actor) -> int:
    made = await desk.journal.submit(CreateRoom(name=name), owner)
    room = made.answer["room"]
    assert isinstance(room, dict)
    for member in members:
        await desk.journal.submit(JoinRoom(room=room["id"]), member)
    return int(room["id"])


@pytest.fixture
async def table(database_url: str) -> AsyncIterator[Table]:
    async with desk_at(database_url) as desk:
        owner, member, stranger = [await desk.person(name) for name in ("anna", "ben", "carla")]
        yield Table(desk, await new_room(desk, owner, "The Table", member), owner, member, stranger)
