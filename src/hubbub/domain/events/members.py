"""Events of memberships."""

from hubbub.domain.events.base import RoomEvent
from hubbub.domain.model import RoomRole


class MembershipEvent(RoomEvent):
    """An event of a membership."""

    user: int
    """The id of the user whose membership it is."""
    user_name: str
    """That user's name at that time."""
    by: int
    """The actor's id."""


class MemberJoined(MembershipEvent):
    """A user joined the room or was added to it."""

    type = "member.joined"


class MemberLeft(MembershipEvent):
    """A member left the room."""

    type = "member.left"


class MemberRemoved(MembershipEvent):
    """A member was removed by another user."""

    type = "member.removed"


class MemberBanned(MembershipEvent):
    """A user was banned. If they were a member, their membership ends."""

    type = "member.banned"
    was_member: bool
    """Whether the ban ended a membership."""


class MemberUnbanned(MembershipEvent):
    """A ban was lifted: the user may join again."""

    type = "member.unbanned"


class MemberRoleChanged(MembershipEvent):
    """A member's role changed. A change of owner takes two of these events."""

    type = "member.role_changed"
    role: RoomRole
