"""Commands for rooms: create, update, archive, restore, set own preferences."""

from typing import Annotated, Literal, Self

from pydantic import FailFast, Field, model_validator

from hubbub.domain.commands.base import Command, Id, Requires
from hubbub.domain.commands.examples import Example, Given
from hubbub.domain.errors import Conflict, NotFound
from hubbub.domain.host_rooms import HostKey
from hubbub.domain.model import (
    SITE,
    Actor,
    History,
    HostRoomAnswer,
    MaybePosition,
    RoomKind,
    RoomPosition,
    room_topic,
    user_topic,
)
from hubbub.domain.names import RoomName
from hubbub.domain.text import MAX_DIRECT, MAX_INVITED, Key, RoomDescription, RoomTopicLine

TOO_MANY = f"a direct room can have at most {MAX_DIRECT} people"


class CreateRoom(Command[RoomPosition]):
    """Create a room. You become its owner; in a direct room all are plain members.
    A retry with the same key gets the same room. The same people share one direct room: if it
    exists already, the answer is that room."""

    creates = True
    creates_room = True
    rest = ("POST", "/api/rooms")
    errors = (NotFound, Conflict)
    type: Literal["room.create"] = "room.create"
    kind_of_room: RoomKind = Field("public", alias="kind")
    name: RoomName | None = None
    """1 to 64 printable characters, unique among public rooms, also among names that look alike.
    Direct rooms have no name; all other rooms need one."""
    topic: RoomTopicLine = ""
    description: RoomDescription = ""
    """What the room is for; several lines are allowed."""
    history: History = "all"
    """What new members may read: `all` messages, or only those sent since they `joined`."""
    members: Annotated[tuple[Id, ...], FailFast(), Field(max_length=MAX_INVITED, strict=False)] = ()
    """The ids of other users who are members from the start. In a direct room, at most nine."""
    key: Key | None = None
    """An idempotency key: a retry with the same key gets the same room, for 30 days."""

    example = Example(
        {
            "kind": "private",
            "name": "The Lounge{new}",
            "topic": "Tea",
            "description": "Tea, and all that goes with it.",
            "history": "joined",
            "members": (Given.MEMBER,),
            "key": "01KAN3M6R4T2{new}",
        }
    )

    @model_validator(mode="after")
    def _by_kind(self) -> Self:
        if self.kind_of_room != "direct":
            if self.name is None:
                raise ValueError("public and private rooms need a name")
        elif self.name is not None or self.history != "all":
            raise ValueError("direct rooms have no name, and all their members can read all messages")
        elif len(set(self.members)) > MAX_DIRECT:
            raise ValueError(TOO_MANY)
        return self

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, user_topic(actor.id), *map(user_topic, self.members))


class OpenHostRoom(Command[HostRoomAnswer]):
    """Create the room of one of the host application's objects, unless there is one.

    The actor becomes its owner. Everything but the key counts only if the room is new.
    """

    requires = (Requires.SYSTEM,)
    errors = (NotFound, Conflict)
    creates_room = True
    host_key: HostKey
    kind_of_room: Literal["public", "private"] = "private"
    name: RoomName
    topic: RoomTopicLine = ""
    description: RoomDescription = ""
    history: History = "all"
    members: Annotated[tuple[Id, ...], FailFast(), Field(max_length=MAX_INVITED)] = ()

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, user_topic(actor.id), *map(user_topic, self.members))


class UpdateRoom(Command[MaybePosition]):
    """Change a room. Requires a moderator of the room.
    Fields that are left out stay as they are. A direct room has no name and no history setting."""

    rest = ("PATCH", "/api/rooms/{room}")
    requires = (Requires.OPEN_ACCOUNT, Requires.ROOM)
    errors = (NotFound, Conflict)
    type: Literal["room.update"] = "room.update"
    room: Id
    name: RoomName | None = None
    topic: RoomTopicLine | None = None
    description: RoomDescription | None = None
    """What the room is for; empty removes the description."""
    history: History | None = None
    """What new members may read: `all` messages, or only those sent since they `joined`."""
    example = Example({"name": "The Library{new}", "topic": "Books", "description": "Quiet, please.", "history": "all"})

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, room_topic(self.room))


class ArchiveRoom(Command[MaybePosition]):
    """Archive a room. Requires the room's owner or an admin. Idempotent.
    An archived room is read-only, except for deletions and a change of owner."""

    rest = ("POST", "/api/rooms/{room}/archive")
    requires = (Requires.OPEN_ACCOUNT, Requires.ROOM)
    type: Literal["room.archive"] = "room.archive"
    room: Id
    example = Example()

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, room_topic(self.room))


class RestoreRoom(Command[MaybePosition]):
    """Restore an archived room. Requires the room's owner or an admin. Idempotent."""

    rest = ("POST", "/api/rooms/{room}/restore")
    requires = (Requires.OPEN_ACCOUNT, Requires.ROOM)
    type: Literal["room.restore"] = "room.restore"
    room: Id
    example = Example(after=ArchiveRoom)

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (SITE, room_topic(self.room))


class SetRoomPreferences(Command[MaybePosition]):
    """Set your own preferences for a room, on all your devices.
    Fields that are left out stay as they are."""

    rest = ("PATCH", "/api/rooms/{room}/preferences")
    requires = (Requires.OPEN_ACCOUNT, Requires.ROOM, Requires.MEMBER)
    type: Literal["room.set_preferences"] = "room.set_preferences"
    room: Id
    favourite: bool | None = None
    """Whether the room is listed first in the user's list."""
    muted: bool | None = None
    """Whether only mentions in the room notify the user."""
    example = Example({"favourite": True, "muted": True})

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(actor.id))
