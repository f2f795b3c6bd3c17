"""What happens to memberships."""

from hubbub.domain.events.base import RoomEvent
from hubbub.domain.model import RoomRole


class MembershipEvent(RoomEvent):
    """Something happened to a membership."""

    user: int
    """Whose membership."""
    name: str
    """That person's name at that time."""
    by: int
    """Who did it."""


class MemberJoined(MembershipEvent):
    """Somebody is a member from here on."""

    type = "member.joined"


class MemberLeft(MembershipEvent):
    """Somebody has left."""

    type = "member.left"


class MemberRemoved(MembershipEvent):
    """Somebody was removed by somebody else."""

    type = "member.removed"


class MemberBanned(MembershipEvent):
    """Somebody may not come into the room any more, and is no member from here on if he was one."""

    type = "member.banned"
    was_member: bool
    """Whether this ends a membership."""


class MemberUnbanned(MembershipEvent):
    """Somebody may come into the room again."""

    type = "member.unbanned"


class MemberRole(MembershipEvent):
    """Somebody is something else in the room from here on. Ownership moves with two of these."""

    type = "member.role"
    role: RoomRole
