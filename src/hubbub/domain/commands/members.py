"""Commands for membership: join, leave, add, remove, ban and change roles."""

from typing import Annotated, Generic, Literal

from pydantic import Field

from hubbub.domain.commands.base import A, Command, Id, Requires
from hubbub.domain.commands.examples import Example, Given, Scene
from hubbub.domain.model import Actor, MaybePosition, Position, RoomPosition, RoomRole, room_topic, user_topic
from hubbub.domain.text import Reason


class JoinRoom(Command[RoomPosition]):
    """Join a room.
    If the room has no active owner, the new member becomes its owner. Idempotent."""

    rest = ("POST", "/api/rooms/{room}/join")
    requires = (Requires.OPEN_ACCOUNT, Requires.ROOM)
    type: Literal["room.join"] = "room.join"
    room: Id
    example = Example(scene=Scene.OPEN)

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(actor.id))


class LeaveRoom(Command[Position]):
    """Leave a room. Users cannot leave the lobby or a direct room."""

    rest = ("POST", "/api/rooms/{room}/leave")
    requires = (Requires.OPEN_ACCOUNT, Requires.ROOM, Requires.MEMBER)
    type: Literal["room.leave"] = "room.leave"
    room: Id
    example = Example(scene=Scene.JOINED, again="not_found")

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(actor.id))


class MemberCommand(Command[A], Generic[A]):
    """A command about another user in a room."""

    requires = (Requires.OPEN_ACCOUNT, Requires.ROOM)
    room: Id
    user: Id
    """The other user's id."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(self.user), user_topic(actor.id))


class InviteMember(MemberCommand[MaybePosition]):
    """Add a user to a room. Idempotent."""

    rest = ("POST", "/api/rooms/{room}/members")
    type: Literal["room.invite"] = "room.invite"
    example = Example({"user": Given.OUTSIDER})


class RemoveMember(MemberCommand[Position]):
    """Remove another user from a room, but not from the lobby.
    The user may rejoin a public room."""

    rest = ("DELETE", "/api/rooms/{room}/members/{user}")
    type: Literal["room.remove"] = "room.remove"
    example = Example(again="not_found")


class BanMember(MemberCommand[MaybePosition]):
    """Ban another user: remove them from a room and keep them from joining it.
    Idempotent."""

    rest = ("POST", "/api/rooms/{room}/bans")
    type: Literal["room.ban"] = "room.ban"
    reason: Reason = ""
    """Shown to the banned user and to the room's moderators."""
    example = Example({"reason": "Shouting"})


class UnbanMember(MemberCommand[MaybePosition]):
    """Lift a ban, so that the user may join again. Idempotent."""

    rest = ("DELETE", "/api/rooms/{room}/bans/{user}")
    type: Literal["room.unban"] = "room.unban"
    example = Example(after=BanMember)


class SetRoomRole(MemberCommand[MaybePosition]):
    """Change a member's role in a room. Idempotent.
    A room has one owner: when another member becomes the owner, the former owner becomes a
    moderator. The owner of an archived room can be changed, too."""

    rest = ("PUT", "/api/rooms/{room}/members/{user}/role")
    type: Literal["room.role"] = "room.role"
    role: Annotated[RoomRole, Field(strict=False)]
    example = Example({"role": "moderator"})
