"""Rooms: make one, change what it is called and how it works, put it away; and what a room is to oneself."""

from typing import Annotated, Literal, Self

from pydantic import FailFast, Field, model_validator

from hubbub.domain.commands.base import Command, Id
from hubbub.domain.model import (
    SITE,
    Actor,
    Frozen,
    History,
    MaybePosition,
    RoomKind,
    RoomPosition,
    room_topic,
    user_topic,
)
from hubbub.domain.names import RoomName
from hubbub.domain.text import MAX_DIRECT, MAX_INVITED, Key, RoomDescription, RoomTopicLine

TOO_MANY = f"a direct room has at most {MAX_DIRECT} people"


class NewRoom(Frozen):
    """What a room is made of."""

    kind_of_room: RoomKind = Field("public", alias="kind")
    name: RoomName | None = Field(None, examples=["The Lounge"])
    """1 to 64 printable characters, unique among public rooms, also among names that look alike. A direct room has
    none, every other one must have one."""
    topic: RoomTopicLine = ""
    description: RoomDescription = ""
    """What it is for, in more words."""
    history: History = "all"
    """What newcomers may read: `all`, or what was said since they `joined`."""
    members: Annotated[tuple[Id, ...], FailFast(), Field(max_length=MAX_INVITED, strict=False)] = ()
    """The ids of others who are in it from the start; in a direct room, those it is with (at most nine)."""
    key: Key | None = None
    """With one, a retry gets the same room."""

    @model_validator(mode="after")
    def _by_kind(self) -> Self:
        if self.kind_of_room != "direct":
            if self.name is None:
                raise ValueError("a room has a name, unless it is a direct one")
        elif self.name is not None or self.history != "all":
            raise ValueError("a direct room has no name, and everybody in it reads all of it")
        elif len(set(self.members)) > MAX_DIRECT:
            raise ValueError(TOO_MANY)
        return self


class CreateRoom(NewRoom, Command):
    """Makes a room with oneself in it. Between the same people there is one direct room: it is the answer again."""

    answer = RoomPosition
    creates_room = True
    type: Literal["room.create"] = "room.create"

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, user_topic(actor.id), *map(user_topic, self.members))


class UpdateRoom(Command):
    """Changes what is given of a room; what is left out stays."""

    answer = MaybePosition
    type: Literal["room.update"] = "room.update"
    room: Id
    name: RoomName | None = None
    topic: RoomTopicLine | None = None
    description: RoomDescription | None = None
    """What it is for; empty for nothing."""
    history: History | None = None
    """What newcomers may read: `all`, or what was said since they `joined`."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, room_topic(self.room))


class ArchiveRoom(Command):
    """Nothing more is said in the room; what was said stays to be read, or is deleted. Twice is fine."""

    answer = MaybePosition
    type: Literal["room.archive"] = "room.archive"
    room: Id

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, room_topic(self.room))


class RestoreRoom(Command):
    """An archived room is open again. Twice is fine."""

    answer = MaybePosition
    type: Literal["room.restore"] = "room.restore"
    room: Id

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, room_topic(self.room))


class ChangeSettings(Command):
    """What a room is to oneself, on all one's devices; what is left out stays."""

    answer = MaybePosition
    type: Literal["room.settings"] = "room.settings"
    room: Id
    favourite: bool | None = None
    """Whether it stands first in one's list."""
    muted: bool | None = None
    """Whether what is said in it calls for one's attention only where one is mentioned."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(actor.id))
