"""The Python interface for the host application: what its methods take and return.

`hubbub.users`, `hubbub.rooms`, `hubbub.messages`, `hubbub.events()` and `hubbub.on()` of a
`hubbub.Hubbub` use these. See docs/mounting.md.
"""

from hubbub.domain.identities import BOTS
from hubbub.domain.model import Role
from hubbub.host.events import PositionLost
from hubbub.host.messages import Messages
from hubbub.host.model import Event, Position, Posted, Room, RoomRef, RoomUnread, Unread, User, UserRef
from hubbub.host.rooms import Rooms
from hubbub.host.users import Users

__all__ = [
    "BOTS",
    "Event",
    "Messages",
    "Position",
    "PositionLost",
    "Posted",
    "Role",
    "Room",
    "RoomRef",
    "RoomUnread",
    "Rooms",
    "Unread",
    "User",
    "UserRef",
    "Users",
]
