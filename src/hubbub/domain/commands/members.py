"""Commands for membership: join, leave, add, remove, ban and change roles."""

from typing import Annotated, Generic, Literal

from pydantic import FailFast, Field

from hubbub.domain.commands.base import A, Command, Id, Requires
from hubbub.domain.commands.examples import Example, Given, Scene
from hubbub.domain.errors import Conflict, NotFound
from hubbub.domain.model import (
    Actor,
    MaybePosition,
    MembersAnswer,
    Position,
    RoomPosition,
    RoomRole,
    room_topic,
    user_topic,
)
from hubbub.domain.text import MAX_INVITED, Reason


class JoinRoom(Command[RoomPosition]):
    """Join a room.
    If the room has no active owner, the new member becomes its owner. Idempotent."""

    rest = ("POST", "/api/rooms/{room}/join")
    requires = (Requires.OPEN_ACCOUNT, Requires.ROOM)
    errors = (NotFound, Conflict)
    type: Literal["room.join"] = "room.join"
    room: Id
    example = Example(scene=Scene.OPEN)

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(actor.id))


class LeaveRoom(Command[Position]):
    """Leave a room. Users cannot leave the lobby or a direct room.
    An owner must first transfer ownership, unless they are the only member."""

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


class AddMember(MemberCommand[MaybePosition]):
    """Add a user to a room. Idempotent."""

    rest = ("PUT", "/api/rooms/{room}/members/{user}")
    errors = (NotFound, Conflict)
    type: Literal["member.add"] = "member.add"
    example = Example({"user": Given.OUTSIDER})


class RemoveMember(MemberCommand[Position]):
    """Remove another user from a room, but not from the lobby.
    Owners and admins can remove any member; moderators can remove plain members.
    The user may rejoin a public room."""

    rest = ("DELETE", "/api/rooms/{room}/members/{user}")
    type: Literal["member.remove"] = "member.remove"
    example = Example(again="not_found")


class ChangeMembers(Command[MembersAnswer]):
    """Add and remove members of a room in one transaction, for the host application. Idempotent."""

    requires = (Requires.SYSTEM, Requires.ROOM)
    errors = (NotFound, Conflict)
    room: Id
    add: Annotated[tuple[Id, ...], FailFast(), Field(max_length=MAX_INVITED)] = ()
    remove: Annotated[tuple[Id, ...], FailFast(), Field(max_length=MAX_INVITED)] = ()

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), *map(user_topic, (*self.add, *self.remove)))


class BanMember(MemberCommand[MaybePosition]):
    """Ban another user: remove them from a room and keep them from joining it.
    The user need not be a member. Idempotent."""

    rest = ("PUT", "/api/rooms/{room}/bans/{user}")
    type: Literal["member.ban"] = "member.ban"
    reason: Reason = ""
    """Shown to the banned user and to the room's moderators."""
    example = Example({"reason": "Shouting"})


class UnbanMember(MemberCommand[MaybePosition]):
    """Lift a ban, so that the user may join again. Idempotent."""

    rest = ("DELETE", "/api/rooms/{room}/bans/{user}")
    type: Literal["member.unban"] = "member.unban"
    example = Example(after=BanMember)


class SetMemberRole(MemberCommand[MaybePosition]):
    """Change a member's role in a room. Requires the room's owner or an admin. Idempotent.
    A room has one owner: when another member becomes the owner, the former owner becomes a
    moderator. The owner of an archived room can be changed, too."""

    rest = ("PUT", "/api/rooms/{room}/members/{user}/role")
    errors = (NotFound, Conflict)
    type: Literal["member.set_role"] = "member.set_role"
    role: Annotated[RoomRole, Field(strict=False)]
    example = Example({"role": "moderator"})
