"""The models clients see, and the actor of a command."""

from hubbub.domain.model.accounts import Invite, Session
from hubbub.domain.model.answers import MaybePosition, Position, RoomPosition
from hubbub.domain.model.base import TIMESTAMP, Absent, Frozen, Timestamp, Wire
from hubbub.domain.model.messages import Forwarded, Mentions, Message, Pin, Reaction, Revision
from hubbub.domain.model.people import (
    ANYBODY,
    SYSTEM,
    Actor,
    Chosen,
    Me,
    Person,
    Presence,
    Presences,
    Role,
    Status,
    User,
)
from hubbub.domain.model.rooms import LOBBY, Ban, History, Member, Membership, Room, RoomKind, RoomRole
from hubbub.domain.model.topics import SECURITY, SITE, room_topic, user_topic

__all__ = [
    "ANYBODY",
    "LOBBY",
    "SECURITY",
    "SITE",
    "SYSTEM",
    "TIMESTAMP",
    "Absent",
    "Actor",
    "Ban",
    "Chosen",
    "Forwarded",
    "Frozen",
    "History",
    "Invite",
    "MaybePosition",
    "Me",
    "Member",
    "Membership",
    "Mentions",
    "Message",
    "Person",
    "Pin",
    "Position",
    "Presence",
    "Presences",
    "Reaction",
    "Revision",
    "Role",
    "Room",
    "RoomKind",
    "RoomPosition",
    "RoomRole",
    "Session",
    "Status",
    "Timestamp",
    "User",
    "Wire",
    "room_topic",
    "user_topic",
]
