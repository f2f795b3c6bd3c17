"""Fixtures: a private room of alice and bob, of which carol is not a member."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

import orjson
import pytest
from sqlalchemy import Connection

from hubbub.domain.commands import (
    AddMember,
    Command,
    CreateRoom,
    DeleteMessage,
    EditMessage,
    ForwardMessage,
    MessagePage,
    PinMessage,
    SendMessage,
)
from hubbub.domain.errors import HubbubError
from hubbub.domain.model import Actor, room_topic
from hubbub.features import edits, messages, pins
from hubbub.storage import log
from tests.rooms.conftest import World
from tests.rooms.conftest import store as store
from tests.rooms.conftest import world as world

P = ParamSpec("P")
T = TypeVar("T")
Frame = dict[str, Any]


@dataclass
class Talk:
    """The users, a room, and helpers for what they do there."""

    world: World
    room: int
    said: int = 0

    async def do(self, who: Actor, command: Command) -> Frame:
        return await self.world.do(command, who)

    async def refused(self, who: Actor, command: Command) -> tuple[str, str]:
        """Return the code and message of the error."""
        with pytest.raises(HubbubError) as refusal:
            await self.do(who, command)
        return refusal.value.code, refusal.value.message

    async def say(self, who: Actor, body: str = "hello", room: int | None = None, reply_to: int | None = None) -> int:
        self.said += 1
        key = f"key {self.said}"
        done = await self.do(who, SendMessage(room=room or self.room, key=key, body=body, reply_to=reply_to))
        return int(done["seq"])

    async def edit(self, who: Actor, seq: int, body: str) -> Frame:
        return await self.do(who, EditMessage(room=self.room, message=seq, body=body))

    async def delete(self, who: Actor, seq: int) -> Frame:
        return await self.do(who, DeleteMessage(room=self.room, message=seq))

    async def pin(self, who: Actor, seq: int) -> Frame:
        return await self.do(who, PinMessage(room=self.room, message=seq))

    async def forward(self, who: Actor, to: int, source: int, seq: int) -> int:
        self.said += 1
        command = ForwardMessage(room=to, key=f"key {self.said}", from_room=source, message=seq)
        return int((await self.do(who, command))["seq"])

    async def another(self, who: Actor, *others: Actor, **fields: Any) -> int:
        room = await self.world.room(CreateRoom(**{"kind": "private", "name": "Another", **fields}), who)
        for other in others:
            await self.do(who, AddMember(room=room, user=other.id))
        return room

    # --- reading ----------------------------------------------------------------------------------------------

    def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self.world.store.database.read(query, *args, **kwargs)

    def page(self, who: Actor, room: int | None = None, **where: int) -> Frame:
        return plain(self.read(messages.page, who.id, MessagePage(room=room or self.room, **where)))

    def one(self, who: Actor, seq: int, room: int | None = None) -> Frame:
        found: Frame = plain(self.read(messages.one, who.id, room or self.room, seq))["message"]
        return found

    def edits(self, who: Actor, seq: int, after: int = 0, limit: int = 50) -> Frame:
        return plain(self.read(edits.listing, who, (self.room, seq), after, limit))

    def pins(self, who: Actor, before: int | None = None, limit: int = 100) -> Frame:
        return plain(self.read(pins.listing, who.id, self.room, before, limit))

    def log(self, room: int | None = None) -> list[Frame]:
        """Return the room's entries as clients that may read all of it get them later."""
        topic = room_topic(room or self.room)
        _, floor = self.read(log.position, topic) or (0, 0)
        return [orjson.loads(entry.text) for entry in self.read(log.entries, topic, floor)]

    def live(self, room: int | None = None) -> list[Frame]:
        """Return the room's entries as they were sent live."""
        return [orjson.loads(entry.text) for entry in self.world.told(room_topic(room or self.room))]


def plain(value: object) -> Frame:
    """Return the value as JSON represents it."""
    found: Frame = orjson.loads(orjson.dumps(value))
    return found


@pytest.fixture
async def talk(world: World) -> Talk:
    found = Talk(world, 0)
    found.room = await found.another(world.alice, world.bob, name="The room")
    return found
