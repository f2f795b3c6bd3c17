"""Members: come, go, bring somebody, send somebody away, and who may do what in a room."""

from typing import Annotated, Literal

from pydantic import Field

from hubbub.domain.commands.base import Command, Id
from hubbub.domain.model import Actor, MaybePosition, Position, RoomPosition, RoomRole, room_topic, user_topic
from hubbub.domain.text import Reason


class JoinRoom(Command):
    """Becomes a member, and the owner of a room that nobody looks after any more. Twice is fine."""

    answer = RoomPosition
    type: Literal["room.join"] = "room.join"
    room: Id

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(actor.id))


class LeaveRoom(Command):
    """Is a member no longer. Nobody leaves the lobby."""

    answer = Position
    type: Literal["room.leave"] = "room.leave"
    room: Id

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(actor.id))


class MemberCommand(Command):
    """Something done to somebody in a room."""

    room: Id
    user: Id
    """Whom."""

    def topics(self, actor: Actor) -> tuple[str, ...]:
        return (room_topic(self.room), user_topic(self.user), user_topic(actor.id))


class InviteMember(MemberCommand):
    """Makes somebody a member at once. Somebody who is one already is fine."""

    answer = MaybePosition
    type: Literal["room.invite"] = "room.invite"


class RemoveMember(MemberCommand):
    """Removes somebody else; into a public room one may come back. Not from the lobby."""

    answer = Position
    type: Literal["room.remove"] = "room.remove"


class BanMember(MemberCommand):
    """Removes somebody else, who may not come back. Twice is fine."""

    answer = MaybePosition
    type: Literal["room.ban"] = "room.ban"
    reason: Reason = ""
    """For the person and for those who moderate the room."""


class UnbanMember(MemberCommand):
    """A banned person may come back. Twice is fine."""

    answer = MaybePosition
    type: Literal["room.unban"] = "room.unban"


class SetRoomRole(MemberCommand):
    """Says what a member is in the room. There is one owner: who makes another one is a moderator from then on. What
    is so already is fine, and an archived room may be handed over."""

    answer = MaybePosition
    type: Literal["room.role"] = "room.role"
    role: Annotated[RoomRole, Field(strict=False)]
